"""What was changed since a commit, as far as it is known."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from dealdb.board.live.recent import MOST_COMMITS, MOST_DEALS, RecentCommits
from dealdb.board.parts.commits import MOST_DEALS as MOST_SHOWN
from dealdb.model.schema import Schema
from dealdb.store.history.feed_commits import Commit, DealChange

START = "4-f5c5c5545f2ac921"


def commit(seq: int, *ids: str, kind: Literal["save", "pipeline"] = "save") -> Commit:
    return Commit(
        seq=seq,
        when=datetime(2026, 1, 31, tzinfo=UTC),
        actor="ann",
        kind=kind,
        deals=tuple(DealChange(id=each, outcome="updated") for each in ids),
        token=f"{seq}-{seq:016x}",
        schema=Schema.standard(),
        rows=tuple(ord(each) - ord("a") for each in ids if len(each) == 1),
    )


def recent(*commits: Commit) -> RecentCommits:
    found = RecentCommits(START)
    for each in commits:
        found.add(each)
    return found


def test_deals_changed_since_a_commit_by_token_or_number() -> None:
    passed = recent(commit(5, "a"), commit(6, "b", "c"), commit(7, "a"))
    assert passed.since(START) == frozenset({"a", "b", "c"})
    assert passed.since(commit(5).token) == frozenset({"a", "b", "c"})
    assert passed.since(commit(6).token) == frozenset({"a"})
    assert passed.since(None, 6) == frozenset({"a"})
    assert passed.since(None, 9) == passed.since(passed.token) == frozenset()


def test_what_there_is_to_show_of_the_commits_after_one() -> None:
    passed = recent(commit(5, "a"), commit(6, *map(str, range(40))), commit(7, "b"))
    found = passed.heads_after(commit(5).token)
    assert found is not None
    heads, token = found
    assert [(each.commit.seq, len(each.commit.deals), each.n_deals) for each in heads] == [
        (6, MOST_SHOWN, 40),
        (7, 1, 1),
    ]
    assert token == commit(7).token
    assert passed.heads_after(token) == ([], token)
    assert passed.heads_after("5-0000000000000bad") is None


def test_what_is_not_known_is_not_guessed() -> None:
    passed = recent(commit(5, "a"))
    assert passed.since("5-0000000000000bad") is None
    assert passed.since(None, 3) is None
    assert passed.since(None, None) is None


def test_too_many_commits_or_deals_are_not_kept() -> None:
    passed = recent(*(commit(5 + n, "a") for n in range(MOST_COMMITS)))
    assert passed.since(START) is None
    assert passed.since(commit(5).token) == frozenset({"a"})
    assert recent(commit(5, *map(str, range(MOST_DEALS + 1)))).since(START) is None


def test_stages_that_were_changed_are_of_all_deals() -> None:
    assert recent(commit(5, kind="pipeline")).since(START) is None


def test_rows_that_differ_between_two_commits() -> None:
    passed = recent(commit(5, "a"), commit(6, "b", "c"), commit(7, "a"))
    assert passed.rows_between(START, commit(6).token) == frozenset({0, 1, 2})
    assert passed.rows_between(commit(6).token, commit(7).token) == frozenset({0})
    assert passed.rows_between(commit(7).token, commit(7).token) == frozenset()
    # one that the feed has not had yet, and one that it has not had any more
    assert passed.rows_between(START, commit(8).token) is None
    assert passed.rows_between("3-0000000000000bad", commit(7).token) is None
    assert passed.rows_between(commit(7).token, START) is None
    stages = recent(commit(5, "a"), commit(6, kind="pipeline"))
    assert stages.rows_between(START, commit(5).token) == frozenset({0})
    assert stages.rows_between(START, commit(6).token) is None
