"""A change whose answer never comes is told as unknown, and the next one is kept: over a real socket, a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from dealdb import DealDatabase
from dealdb.errors import OutcomeUnknown
from servers import Server

IMPATIENT = {"socket_timeout_s": 0.8, "retry_deadline_s": 0.8}


@contextmanager
def frozen(server: Server) -> Iterator[None]:
    server.freeze()
    try:
        yield
    finally:
        server.thaw()


@pytest.mark.parametrize(
    "change",
    [
        lambda db, rev: db.save_deal({"id": "new", "n": 2}),
        lambda db, rev: db.save_deal({"id": "old", "n": 2}),
        lambda db, rev: db.save_deal({"id": "old", "n": 2}, expect_rev=rev),
        lambda db, rev: db.update_deal("old", n=2),
        lambda db, rev: db.delete_deal("old"),
    ],
    ids=["insert", "save", "expect_rev", "update", "delete"],
)
def test_unanswered_change_is_unknown_and_the_next_one_is_kept(
    new_server: Callable[..., Server], change: Callable[[DealDatabase, int], object]
) -> None:
    server = new_server()
    with DealDatabase(port=server.port, **IMPATIENT) as db:  # type: ignore[arg-type]
        db.save_deal({"id": "old", "n": 1})
        # the first changes of a process ask for more than the commit
        db.save_deal({"id": "old", "m": 1})
        before = db.get_deal("old")
        assert before is not None
        with frozen(server), pytest.raises(OutcomeUnknown) as caught:
            change(db, before.rev)
        saved = db.save_deal({"id": "next", "n": 777})
        assert saved.outcome == "inserted"
        deal = db.get_deal("next")
        assert deal is not None
        assert deal["n"] == 777
        happened = caught.value.resolve()
        now = {id_: db.get_deal(id_) for id_ in ("new", "old")}
        there = now["new"] is not None or now["old"] is None or now["old"].rev != before.rev
        assert happened is there
        assert db.check().ok
