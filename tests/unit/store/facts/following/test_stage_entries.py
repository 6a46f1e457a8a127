"""Stages that are kept while commits are followed are those of all commits."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
from hypothesis import example, given, settings

from dealdb.store.facts.event import event_facts
from dealdb.store.facts.following.stage_entries import StageEntries, _last_entries
from dealdb.store.ledger.ledger import Ledger
from examples import of_profile
from store_commits import COMMIT, entries_of

LEAD = (("set", "a", 0, {"stage": "Lead"}, 0), 9)


@settings(max_examples=of_profile(1))
@example(pages=[[LEAD], [(("set", "a", 1, {"owner": "Ann"}, 0), 9)]], asked=[["a"], ["a"]])
@example(pages=[[LEAD], [(("set", "b", 1, {}, 0), -50_000)]], asked=[["a"], ["a"]])
@given(
    pages=st.lists(st.lists(COMMIT, min_size=1, max_size=4), min_size=1, max_size=5),
    asked=st.lists(st.lists(st.sampled_from("abcd"), unique=True), min_size=5, max_size=5),
)
def test_stages_that_are_kept_are_those_of_all_commits(
    pages: list[list[Any]], asked: list[list[str]]
) -> None:
    entries, done = entries_of([each for page in pages for each in page]), 1
    ledger, kept = Ledger(), StageEntries()
    ledger.take(entries[:done])
    kept.clear(ledger.position)
    for page, ids in zip(pages, asked, strict=False):
        some = entries[done : done + len(page)]
        done += len(page)
        ledger = ledger.copy()
        ledger.take(some)
        kept.follow(some)
        found, missing = kept.known(ids), kept.missing(ids)
        found |= kept.read(ledger, missing) if missing else {}
        expected, _ = _last_entries(event_facts(ledger).with_present_names())
        assert found == {deal: expected[deal] for deal in ids if deal in expected}
