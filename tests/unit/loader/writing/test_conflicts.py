"""Deals that exist already, and loads that only say what they would do."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dealdb.errors import LoadError
from recorder import Recorder

ROWS = [
    {"id": "1", "name": "new", "owner": None},
    {"id": "2", "name": "two"},
    {"id": "2", "owner": "Bob"},
]


@pytest.fixture
def store() -> Recorder:
    found = Recorder()
    found.load([{"id": "1", "name": "old", "owner": "Ann", "source": "web"}])
    return found


@pytest.mark.parametrize(
    ("on_conflict", "one", "two", "counts"),
    [
        ("merge", {"name": "new", "source": "web"}, {"name": "two", "owner": "Bob"}, (1, 2, 0, 0)),
        ("replace", {"name": "new"}, {"owner": "Bob"}, (1, 2, 0, 0)),
        ("skip", {"name": "old", "owner": "Ann", "source": "web"}, {"name": "two"}, (1, 0, 0, 2)),
    ],
)
def test_what_happens_to_deals_that_exist(
    store: Recorder, on_conflict: str, one: Any, two: Any, counts: tuple[int, ...]
) -> None:
    for _ in range(2):
        report = store.load(ROWS, on_conflict=on_conflict)
        assert store.deals == {"1": one, "2": two}
        if counts:
            assert (report.inserted, report.updated, report.unchanged, report.skipped) == counts
        counts = ()


def test_replacing_keeps_the_moment_of_the_last_change() -> None:
    store = Recorder()
    store.load([{"id": "1", "updated": "2026-01-31T09:30:00Z", "name": "a"}])
    store.load([{"id": "1", "owner": "Ann"}], on_conflict="replace")
    assert store.deals == {"1": {"updated": "2026-01-31T09:30:00Z", "owner": "Ann"}}


@pytest.mark.parametrize("once_only", [False, True])
def test_error_stops_before_anything_is_written(store: Recorder, once_only: bool) -> None:
    before = copy.deepcopy(store.deals)
    rows: Any = iter(ROWS) if once_only else ROWS
    with pytest.raises(
        LoadError, match=r"^deals of rows that exist already: 1, that occur in it repeatedly: 1;"
    ):
        store.load(rows, on_conflict="error")
    assert store.deals == before
    with pytest.raises(LoadError, match="exist already"):
        store.load([{"id": "1", "stage": "Demo", "seats": 1}], on_conflict="error")
    assert not store.pipeline()
    assert "seats" not in store.schema()
    assert store.load([{"id": "3"}], on_conflict="error").inserted == 1


def test_a_source_without_rows_conflicts_with_nothing(store: Recorder, tmp_path: Path) -> None:
    assert store.load_text(tmp_path, "id,name\n", on_conflict="error").read == 0


def test_a_deal_saved_meanwhile_stops_a_load_that_may_not_meet_any(tmp_path: Path) -> None:
    store = Recorder()

    def save_another(progress: Any) -> None:
        if progress.phase == "loading":
            store.deals["9"] = {"name": "somebody else's"}

    rows = [{"id": str(n), "name": "mine"} for n in range(20)]
    with pytest.raises(LoadError, match="somebody else saved while this load ran: 1;"):
        store.load(rows, on_conflict="error", batch_size=5, progress=save_another)
    assert store.deals["9"] == {"name": "somebody else's"}
    report = store.load(rows, on_conflict="skip", batch_size=5)
    assert (report.inserted, report.skipped) == (14, 6)
    assert store.deals["9"] == {"name": "somebody else's"}


def test_a_policy_that_there_is_not() -> None:
    with pytest.raises(LoadError, match="merge, replace, skip, error, not 'ignore'"):
        Recorder().load([{"id": "1"}], on_conflict="ignore")


CELLS = st.fixed_dictionaries(
    {"id": st.sampled_from("abcde")},
    optional={
        "name": st.sampled_from(["x", "y", "", None]), "seats": st.sampled_from([1, 2, None, 2.5]),
        "amount": st.sampled_from(["1", "1.50", "soon", None]), "stage": st.sampled_from(["Won", "Demo"]),
    },
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.lists(CELLS, max_size=5),
    rows=st.lists(CELLS, max_size=8),
    on_conflict=st.sampled_from(["merge", "replace", "skip"]),
)
def test_a_dry_run_says_what_the_load_then_does(
    before: list[dict[str, Any]], rows: list[dict[str, Any]], on_conflict: str
) -> None:
    store = Recorder()
    store.load(before)
    state = copy.deepcopy((store.deals, store.schema(), store.pipeline(), len(store.batches)))
    said = store.load(rows, on_conflict=on_conflict, dry_run=True, batch_size=3)
    assert (store.deals, store.schema(), store.pipeline(), len(store.batches)) == state
    done = store.load(rows, on_conflict=on_conflict, batch_size=3)
    assert said.dry_run
    assert not done.dry_run
    for name in ("inserted", "updated", "unchanged", "skipped", "rejected", "duplicates"):
        assert getattr(said, name) == getattr(done, name), name
    assert (said.reasons, said.pipeline, said.columns) == (done.reasons, done.pipeline, done.columns)  # fmt: skip


def test_a_dry_run_writes_rejects_only_where_it_was_told_to(tmp_path: Path) -> None:
    path = tmp_path / "deals.csv"
    path.write_text("id,amount\n1,soon\n2,5\n")
    store = Recorder()
    types = {"amount": "decimal(2)"}
    assert store.load(path, dry_run=True, types=types, rejects=True).rejects is None
    report = store.load(path, dry_run=True, types=types, rejects=tmp_path / "bad.csv")
    assert report.rejects == tmp_path / "bad.csv"
    assert repr(report).endswith("rejected=1, dry_run=True)")
