"""Winning or losing a deal by hand sets its closing date, reopening clears it, and nothing else touches it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgpack
import pytest

from connected import connected, pause
from dealdb import DealDatabase
from dealdb.connection import Link
from dealdb.errors import AccessDenied
from dealdb.model.pipeline import Kind, Pipeline, Stage
from dealdb.store import Store
from dealdb.store.commit.batch import Batch
from dealdb.store.commit.script import _SCRIPT
from dealdb.store.hashes import as_dict
from servers import Server
from store_model import stamp_of

OLD = "2020-02-29"
# what the names say is not what the stages mean, and one is like the JSON that it is kept in
ODD = 'Lead","open","0.1",30],["Won soon'
BACKSLASHES = "two\\\\"
PIPELINE = Pipeline(
    (
        Stage("Lead", Kind.OPEN, Decimal("0.1"), 30),
        Stage("Won soon", Kind.OPEN),
        Stage("Done", Kind.WON, Decimal(1)),
        Stage("Invoiced", Kind.WON),
        Stage(ODD, Kind.WON),
        Stage("control\x00\n/é€😀", Kind.WON),
        Stage(BACKSLASHES[:-1], Kind.OPEN),
        Stage(BACKSLASHES, Kind.WON),
        Stage(",", Kind.LOST),
        Stage("Gone", Kind.LOST, Decimal(0)),
    )
)


@pytest.fixture
def store(link: Link) -> Store:
    store = Store(link)
    store.set_pipeline(PIPELINE)
    return store


@pytest.fixture
def db(server: Server, store: Store) -> Iterator[DealDatabase]:
    assert store.pipeline() == PIPELINE
    with DealDatabase.from_url(f"unix://{server.socket}") as db:
        yield db


def closed(link: Link, deal: str = "1") -> str | None:
    text = link.call("HGET", f"deal:{deal}", "closed")
    return None if text is None else text.decode()


def last_entry(link: Link) -> dict[bytes, Any]:
    [(_, fields)] = link.call("XREVRANGE", "deals:log", "+", "-", "COUNT", 1)
    return dict(zip(fields[::2], fields[1::2], strict=True))


def day(link: Link) -> str:
    """Day of the last commit, by the server's clock."""
    return stamp_of(int(last_entry(link)[b"time"]))[:10]


@pytest.mark.parametrize("odd", [ODD, BACKSLASHES, "control\x00\n/é€😀", "Invoiced"])
@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("Lead", "Done", "today"),
        ("Lead", "Gone", "today"),
        ("Lead", ",", "today"),
        (None, "Done", "today"),
        ("nowhere", "Gone", "today"),
        ("Won soon", "odd", "today"),
        ("Done", "Gone", "today"),
        (",", "odd", "today"),
        ("Done", "Lead", None),
        ("Gone", "Won soon", None),
        ("odd", "Lead", None),
        ("Done", None, None),
        ("Done", "odd", OLD),
        ("Gone", ",", OLD),
        ("odd", "odd", OLD),
        ("Lead", "Won soon", OLD),
        ("Lead", None, OLD),
        ("nowhere", "Lead", OLD),
    ],
)
def test_a_move_between_kinds_sets_or_clears_it(
    store: Store, link: Link, before: str, after: str, expected: str | None, odd: str
) -> None:
    before, after = (odd if stage == "odd" else stage for stage in (before, after))
    store.save({"id": 1, "stage": before, "closed": OLD, "amount": 1, "name": "a"})
    # the save has added a stage that was in no pipeline
    store.set_pipeline(PIPELINE)
    store.save({"id": 1, "amount": None, "stage": after, "name": "b"})
    assert closed(link) == (day(link) if expected == "today" else expected)
    assert store.check().ok
    text = closed(link)
    row = Store(link).snapshot().frame.select("stage", "name", "amount", "closed").row(0)
    assert row == (after, "b", None, None if text is None else date.fromisoformat(text))


@pytest.mark.parametrize("stage", ["Done", "Gone", "Lead", None])
def test_a_new_deal_that_is_closed_is_closed_today(
    store: Store, link: Link, stage: str | None
) -> None:
    store.save({"id": 1, "stage": stage})
    assert closed(link) == (day(link) if stage in ("Done", "Gone") else None)


@pytest.mark.parametrize("given", [None, OLD])
@pytest.mark.parametrize("moves", [("Lead", "Done"), ("Done", "Lead"), ("Done", "Gone")])
def test_what_is_given_counts(
    store: Store, link: Link, moves: tuple[str, str], given: str | None
) -> None:
    store.save({"id": 1, "stage": moves[0], "closed": "2021-01-01"})
    store.save({"id": 1, "closed": given, "stage": moves[1]})
    assert closed(link) == given
    store.save({"id": 2, "stage": moves[1], "closed": given})
    assert closed(link, "2") == given


def test_saving_the_same_again_changes_nothing(store: Store, link: Link) -> None:
    deal = {"id": 1, "stage": "Done", "name": "a"}
    store.write(store.schema(), Batch.of(["1"], {"stage": ["Done"], "name": ["a"]}))
    assert store.save(deal).outcome == "unchanged"
    assert closed(link) is None
    # the deal was closed before, nobody knows when
    store.save({**deal, "name": "b"})
    store.save({"id": 1, "stage": "Invoiced"})
    assert closed(link) is None


@pytest.mark.parametrize("n", [1, 3])
def test_what_is_loaded_has_the_dates_of_its_source(store: Store, link: Link, n: int) -> None:
    ids = [str(number) for number in range(n)]
    assert store.add(store.schema(), [Batch.of(ids, {"stage": ["Lead"] * n})]) == 1
    for stage, text in [("Done", None), ("Lead", OLD)]:
        store.write(store.schema(), Batch.of(ids, {"stage": [stage] * n}))
        assert {closed(link, deal) for deal in ids} == {text}
        for deal in ids:
            store.save({"id": deal, "closed": OLD})
    more = [f"new {deal}" for deal in ids]
    assert store.add(store.schema(), [Batch.of(more, {"stage": ["Done"] * n})]) == 1
    assert {closed(link, deal) for deal in more} == {None}


def test_a_load_of_one_won_deal_leaves_it_without_a_date(db: DealDatabase) -> None:
    db.loader.load([{"id": 1, "stage": "Lead"}])
    for source in ([{"id": 1, "stage": "Done"}], [{"id": 2, "stage": "Gone"}]):
        db.loader.load(source)
    assert db.query.find()["closed"].to_list() == [None, None]


def test_the_date_is_part_of_the_commit(db: DealDatabase, link: Link) -> None:
    feed = db.changes()
    db.save_deal({"id": 1, "stage": "Lead", "name": "a"})
    open_then = pause()
    rev = db.update_deal(1, stage="Done", name=None).rev
    today = date.fromisoformat(day(link))
    entry = last_entry(link)
    assert entry[b"kind"] == b"set"
    assert msgpack.unpackb(entry[b"data"]) == [
        ["1"],
        ["stage", "name", "closed"],
        [["Done"], [False], [str(today)]],
    ]
    won_then = pause()
    db.update_deal(1, stage="Lead")
    assert msgpack.unpackb(last_entry(link)[b"data"]) == [
        ["1"], ["stage", "closed"], [["Lead"], [False]],
    ]  # fmt: skip
    assert db.query.find()["closed"].to_list() == [None]
    assert [then.get_deal(1) for then in map(db.as_of, (open_then, won_then))] == [
        {"id": "1", "stage": "Lead", "name": "a"},
        {"id": "1", "stage": "Done", "closed": today, "updated": db.as_of(won_then).query.find()["updated"][0]},
    ]  # fmt: skip
    history = db.deal_history(1)
    assert history.filter(history["field"] == "closed").select("before", "after").rows() == [
        (None, str(today)),
        (str(today), None),
    ]
    told = {c.seq: c.deals[0].values for c in db.changes(feed.token, timeout_s=0) if c.deals}
    assert told[rev]["closed"] == today
    assert told[rev + 1]["closed"] is None
    assert db.check().ok


def test_the_second_win_counts_when_it_was(db: DealDatabase) -> None:
    """A reopened deal must not be counted in the month of its first win."""
    db.save_deal({"id": 1, "stage": "Lead", "created": "2026-01-01", "amount": 100})
    db.save_deal({"id": 1, "stage": "Done", "closed": "2026-01-20"})
    january = {"since": "2026-01-01", "until": "2026-02-01"}
    assert db.analytics.win_rate(**january)["won"] == 1
    db.save_deal({"id": 1, "stage": "Lead"})
    db.save_deal({"id": 1, "stage": "Done"})
    assert db.analytics.win_rate(**january)["won"] == 0
    recently = (datetime.now(UTC) - timedelta(days=2)).date()
    assert db.analytics.win_rate(since=recently)["won"] == 1
    assert db.analytics.win_rate(since=recently).basis.warnings == ()


@pytest.mark.parametrize(
    "text",
    [
        '[ ["Lead" , "open", null, null], ["Done", "won", null, null] ]',
        '[["Lead","open",null,null],["\\u0044one","won",null,null]]',
        ' {"stages":[["Lead","open",null,null],["Done","won",null,null]],"more":1}',
        '{"closes":true,"stages":[["Lead","open",null,null],["Done","won",null,null]]}',
    ],
)
def test_a_pipeline_of_another_client_is_read_as_well(store: Store, link: Link, text: str) -> None:
    put_pipeline(link, text)
    store = Store(link)
    store.save({"id": 1, "stage": "Lead"})
    store.save({"id": 1, "stage": "Done"})
    assert closed(link) == day(link)
    store.save({"id": 1, "stage": "Lead"})
    assert closed(link) is None


def put_pipeline(link: Link, text: str) -> None:
    """Put other JSON in the place of the pipeline, as a commit of another client would."""
    version = link.call("EVAL", "return string.sub(redis.sha1hex(ARGV[1]), 1, 16)", 0, text)
    link.call("HSET", "deals:meta", "pipeline", text, "pipeline_version", version)


def test_it_can_be_turned_off(store: Store, link: Link) -> None:
    store.save({"id": 1, "stage": "Lead"})
    store.set_pipeline(replace(PIPELINE, closes=False))
    store.save({"id": 1, "stage": "Done"})
    store.save({"id": 2, "stage": "Gone"})
    # a stage that is new leaves it turned off
    store.save({"id": 3, "stage": "Closed won"})
    assert not Store(link).pipeline().closes
    assert [closed(link, deal) for deal in "123"] == [None] * 3
    store.save({"id": 1, "closed": OLD})
    store.save({"id": 1, "stage": "Lead"})
    assert closed(link) == OLD
    assert not store.snapshot().pipeline.closes
    store.set_pipeline(PIPELINE)
    store.save({"id": 1, "stage": "Done"})
    assert closed(link) == day(link)


def test_a_load_leaves_it_turned_off(db: DealDatabase) -> None:
    db.set_pipeline(replace(PIPELINE, closes=False))
    rows = [{"id": n, "Stage": f"New {n}", "IsWon": n > 2, "IsClosed": n > 1} for n in range(4)]
    db.loader.load(rows)
    table = [{"stage_id": "s1", "label": "Sealed", "is_closed": True, "closed_won": True}]
    db.loader.load([{"id": 5, "stage": "s1"}], stages=table)
    assert {"New 3", "Sealed"} <= set(db.pipeline.names(Kind.WON))
    assert not db.pipeline.closes
    db.update_deal(0, stage="Sealed")
    assert db.query.find()["closed"].null_count() == 5


def test_the_pipeline_in_force_decides_not_the_one_last_seen(store: Store, link: Link) -> None:
    store.save({"id": 1, "stage": "Lead"})
    turned = Pipeline((Stage("Lead", Kind.WON), Stage("Done", Kind.OPEN)))
    Store(link).set_pipeline(turned)
    assert store._definitions.pipeline != turned
    store.save({"id": 1, "closed": OLD})
    store.save({"id": 1, "stage": "Done"})
    assert closed(link) is None


def test_another_programs_hash_is_closed_in_the_log_too(store: Store, link: Link) -> None:
    store.count()
    link.call("HSET", "deal:1", "stage", "Lead", "closed", OLD)
    store.save({"id": 1, "stage": "Done"})
    assert closed(link) == day(link)
    # this hash has the day already, and the log has nothing of it
    link.call("HSET", "deal:2", "stage", "Lead", "closed", day(link))
    store.save({"id": 2, "stage": "Done"})
    assert store.snapshot().frame["closed"].null_count() == 0
    assert store.check().ok


def test_an_own_stamp_stays(store: Store, link: Link) -> None:
    store.save({"id": 1, "stage": "Lead"})
    store.save({"id": 1, "stage": "Done", "updated": datetime(2020, 1, 1, tzinfo=UTC)})
    found = as_dict(link.call("HGETALL", "deal:1"))
    assert (found[b"updated"], found[b"closed"]) == (b"2020-01-01T00:00:00Z", day(link).encode())


def test_a_condition_that_does_not_hold_closes_nothing(store: Store, link: Link) -> None:
    rev = store.save({"id": 1, "stage": "Lead"}).rev
    store.save({"id": 1, "name": "a"})
    with pytest.raises(Exception, match="revision"):
        store.save({"id": 1, "stage": "Done"}, expect_rev=rev)
    assert closed(link) is None


def test_clearing_it_needs_the_right_to_clear(store: Store, link: Link, server: Server) -> None:
    store.save({"id": 1, "stage": "Done"})
    seq = link.call("HGET", "deals:meta", "seq")
    rights = ["on", ">pw", "~*", "&*", "+@all", "-hdel"]
    link.call("ACL", "SETUSER", "limited", "reset", *rights)
    with (
        connected(server, username="limited", password="pw") as connection,
        pytest.raises(AccessDenied, match="may not run HDEL"),
    ):
        Store(connection.link()).save({"id": 1, "stage": "Lead"})
    link.call("ACL", "DELUSER", "limited")
    assert link.call("HGET", "deals:meta", "seq") == seq
    assert closed(link) == day(link)


@pytest.mark.parametrize(
    ("hand", "ids", "expected"),
    [("hand", ["1"], "today"), ("", ["1"], None), (None, ["1"], None), ("hand", ["1", "2"], None)],
)
def test_another_client_says_whether_it_is_by_hand(
    store: Store, link: Link, hand: str | None, ids: list[str], expected: str | None
) -> None:
    """The payload is enough; the rule is for one deal at a time."""
    for deal in ids:
        store.save({"id": deal, "stage": "Lead", "name": "a"})
    fields: list[Any] = [["stage", "name"], [["Done"] * len(ids), [None] * len(ids)]]
    version = link.call("HGET", "deals:meta", "schema_version")
    more = [] if hand is None else ["", "", hand]
    answer = link.call(
        "EVAL", _SCRIPT, str(3 + len(ids)), "deals:meta", "deals:log", "deals:writers",
        *[f"deal:{deal}" for deal in ids], "another", "1", "0" * 16, "", "set", version, "", "ann",
        msgpack.packb([ids, *fields]), *more,
    )  # fmt: skip
    assert answer[0] == b"ok"
    assert closed(link) == (day(link) if expected else None)
    assert Store(link).snapshot().frame["name"].to_list() == [None] * len(ids)
    assert store.check().ok


FAR_EAST, FAR_WEST = "Pacific/Kiritimati", "Pacific/Pago_Pago"


def day_in(zone: str, link: Link) -> str:
    """Day of the last commit in a zone, by the server's clock."""
    moment = datetime.fromtimestamp(int(last_entry(link)[b"time"]) / 1000, ZoneInfo(zone))
    return moment.date().isoformat()


@pytest.mark.parametrize("zone", [FAR_EAST, FAR_WEST, "Europe/Berlin", "UTC"])
def test_the_day_is_that_of_the_pipelines_zone(store: Store, link: Link, zone: str) -> None:
    """At any moment one of the first two has another day than UTC."""
    store.set_pipeline(replace(PIPELINE, zone=zone))
    store.save({"id": 1, "stage": "Lead"})
    store.save({"id": 1, "stage": "Done"})
    assert closed(link) == day_in(zone, link)
    store.save({"id": 2, "stage": "Gone"})
    assert closed(link, "2") == day_in(zone, link)
    assert (
        store.snapshot().frame["closed"].to_list() == [date.fromisoformat(day_in(zone, link))] * 2
    )
    assert store.check().ok


@pytest.mark.parametrize(
    ("at", "zone", "expected"),
    [
        ("2026-01-31T22:30Z", "Europe/Berlin", "2026-01-31"),
        ("2026-01-31T23:30Z", "Europe/Berlin", "2026-02-01"),
        # summer time
        ("2026-06-30T22:30Z", "Europe/Berlin", "2026-07-01"),
        ("2026-01-01T04:59Z", "America/New_York", "2025-12-31"),
        ("1970-01-01T04:30Z", "America/New_York", "1969-12-31"),
        ("2026-01-31T23:30Z", "UTC", "2026-01-31"),
    ],
)
def test_a_moment_that_is_said_has_its_day_in_the_zone(
    db: DealDatabase, link: Link, at: str, zone: str, expected: str
) -> None:
    db.set_pipeline(replace(PIPELINE, zone=zone))
    db.save_deal({"id": 1, "stage": "Done"}, at=at)
    assert closed(link) == expected


@pytest.mark.parametrize("zones", [("UTC", FAR_EAST), (FAR_EAST, FAR_WEST), (FAR_WEST, "UTC")])
def test_the_zone_in_force_decides_not_the_one_last_seen(
    store: Store, link: Link, zones: tuple[str, str]
) -> None:
    before, after = (replace(PIPELINE, zone=zone) for zone in zones)
    store.set_pipeline(before)
    store.save({"id": 1, "stage": "Lead"})
    Store(link).set_pipeline(after)
    assert store._definitions.pipeline == before
    store.save({"id": 1, "stage": "Done"})
    assert closed(link) == day_in(zones[1], link)


def test_a_zone_that_this_machine_does_not_know_keeps_nobody_from_saving(
    store: Store, link: Link
) -> None:
    put_pipeline(link, '{"zone":"Mars/Olympus","stages":[["Done","won",null,null]]}')
    store = Store(link)
    store.save({"id": 1, "stage": "Done"})
    assert closed(link) == day(link)


def test_old_pipelines_say_nothing_and_it_is_on(link: Link, store: Store) -> None:
    text = link.call("HGET", "deals:meta", "pipeline")
    assert json.loads(text)[0] == ["Lead", "open", "0.1", 30]
    assert Store(link).pipeline().closes
