"""Facts of a few more commits, made from those of before, are those of all commits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from dealdb.store.facts.assumed import Assume
from dealdb.store.facts.event import event_facts
from dealdb.store.facts.facts import Facts
from dealdb.store.facts.following.continued import FactsBase
from dealdb.store.ledger.ledger import Ledger
from examples import of_profile
from store_commits import COMMIT, assert_equal, entries_of

Commit = tuple[Any, int]
# most say something of deals alone, at a later moment than the one before
PLAIN = COMMIT.filter(lambda each: each[0][0] in ("set", "delete")).map(
    lambda each: (each[0], abs(each[1]))
)
LATER = st.one_of(PLAIN, PLAIN, PLAIN, PLAIN, PLAIN, COMMIT)


def saved(deal: str, row: int, later: int = 9, at: int = 0, **cells: str) -> Commit:
    return ("set", deal, row, cells, at), later


def deleted(deal: str, row: int) -> Commit:
    return ("delete", deal, row), 9


def told(*facts: tuple[str, str, int, str, str]) -> Commit:
    return ("facts", facts), 9


def followed(
    commits: Sequence[Commit],
    pages: Sequence[Sequence[Commit]],
    assume: Assume = "birth",
    share: int = 0,
) -> list[bool]:
    """Compare the facts after each page; returns whether they were made from those of before."""
    entries = entries_of([*commits, *(each for page in pages for each in page)])
    ledger, done, found = Ledger(), 1 + len(commits), []
    ledger.take(entries[:done])
    base = FactsBase.of(ledger, assume)
    for page in pages:
        ledger = ledger.copy()
        ledger.take(entries[done : done + len(page)])
        done += len(page)
        facts = base.continued(ledger, share)
        if facts is not None:
            assert_equal(facts, event_facts(ledger, assume=assume))
        found.append(facts is not None)
    return found


@settings(max_examples=of_profile(1))
@given(
    commits=st.lists(COMMIT, max_size=10),
    later=st.lists(st.lists(LATER, min_size=1, max_size=4), min_size=1, max_size=3),
    assume=st.sampled_from(["birth", "none", "backfill"]),
)
def test_facts_that_are_continued_are_those_of_all_commits(
    commits: list[Commit], later: list[list[Commit]], assume: Assume
) -> None:
    followed(commits, later, assume)


class Case(NamedTuple):
    commits: list[Commit]
    later: list[Commit]
    is_followed: bool = True
    assume: Assume = "birth"


EURO = saved("a", 0, currency="EUR", stage="Lead")
DOLLAR = saved("d", 1, currency="USD")
# deals that no commit has: one with an end, and one without
PAST = told(
    ("b", "stage", 5, "Lead", "set"),
    ("b", "stage", 9, "", "delete"),
    ("c", "stage", 5, "Lead", "set"),
)
CASES = {
    "a change": Case([EURO, DOLLAR], [saved("a", 0, owner="Ann")]),
    "a deletion": Case([EURO, DOLLAR], [deleted("a", 0)]),
    "deleted and saved again": Case([EURO, DOLLAR], [deleted("a", 0), EURO]),
    "a new deal": Case([EURO, DOLLAR], [saved("b", 2, stage="Lead")]),
    "a new deal of before all others": Case([EURO, DOLLAR], [saved("b", 2, at=7, stage="Lead")]),
    "a deal that begins earlier": Case([EURO, DOLLAR], [saved("d", 1, at=7, stage="Lead")]),
    "deals with rows of others": Case(
        [
            *(saved(deal, row, stage="Lead") for row, deal in enumerate("abc")),
            *(saved(deal, row, owner="Ann") for row, deal in enumerate("bc")),
        ],
        [saved("a", 0, owner="5")],
    ),
    "values that are assumed": Case(
        [EURO, told(("a", "owner", 5, "Ann", "set"))], [saved("a", 0, owner="5")]
    ),
    "a stage that proposes a meaning": Case([EURO], [saved("a", 0, stage="Won")], False),
    "a clock that is set back": Case([EURO], [saved("a", 0, -50_000, owner="Ann")], False),
    "history that is imported": Case([EURO, DOLLAR], [PAST], False),
    "a pipeline": Case([EURO, DOLLAR], [(("pipeline",), 9)], False),
    "the one currency is another": Case([EURO, PAST], [saved("a", 0, currency="USD")], False),
    "a second currency": Case([EURO, PAST], [saved("d", 1, currency="USD")], False),
    "the one currency stays": Case([EURO, PAST], [saved("a", 0, owner="Ann")]),
    "the second currency is gone": Case([EURO, DOLLAR, PAST], [deleted("d", 1)], False),
    "a third currency": Case([EURO, DOLLAR, PAST], [saved("e", 2, currency="GBP")]),
    "the first currency": Case(
        [EURO, deleted("a", 0), PAST], [saved("d", 1, currency="EUR")], False
    ),
    "what was imported is saved": Case([EURO, PAST], [saved("c", 1, currency="EUR")], False),
    "what was imported is saved, nothing assumed": Case(
        [EURO, PAST], [saved("c", 1, currency="EUR")], assume="none"
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_made_from_the_facts_of_before(name: str) -> None:
    case = CASES[name]
    assert followed(case.commits, [case.later], case.assume) == [case.is_followed]


def test_with_many_deals_that_were_touched_all_are_looked_at() -> None:
    deals = [saved(deal, row, owner="Ann") for row, deal in enumerate("abcdef")]
    later = [saved(deal, row, owner="5") for row, deal in enumerate("abc")]
    assert followed(deals, [later[:1], later[1:2], later[2:]], share=3) == [True, True, False]


def continued(commits: Sequence[Commit], later: Commit) -> tuple[Facts, Facts]:
    """Facts before a commit, and those of after it that were made from them."""
    entries, ledger = entries_of([*commits, later]), Ledger()
    ledger.take(entries[:-1])
    base, ledger = FactsBase.of(ledger, "birth"), ledger.copy()
    ledger.take(entries[-1:])
    found = base.continued(ledger, share=0)
    assert found is not None
    return base.facts, found


def test_tables_that_a_commit_leaves_as_they_were_are_held_once() -> None:
    commits = [EURO, saved("d", 1, owner="Ann", stage="Won")]
    before, after = continued(commits, saved("a", 0, stage="Won"))
    assert after.of("owner") is before.of("owner")
    assert after.of("stage") is not before.of("stage")
    for later in (deleted("a", 0), saved("e", 2, stage="Lead")):
        before, after = continued(commits, later)
        assert after.of("owner") is before.of("owner")
