"""New deals in bulk: a commit that leaves exactly what saving them one by one would have left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from dealdb.connection import Link, RedisConnection, round_trips
from dealdb.errors import OutcomeUnknown, ServerUnavailable, StoreError
from dealdb.schema import Schema
from dealdb.store import Store
from dealdb.store.batch import Batch
from dealdb.store.hashes import as_dict
from lossy import FaultyLink, Network, is_commit
from servers import Server
from store_model import parts_of

N = 40


@pytest.fixture
def link(server: Server) -> Iterator[Link]:
    connection = RedisConnection()
    connection.connect(unix_socket=server.socket, retry_deadline_s=0.3)
    yield connection.link()
    connection.close()


@pytest.fixture
def store(link: Link) -> Store:
    """A store whose writer is known to the server."""
    store = Store(link)
    store.save({"id": "first", "stage": "Lead"})
    return store


def batch(first: int = 0, n: int = N, **columns: str | None) -> Batch:
    ids = [str(number) for number in range(first, first + n)]
    names = [
        None if number % 3 == 0 else f"Deal №{number}\r\n" for number in range(first, first + n)
    ]
    more = {name: [text] * n for name, text in columns.items()}
    return Batch.of(ids, {"name": names, "stage": ["Lead"] * n, **more})


def kinds(link: Link) -> list[bytes]:
    return [fields[11] for _, fields in link.call("XRANGE", "deals:log", "-", "+")]


class Spied:
    """A link that does something before a commit of new deals is sent, or after the server has answered."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self.settings = link.settings
        self.before: Callable[[], None] = lambda: None
        self.after: Callable[[], None] = lambda: None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._link, name)

    def call(self, *command: Any, retry: bool = False) -> Any:
        adds = is_commit(command) and parts_of(command)[2] == "add"
        if adds:
            self.before()
        reply = self._link.call(*command, retry=retry)
        if adds:
            self.after()
        return reply


def spied_store(link: Link) -> tuple[Store, Spied]:
    spied = Spied(link)
    store = Store(spied)  # type: ignore[arg-type]
    store.save({"id": "first", "stage": "Lead"})
    return store, spied


def test_the_same_as_one_by_one(link: Link, store: Store) -> None:
    other = Store(link, "other")
    other.save({"id": "first", "stage": "Lead"})
    given = batch(note=None)
    one_by_one = [Batch(given.frame[place]) for place in range(N)]
    schema = store.declare([*Schema.standard().fields])
    other.declare([*Schema.standard().fields])
    given = batch()
    assert store.write(schema, given).inserted == N
    for single in one_by_one:
        other.write(other.schema(), Batch(single.frame.drop("note")))
    assert kinds(link)[-1] == b"add"
    for deal_id in given.ids:
        ours = as_dict(link.call("HGETALL", f"deal:{deal_id}"))
        theirs = as_dict(link.call("HGETALL", f"other:{deal_id}"))
        assert ours.pop(b"_rev") == b"%d" % len(kinds(link))
        assert theirs.pop(b"_rev")
        assert ours == theirs
    assert store.snapshot().frame.equals(other.snapshot().frame)
    assert not store.check().differences
    assert store.count() == other.count() == N + 1
    history = store.history("7")
    assert history.select("change", "field", "after").rows() == [
        ("inserted", "name", "Deal №7\r\n"),
        ("inserted", "stage", "Lead"),
    ]


def test_whoever_commits_first_goes_first(link: Link) -> None:
    store, spied = spied_store(link)
    schema = store.schema()
    other = Store(link)

    def meddle() -> None:
        other.save({"id": "5", "name": "theirs"})

    spied.before = meddle
    written = store.write(schema, batch())
    assert (written.inserted, written.updated) == (N - 1, 1)
    assert kinds(link)[-2:] == [b"set", b"set"]
    assert store.snapshot().frame.equals(Store(link).snapshot().frame)
    assert not store.check().differences


def test_new_deals_of_others_in_between_disturb_nobody(link: Link, store: Store) -> None:
    schema = store.schema()
    for first in range(0, 3 * N, N):
        assert store.write(schema, batch(first)).inserted == N
        Store(link).save({"id": f"theirs {first}"})
    assert kinds(link)[-6:] == [b"add", b"set"] * 3
    assert not store.check().differences
    rows = [int(link.call("HGET", f"deal:{n}", "_row")) for n in range(3 * N)]
    assert len(set(rows)) == 3 * N


def test_a_batch_takes_one_trip(link: Link, store: Store) -> None:
    schema = store.schema()
    store.count()
    before = round_trips()
    assert store.write(schema, batch()).inserted == N
    assert round_trips() - before == 1
    # one of them exists: the commit script is asked again, to set them
    assert store.write(schema, batch(N - 1)).inserted == N - 1
    assert round_trips() - before == 3
    # who expects them to exist asks for that at once
    known = batch()
    known.likely_new = False
    assert store.write(schema, known).unchanged == N
    assert round_trips() - before == 4


def test_batches_of_all_sizes(link: Link, store: Store) -> None:
    schema = store.schema()
    before = len(kinds(link))
    for n, first in ((15, 0), (16, 100), (2_500, 1_000)):
        assert store.write(schema, batch(first, n)).inserted == n
    assert kinds(link)[before:] == [b"set", b"add", b"add"]
    assert not store.check().differences


@pytest.mark.parametrize("place", [1_000, 1_001, 2_000])
def test_deal_that_is_known_is_found_at_any_place(link: Link, store: Store, place: int) -> None:
    """There are more keys than the script looks for at once."""
    store.save({"id": str(place), "name": "known"})
    written = store.write(store.schema(), batch(1, 2_000))
    assert (written.inserted, written.updated) == (1_999, 1)
    assert kinds(link)[-1] == b"set"
    assert not store.check().differences


def test_deals_that_have_nothing_but_an_id(link: Link, store: Store) -> None:
    schema = store.schema()
    assert store.write(schema, Batch.of([str(n) for n in range(N)], {})).inserted == N
    assert kinds(link)[-1] == b"add"
    assert not store.check().differences
    assert store.count() == N + 1


def test_each_deal_has_its_own_texts_and_no_more(link: Link, store: Store) -> None:
    owners = ["Ann" if number % 2 == 0 else None for number in range(N)]
    given = Batch.of(
        [str(number) for number in range(N)],
        {"owner": owners, "name": [f"Deal {number}" for number in range(N)]},
    )
    assert store.write(store.schema(), given).inserted == N
    assert kinds(link)[-1] == b"add"
    for number, owner in enumerate(owners):
        found = as_dict(link.call("HGETALL", f"deal:{number}"))
        assert found[b"name"] == b"Deal %d" % number
        assert found.get(b"owner") == (owner and owner.encode())
    # the next deal has a row of its own
    store.save({"id": "next", "name": "next"})
    assert int(link.call("HGET", "deal:next", "_row")) == N + 1
    assert store.count() == N + 2
    assert not store.check().differences


def test_lost_reply_is_asked_for_again(link: Link) -> None:
    store, spied = spied_store(link)

    def lose() -> None:
        spied.after = lambda: None
        raise ServerUnavailable("the link broke", sent=True)

    spied.after = lose
    before = len(kinds(link))
    written = store.write(store.schema(), batch())
    assert (written.inserted, written.seq) == (N, before + 1)
    assert len(kinds(link)) == before + 1
    assert store.write(store.schema(), batch(100)).inserted == N


def test_request_that_was_lost_is_sent_again(link: Link) -> None:
    store, spied = spied_store(link)

    def lose() -> None:
        spied.before = lambda: None
        raise ServerUnavailable("the link broke", sent=True)

    spied.before = lose
    assert store.write(store.schema(), batch()).inserted == N
    assert not store.check().differences


def test_late_commit_is_refused_once_its_place_is_taken(link: Link) -> None:
    network = Network()
    store = Store(FaultyLink(link, network))  # type: ignore[arg-type]
    store.save({"id": "first", "stage": "Lead"})
    schema = store.schema()
    faulty = cast("FaultyLink", store.link)
    faulty.plan("delay", give_up=True)
    with pytest.raises(OutcomeUnknown):
        store.write(schema, batch())
    # a void takes the place, and an unchanged save writes nothing else
    assert store.save({"id": "first", "stage": "Lead"}).outcome == "unchanged"
    [held] = network.held
    assert held.arrive(faulty) == b"repeat"
    assert store.count() == 1
    assert not link.call("EXISTS", "deal:0")


def test_late_copy_of_new_deals_that_were_known_takes_no_effect(link: Link) -> None:
    """Somebody else saves the same between the copies; the `set` changes nothing and uses up no counter either."""
    network = Network()
    faulty = FaultyLink(link, network)
    store, spied = spied_store(faulty)  # type: ignore[arg-type]
    schema, other = store.schema(), Store(link)
    faulty.plan("delay")

    def meddle_before_the_second() -> None:
        if network.held:
            spied.before = lambda: None
            other.write(schema, batch())

    spied.before = meddle_before_the_second
    assert store.write(schema, batch()).unchanged == N
    for number in range(N):
        other.delete(str(number))
    [held] = network.held
    assert held.arrive(faulty) == b"repeat"
    assert store.count() == 1
    assert store.save({"id": "last"}).outcome == "inserted"
    assert not store.check().differences


def test_interrupted_commit_that_was_carried_out_counts(link: Link) -> None:
    store, spied = spied_store(link)

    def interrupt() -> None:
        spied.after = lambda: None
        raise KeyboardInterrupt

    spied.after = interrupt
    with pytest.raises(KeyboardInterrupt):
        store.write(store.schema(), batch())
    assert store.write(store.schema(), batch()).unchanged == N
    assert store.count() == N + 1


def test_deals_of_other_programs_are_set(link: Link, store: Store) -> None:
    link.call("HSET", "deal:3", "name", "theirs", "color", "red")
    assert store.write(store.schema(), batch()).inserted == N
    assert kinds(link)[-1] == b"set"
    link.call("SET", "deal:103", "no hash")
    before = len(kinds(link))
    with pytest.raises(StoreError, match="WRONGTYPE"):
        store.write(store.schema(), batch(100))
    assert len(kinds(link)) == before
    assert not link.call("EXISTS", "deal:100")


@pytest.mark.parametrize("removed", [False, True])
def test_log_that_another_program_appends_to_stops_it_before_anything_is_written(
    link: Link, store: Store, removed: bool
) -> None:
    link.call("XADD", "deals:log", "9999-0", "some", "thing")
    if removed:
        # nothing shows now that the log takes no smaller number any more
        link.call("XDEL", "deals:log", "9999-0")
    before = link.call("HGET", "deals:meta", "seq")
    with pytest.raises(StoreError, match="XADD"):
        store.write(store.schema(), batch())
    assert link.call("HGET", "deals:meta", "seq") == before
    assert not link.call("EXISTS", "deal:0")


def test_schema_of_another_process_counts(link: Link, store: Store) -> None:
    schema = store.schema()
    Store(link).save({"id": "other", "color": "red"})
    written = store.write(schema, batch())
    assert written.inserted == N
    assert "color" in store.schema()
    assert store.snapshot().frame.height == N + 2


def test_schema_that_the_writer_itself_has_changed_since_counts(link: Link, store: Store) -> None:
    store.save({"id": "first", "color": "red"})
    schema = store.schema()
    store.drop_field("color")
    assert store.write(schema, batch(color="blue")).inserted == N
    assert "color" in store.schema()
    assert store.snapshot().frame["color"].drop_nulls().to_list() == ["blue"] * N
    assert not store.check().differences


def test_reset_between_is_noticed(link: Link) -> None:
    store, spied = spied_store(link)
    schema = store.schema()

    def reset() -> None:
        spied.before = lambda: None
        link.call("FLUSHDB")

    spied.before = reset
    assert store.write(schema, batch()).inserted == N
    assert store.count() == N
    assert not store.check().differences
