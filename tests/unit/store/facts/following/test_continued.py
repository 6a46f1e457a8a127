"""Facts of a few more commits, made from those of before, are those of all commits."""

from __future__ import annotations

from typing import Any, Literal

import hypothesis.strategies as st
from hypothesis import example, given, settings

from dealdb.store.facts.event import event_facts
from dealdb.store.facts.following.continued import FactsBase
from dealdb.store.ledger.ledger import Ledger
from examples import of_profile
from store_commits import COMMIT, assert_equal, entries_of

# most say something of deals alone, at a later moment than the one before
PLAIN = COMMIT.filter(lambda each: each[0][0] in ("set", "delete")).map(
    lambda each: (each[0], abs(each[1]))
)
EURO = (("set", "a", 0, {"currency": "EUR", "stage": "Lead"}, 0), 9)
# deals that no commit has: one with an end, and one without
PAST = [
    ("b", "stage", 5, "Lead", "set"),
    ("b", "stage", 9, "", "delete"),
    ("c", "stage", 5, "Lead", "set"),
]
LATER = st.one_of(PLAIN, PLAIN, PLAIN, PLAIN, PLAIN, COMMIT)


@settings(max_examples=of_profile(1))
@example(commits=[EURO], later=[[(("set", "a", 0, {"stage": "Won"}, 0), -50_000)]], assume="none")
@example(commits=[EURO], later=[[(("set", "a", 0, {"stage": "Won"}, 0), 9)]], assume="birth")
@example(commits=[EURO], later=[[(("delete", "a", 0), 9), EURO]], assume="birth")
@example(
    commits=[EURO, (("facts", PAST), 9)],
    later=[[(("set", "a", 0, {"currency": "USD"}, 0), 9)]],
    assume="birth",
)
@example(
    commits=[EURO, (("facts", PAST), 9)],
    later=[[(("set", "c", 1, {"currency": "EUR"}, 0), 9)]],
    assume="birth",
)
@example(
    commits=[EURO, (("set", "d", 1, {"currency": "USD"}, 0), 9), (("facts", PAST), 9)],
    later=[[(("delete", "d", 1), 9)]],
    assume="birth",
)
@example(
    commits=[EURO, (("set", "d", 1, {"currency": "USD"}, 0), 9), (("facts", PAST), 9)],
    later=[[(("set", "e", 2, {"currency": "GBP"}, 0), 9)]],
    assume="birth",
)
@given(
    commits=st.lists(COMMIT, max_size=10),
    later=st.lists(st.lists(LATER, min_size=1, max_size=4), min_size=1, max_size=3),
    assume=st.sampled_from(["birth", "none", "backfill"]),
)
def test_facts_that_are_continued_are_those_of_all_commits(
    commits: list[Any], later: list[list[Any]], assume: Literal["birth", "none", "backfill"]
) -> None:
    entries = entries_of([*commits, *(each for page in later for each in page)])
    ledger, done = Ledger(), 1 + len(commits)
    ledger.take(entries[:done])
    base = FactsBase.of(ledger, assume)
    for page in later:
        ledger = ledger.copy()
        ledger.take(entries[done : done + len(page)])
        done += len(page)
        found = base.continued(ledger, share=0)
        if found is not None:
            assert_equal(found, event_facts(ledger, assume=assume))
