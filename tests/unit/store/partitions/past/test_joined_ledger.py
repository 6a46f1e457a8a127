"""The ledgers of partitions as one say what one would, in whatever pieces and by whatever clocks they come."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from dealdb.store.facts.event import event_facts
from dealdb.store.facts.from_log import recorded_facts
from dealdb.store.ledger.ledger import Ledger
from dealdb.store.log.entry import Entry, Position
from dealdb.store.partitions.past.joined_ledger import JoinedLedger, KeptPart, counts
from store_commits import COMMIT, entries_of
from twins import assert_same, ledger_of

P = 3
LOGS = st.lists(st.lists(COMMIT, max_size=6), min_size=P, max_size=P)


def logs_of(commits: list[list[Any]]) -> list[list[Entry]]:
    """The commits of each partition, whose deals are of no other."""
    return [entries_of([_of_part(each, n) for each in some]) for n, some in enumerate(commits)]


def _of_part(commit: Any, number: int) -> Any:
    (kind, *what), later = commit
    match kind:
        case "set" | "delete":
            return (kind, f"{what[0]}{number}", *what[1:]), later
        case "facts":
            return (kind, [(f"{fact[0]}{number}", *fact[1:]) for fact in what[0]]), later
    return commit


def of_log(entries: Sequence[Entry]) -> Ledger:
    ledger = Ledger()
    ledger.take(entries)
    return ledger


def joined(kept: Sequence[Sequence[Entry]], tails: Sequence[Sequence[Entry]]) -> JoinedLedger:
    """What is begun with some commits that were kept, and goes on with those that follow."""
    ledgers, since = [of_log(each) for each in kept], [of_log(each) for each in tails]
    times = [each.table("commits")["time_ms"] for each in ledgers]
    found = JoinedLedger(
        [
            KeptPart(
                position=ledger.position,
                time_ms=own[-1] if own.len() else 0,
                schema=ledger.schema,
                tables=tuple(ledger.tables),
                at_most=min([entry.time_ms for entry in tail], default=None),
            )
            for ledger, own, tail in zip(ledgers, times, tails, strict=True)
        ],
        lambda names: {
            n: {
                name: each.tables[name] for name in names if name in each.tables and counts(name, n)
            }
            for n, each in enumerate(ledgers)
        },
    )
    assert found.follow({n: each for n, each in enumerate(since) if each.position.seq})
    return found


@given(commits=LOGS, seed=st.integers(0, 99))
def test_it_says_what_one_ledger_would(commits: list[list[Any]], seed: int) -> None:
    logs, random = logs_of(commits), Random(seed)
    cuts = [random.randint(0, len(log)) for log in logs]
    ms = random.randrange(400_000)
    twin = ledger_of(logs)
    found = joined(
        [log[:cut] for log, cut in zip(logs, cuts, strict=True)],
        [log[cut:] for log, cut in zip(logs, cuts, strict=True)],
    )
    assert found.position.seq == sum(map(len, logs))
    assert_same(recorded_facts(found), recorded_facts(twin))
    assert_same(event_facts(found), event_facts(twin))
    assert_same(event_facts(found, found.until(ms)), event_facts(twin, twin.until(ms)))
    at = found.commits()["at"]
    assert [found.moment_of(seq) for seq in (1, P)] == at.gather([0, P - 1]).to_list()


@given(commits=LOGS, seed=st.integers(0, 99))
def test_it_is_the_same_in_whatever_pieces_it_comes(commits: list[list[Any]], seed: int) -> None:
    logs, random = logs_of(commits), Random(seed)
    nothing: list[list[Entry]] = [[]] * P
    found, done = joined(nothing, nothing), [0] * P
    while done != [len(log) for log in logs]:
        ends = [min(n + random.randint(0, 3), len(log)) for n, log in zip(done, logs, strict=True)]
        some = [log[a:b] for log, a, b in zip(logs, done, ends, strict=True)]
        before, longer = found.commits(), found.copy()
        is_taken = longer.follow({n: of_log(each) for n, each in enumerate(some) if each})
        # facts that were handed out go on reading the one before
        assert found.commits().equals(before)
        is_set_back = any(
            done[n] and min(entry.time_ms for entry in each) < logs[n][done[n] - 1].time_ms
            for n, each in enumerate(some)
            if each
        )
        assert is_taken is not is_set_back
        done = ends
        whole = [log[:n] for log, n in zip(logs, done, strict=True)]
        found = longer if is_taken else joined(whole, nothing)
    assert found.read == [Position(len(log), b"") for log in logs]
    assert_same(event_facts(found), event_facts(ledger_of(logs)))


def test_a_schema_of_the_head_counts_alone() -> None:
    (head,), (other,) = entries_of([]), entries_of([])
    wider = other._replace(data=other.data.replace(b'"version":0', b'"version":7'))
    found = joined([[]] * 2, [[head], [wider]])
    assert found.versions == [found.schema.version, 7]
    assert found.schema.version != 7
    assert found.commits()["kind"].to_list() == ["schema", "followed"]
    assert recorded_facts(found).commits.is_empty()


def test_rows_and_commits_have_numbers_of_their_own() -> None:
    commit = (("set", "a", 0, {"stage": "Lead"}, 0), 5)
    found = joined([[]] * P, logs_of([[commit]] * P))
    table = found.touches.table()
    assert table["row"].to_list() == [0, 1, 2]
    assert table["seq"].to_list() == [4, 5, 6]
    assert table.schema["row"] == table.schema["seq"] == pl.UInt32
