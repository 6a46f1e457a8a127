"""Lists of what changed: since a commit, told from others of its time, and of one state of the present."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any
from urllib.parse import urlencode

import pytest

from boards import Browser
from clocks import commit_at
from connected import connected
from dealdb import DealDatabase
from dealdb.query import QueryEngine
from servers import Server


def test_a_commit_is_told_from_others_of_its_millisecond(
    server: Server, open_board: Callable[..., Browser]
) -> None:
    with (
        DealDatabase.from_url(f"unix://{server.socket}") as db,
        connected(server) as connection,
    ):
        db.save_deal({"id": "x", "stage": "Lead", "amount": 1})
        begun = next(db.changes(0, timeout_s=0))
        time_ms = int(begun.when.timestamp() * 1000) + 5
        tokens = [_token(db, commit_at(connection.link(), time_ms, n)) for n in (10, 20, 5)]
        board = open_board(db)
        pages = [board.data(f"/changes.json?since={each}")["lists"] for each in tokens]
    assert [[each["name"] for each in page] for page in pages] == [["lowered"], ["lowered"], []]
    assert [page[0]["sums"][0]["value"] for page in pages[:2]] == [-5, -15]


def _token(db: DealDatabase, seq: int) -> str:
    return next(each.token for each in db.changes(seq - 1, timeout_s=0))


def test_a_filter_looks_at_one_state_of_the_present(
    server: Server, open_board: Callable[..., Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    with DealDatabase.from_url(f"unix://{server.socket}") as db:
        db.save_deal({"id": "x", "stage": "Lead", "amount": 1})
        begin = db.changes().token
        db.update_deal("x", amount=2)
        find = QueryEngine.find

        amounts = count(3)

        def find_and_save(engine: QueryEngine, *given: Any, **options: Any) -> Any:
            found = find(engine, *given, **options)
            # somebody saves between one look and the next
            db.update_deal("x", amount=next(amounts))
            return found

        board = open_board(db)
        monkeypatch.setattr(QueryEngine, "find", find_and_save)
        page = board.data(f"/changes.json?{urlencode({'since': begin, 'where': 'amount > 1'})}")
    assert [(each["name"], each["deals"][0]["amount"]) for each in page["lists"]] == [("raised", 2)]


def test_what_changed_since_the_commits_of_all_partitions(
    server: Server, open_board: Callable[..., Browser]
) -> None:
    with DealDatabase.from_url(f"unix://{server.socket}", partitions=4) as db:
        db.loader.load([{"id": n, "stage": "Lead", "amount": n} for n in range(20)], rejects=False)
        begin = db.changes().token
        for n in range(5):
            db.update_deal(n, amount=100 + n)
        db.delete_deal(9)
        board = open_board(db)
        found = board.data(f"/changes.json?{urlencode({'since': begin})}")["lists"]
        other = begin.replace("p4:", "p8:")
        assert board.ask(f"/changes?{urlencode({'since': other})}")[0] == 400
    assert {each["name"]: len(each["deals"]) for each in found} == {"raised": 5, "deleted": 1}
