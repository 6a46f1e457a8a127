"""The history knows what a commit stamps on a deal, although that has no row of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dealdb import DealDatabase
from servers import Server


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(f"unix://{server.socket}") as db:
        yield db


MINE = "2026-01-01T00:00:00Z"


def test_the_stamp_is_what_a_later_change_of_it_had_before(db: DealDatabase) -> None:
    db.save_deal({"id": 1, "updated": MINE})
    stamped = []
    for amount in (5, 6):
        db.update_deal(1, amount=amount)
        stamped.append(db.query.sql("SELECT updated FROM deals").rows()[0][0])
        # the value that it had before the stamp is a change, too
        db.update_deal(1, updated=MINE)
    db.update_deal(1, updated=None)
    db.update_deal(1, amount=7)
    db.update_deal(1, updated=MINE, amount=8)
    db.delete_deal(1)
    db.save_deal({"id": 1, "updated": MINE})
    rows = db.deal_history(1).select("change", "field", "before", "after").rows()
    assert [row for row in rows if row[1] == "updated"][:4] == [
        ("inserted", "updated", None, MINE),
        *(("updated", "updated", f"{when:%Y-%m-%dT%H:%M:%SZ}", MINE) for when in stamped),
        ("updated", "updated", MINE, None),
    ]
    *_, cleared, again = [row for row in rows if row[1] == "updated"]
    assert cleared[2] not in (None, MINE)
    assert again == ("inserted", "updated", None, MINE)
    told = db.query.sql("SELECT change, field, before, after FROM history WHERE id = '1'")
    assert told.rows() == rows
    changed = {seq for seq, *_ in db.deal_history(1).select("seq", "field").rows()}
    with db.changes(since=0, timeout_s=0) as feed:
        assert changed == {commit.seq for commit in feed if commit.deals}


@pytest.mark.parametrize("stage", [{}, {"stage": "won"}])
@pytest.mark.parametrize("more", [{}, {"signed": False}, {"tags": ["a"]}])
def test_what_a_save_clears_comes_behind_what_it_sets(
    server: Server, more: dict[str, object], stage: dict[str, str]
) -> None:
    """However the commit is sent."""
    with DealDatabase.from_url(server.url) as db:
        db.save_deal({"id": 1, "amount": 7})
        db.save_deal({"id": 1, "amount": None, "name": "x", **more, **stage})
        fields = db.deal_history(1)["field"].to_list()[1:]
    assert fields == ["name", *more, *stage, "amount", *(["closed"] if stage else [])]
