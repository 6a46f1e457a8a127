"""sql over the history: every change of every deal, up to the commit that the deals are of."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
import pytest

from dealdb import DealDatabase
from dealdb.database import LiveDeals
from dealdb.errors import QueryError
from dealdb.query import QueryEngine
from dealdb.store.checkpoint.write import write_checkpoint
from dealdb.store.log.entry import Position
from servers import Server


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(f"unix://{server.socket}", actor="ann") as db:
        yield db


def fill(db: DealDatabase) -> None:
    db.save_deal({"id": 7, "name": "Acme", "amount": 100})
    db.save_deal({"id": 8, "name": "Globex"})
    db.save_deal({"id": 7, "amount": 250, "name": "Acme"})
    db.save_deal({"id": 7, "amount": None})
    db.delete_deal(7)
    db.save_deal({"id": 7})


def test_history_has_the_rows_of_each_deals_own(db: DealDatabase) -> None:
    fill(db)
    for sealed in (False, True):
        if sealed:
            write_checkpoint(db._store.link, db._store.keys, db._store._live._replica)
        whole = db.query.sql("SELECT * FROM history")
        columns = ["seq", "when", "who", "id", "change", "field", "before", "after", "at", "source"]
        assert whole.columns == columns
        for deal in ("7", "8"):
            own = whole.filter(id=deal).drop("id")
            assert own.rows() == db.deal_history(deal).rows()
        assert whole.height == db.deal_history(7).height + db.deal_history(8).height


def test_it_joins_with_deals_and_is_fresh(db: DealDatabase) -> None:
    fill(db)
    statement = (
        'SELECT d.id, count(*) AS n, max(h."when") IS NOT NULL AS known FROM deals d JOIN history h USING (id)'
        " WHERE h.who = :who GROUP BY d.id ORDER BY d.id"
    )
    before = db.query.sql(statement, params={"who": "ann"})
    db.save_deal({"id": 8, "name": "Globex 2"})
    after = db.query.sql(statement, params={"who": "ann"})
    assert before.rows() == [("7", 6, True), ("8", 1, True)]
    assert after.rows() == [("7", 6, True), ("8", 2, True)]


class Asked(LiveDeals):
    """Live deals that note who asks for their history."""

    def __init__(self, db: DealDatabase) -> None:
        super().__init__(db)
        self.until: list[Position] = []

    def changes(self, until: Position) -> pl.DataFrame:
        self.until.append(until)
        return super().changes(until)


def test_it_is_only_read_when_named_and_kept_until_the_next_commit(db: DealDatabase) -> None:
    fill(db)
    asked = Asked(db)
    query = QueryEngine(asked)
    query.sql("SELECT count(*) FROM deals")
    query.sql("WITH history AS (SELECT 1) SELECT * FROM history")
    assert asked.until == []
    for _ in range(2):
        query.sql("SELECT count(*) FROM HISTORY")
    assert len(asked.until) == 1
    query.close()


def test_an_empty_collection_has_an_empty_history(db: DealDatabase) -> None:
    assert db.query.sql("SELECT count(*) FROM history").item() == 0


def test_what_history_has_not_is_told(db: DealDatabase) -> None:
    fill(db)
    with pytest.raises(QueryError, match="no column 'fild'; did you mean 'field'"):
        db.query.sql("SELECT fild FROM history")
    with pytest.raises(QueryError, match="the tables are deals and history"):
        db.query.sql("SELECT * FROM main.history")
    with pytest.raises(QueryError, match="there is no table 'history' here"):
        db.as_of("2999-12-31").query.sql("SELECT * FROM history")
