"""Columns that are renamed or dropped while a load runs stay so, and no value is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from commits import at_each_commit
from dealdb import DealDatabase
from servers import Server


@pytest.fixture
def admin(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(server.url) as db:
        db.save_deal({"id": "x", "extra": "v", "n": 0})
        deals = [{"id": f"d{n}", "n": 0, "extra": f"e{n}"} for n in range(1_000)]
        db.loader.load(deals, rejects=False)
        yield db


@pytest.fixture
def load(server: Server, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Load 1,000 deals that exist and 1,000 new ones by another client; something happens at a commit."""

    def run(
        policy: str, row: Callable[[int], dict[str, Any]], midway: Callable[[], object], at: int
    ) -> Any:
        at_each_commit(monkeypatch.setattr, lambda number: midway() if number == at else None)
        rows = [{"id": f"d{n}", **row(n)} for n in range(2_000)]
        with DealDatabase.from_url(server.url) as loader:
            return loader.loader.load(rows, on_conflict=policy, rejects=False, batch_size=200)

    return run


def own(db: DealDatabase) -> list[str]:
    return [name for name in db.schema if name.startswith("extra")]


@pytest.mark.parametrize("policy", ["replace", "merge"])
@pytest.mark.parametrize("at", [3, 8])
def test_a_column_that_is_only_cleared_does_not_come_back(
    admin: DealDatabase, load: Callable[..., Any], policy: str, at: int
) -> None:
    load(policy, lambda n: {"n": n}, lambda: admin.drop_field("extra"), at)
    assert own(admin) == []
    assert "extra" not in admin.query.frame().columns
    assert admin.check().ok


def test_a_renamed_column_is_cleared_under_its_new_name(
    admin: DealDatabase, load: Callable[..., Any]
) -> None:
    load("replace", lambda n: {"n": n}, lambda: admin.rename_field("extra", "extra2"), 3)
    assert own(admin) == ["extra2"]
    frame = admin.query.frame()
    assert frame.filter(id="x")["extra2"].to_list() == ["v"]
    # the load went on after the renaming, and replaced these
    assert frame.filter(id="d998")["extra2"].to_list() == [None]
    assert admin.check().ok


def test_values_of_the_source_bring_a_dropped_column_back(
    admin: DealDatabase, load: Callable[..., Any]
) -> None:
    """Else they would be lost without a word."""
    load("replace", lambda n: {"n": n, "extra": f"new {n}"}, lambda: admin.drop_field("extra"), 3)
    assert own(admin) == ["extra"]
    assert admin.get_deal("d1999")["extra"] == "new 1999"  # type: ignore[index]
    assert admin.check().ok


def test_a_column_of_the_source_without_values_does_not(
    admin: DealDatabase, load: Callable[..., Any]
) -> None:
    load(
        "merge",
        lambda n: {"n": n, "extra": "early" if n < 100 else None},
        lambda: admin.drop_field("extra"),
        3,
    )
    assert own(admin) == []
    assert admin.check().ok
