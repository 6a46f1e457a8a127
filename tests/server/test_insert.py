"""New deals in bulk: a transaction that leaves exactly what the commit script would have left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from connected import connected
from dealdb import DealDatabase
from dealdb.connection import Link, RedisConnection, round_trips
from dealdb.errors import ServerUnavailable, StoreDamaged, StoreError
from dealdb.schema import Schema
from dealdb.store import Store
from dealdb.store.batch import Batch
from dealdb.store.hashes import as_dict
from lossy import LateTransaction
from servers import Server

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
    """A link that does something between the look and the writes, or after them."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self.settings = link.settings
        self.between: Callable[[], None] = lambda: None
        self.after: Callable[[], None] = lambda: None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._link, name)

    def transact(
        self,
        watched: Any,
        look: Any,
        writes: Callable[[Any], Any],
        meanwhile: Any = None,
        **options: Any,
    ) -> Any:
        def spied(found: Any) -> Any:
            decided = writes(found)
            self.between()
            return decided

        replies = self._link.transact(watched, look, spied, meanwhile, **options)
        self.after()
        return replies


def spied_store(link: Link) -> tuple[Store, Spied]:
    spied = Spied(link)
    store = Store(spied)  # type: ignore[arg-type]
    store.save({"id": "first", "stage": "Lead"})
    return store, spied


def test_the_same_as_by_the_script(link: Link, store: Store) -> None:
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


def test_whoever_commits_between_look_and_writes_goes_first(link: Link) -> None:
    store, spied = spied_store(link)
    schema = store.schema()
    other = Store(link)

    def meddle() -> None:
        other.save({"id": "5", "name": "theirs"})

    spied.between = meddle
    written = store.write(schema, batch())
    assert (written.inserted, written.updated) == (N - 1, 1)
    assert kinds(link)[-2:] == [b"set", b"set"]
    assert store.snapshot().frame.equals(Store(link).snapshot().frame)
    assert not store.check().differences
    # by now the writer knows where the collection stands
    spied.between = lambda: None
    assert store.write(schema, batch(100)).inserted == N
    assert kinds(link)[-1] == b"add"


def test_commands_made_for_the_batch_before_are_not_sent_where_somebody_came_between(
    link: Link,
) -> None:
    store, _ = spied_store(link)
    schema = store.schema()
    whole = batch(0, 3 * N)
    store.prepare(whole)
    first, second, third = whole.batches(N)
    assert store.write(schema, first).inserted == N
    # takes a row and a number that the commands of the second batch were made with
    Store(link).save({"id": "theirs"})
    assert store.write(schema, second).inserted == N
    assert store.write(schema, third).inserted == N
    assert kinds(link)[-4:] == [b"add", b"set", b"set", b"add"]
    assert not store.check().differences
    rows = [int(link.call("HGET", f"deal:{n}", "_row")) for n in range(3 * N)]
    assert len(set(rows)) == 3 * N


def row_of_three(store: Store) -> list[Batch]:
    whole = batch(0, 3 * N)
    store.prepare(whole)
    return list(whole.batches(N))


def test_batches_in_a_row_take_one_trip_each(link: Link) -> None:
    store, _ = spied_store(link)
    schema = store.schema()
    store.count()
    trips = []
    with store.in_a_row():
        for each in row_of_three(store):
            before = round_trips()
            assert store.write(schema, each).inserted == N
            trips.append(round_trips() - before)
    assert trips == [2, 1, 1]
    assert kinds(link)[-3:] == [b"add"] * 3
    assert not store.check().differences


def test_whoever_comes_into_a_row_goes_first(link: Link) -> None:
    store, _ = spied_store(link)
    schema = store.schema()
    with store.in_a_row():
        first, second, third = row_of_three(store)
        assert store.write(schema, first).inserted == N
        # after the look at the second batch's deals, which has been sent with the first
        Store(link).save({"id": str(N + 3), "name": "theirs"})
        written = store.write(schema, second)
        assert (written.inserted, written.updated) == (N - 1, 1)
        assert store.write(schema, third).inserted == N
    assert kinds(link)[-4:] == [b"add", b"set", b"set", b"add"]
    assert not store.check().differences


def test_a_row_goes_on_over_a_cut_link(server: Server) -> None:
    with connected(server) as connection:
        link = connection.link()
        store, _ = spied_store(link)
        schema = store.schema()
        with store.in_a_row(), server.client() as client:
            for each in row_of_three(store):
                assert store.write(schema, each).inserted == N
                client.client_kill_filter(_type="normal", skipme=True)
        assert not store.check().differences


@pytest.mark.parametrize("size", [1, 2])
def test_a_row_that_ends_early_leaves_no_transaction_open(server: Server, size: int) -> None:
    with connected(server, max_connections=size) as connection:
        link = connection.link()
        store, _ = spied_store(link)
        schema = store.schema()
        with suppress(KeyboardInterrupt), store.in_a_row():
            for each in row_of_three(store):
                assert store.write(schema, each).inserted == N
                # another connection, if there is one
                assert link.call("ECHO", "here") == b"here"
                raise KeyboardInterrupt
        assert connection.pool_stats().in_use == 0
        assert [link.call("ECHO", "there") for _ in range(4)] == [b"there"] * 4
        assert store.write(schema, batch(100)).inserted == N


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
        spied.between = lambda: None
        raise ServerUnavailable("the link broke", sent=True)

    spied.between = lose
    assert store.write(store.schema(), batch()).inserted == N
    assert not store.check().differences


def test_late_transaction_is_refused_once_its_place_is_taken(link: Link) -> None:
    store, spied = spied_store(link)
    late: list[LateTransaction] = []
    transact = link.transact

    def delayed(
        watched: Any,
        look: Any,
        writes: Callable[[Any], Any],
        meanwhile: Any,
        **options: Any,  # as of the link
    ) -> Any:
        held = LateTransaction(link, watched, look, 0)
        held.commands, held.count = writes(held.found)
        late.append(held)
        raise KeyboardInterrupt

    spied.transact = delayed  # type: ignore[assignment,method-assign]
    with pytest.raises(KeyboardInterrupt):
        store.write(store.schema(), batch())
    spied.transact = transact  # type: ignore[assignment,method-assign]
    # a void takes the place, and an unchanged save writes nothing else
    assert store.save({"id": "first", "stage": "Lead"}).outcome == "unchanged"
    [held] = late
    assert held.replies() is None
    assert store.count() == 1
    assert not link.call("EXISTS", "deal:0")


def test_interrupted_transaction_that_was_carried_out_counts(link: Link) -> None:
    store, spied = spied_store(link)

    def interrupt() -> None:
        spied.after = lambda: None
        raise KeyboardInterrupt

    spied.after = interrupt
    with pytest.raises(KeyboardInterrupt):
        store.write(store.schema(), batch())
    assert store.write(store.schema(), batch()).unchanged == N
    assert store.count() == N + 1


def test_hashes_of_other_programs_are_for_the_script(link: Link, store: Store) -> None:
    link.call("HSET", "deal:3", "name", "theirs", "color", "red")
    assert store.write(store.schema(), batch()).inserted == N
    assert kinds(link)[-1] == b"set"
    link.call("SET", "deal:103", "no hash")
    before = len(kinds(link))
    with pytest.raises(StoreError, match="WRONGTYPE"):
        store.write(store.schema(), batch(100))
    assert len(kinds(link)) == before
    assert not link.call("EXISTS", "deal:100")


def test_log_that_another_program_appends_to_is_told(link: Link, store: Store) -> None:
    link.call("XADD", "deals:log", "9999-0", "some", "thing")
    with pytest.raises(StoreError):
        store.write(store.schema(), batch())
    assert not link.call("EXISTS", "deal:0")
    link.call("XDEL", "deals:log", "9999-0")
    # nothing shows now that the log takes no smaller number any more
    with pytest.raises(StoreDamaged, match=r"deals:log.*repair\(\) adopts"):
        store.write(store.schema(), batch())


@pytest.mark.parametrize("lacking", ["-multi", "-exec", "-watch", "-time"])
def test_without_the_right_to_transactions_the_script_does_it(
    link: Link, server: Server, lacking: str
) -> None:
    link.call("ACL", "SETUSER", "limited", "reset", "on", ">pw", "~*", "+@all", lacking)
    with DealDatabase.from_url(f"redis://limited:pw@127.0.0.1:{server.port}/0") as db:
        if lacking == "-time":
            # the script needs it too
            with pytest.raises(StoreError):
                db.save_deal({"id": "first", "stage": "Lead"})
        else:
            db.save_deal({"id": "first", "stage": "Lead"})
            assert db._store.write(db._store.schema(), batch()).inserted == N
            assert kinds(link)[-1] == b"set"
            assert not db.check().differences
    link.call("ACL", "DELUSER", "limited")


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
        spied.between = lambda: None
        link.call("FLUSHDB")

    spied.between = reset
    assert store.write(schema, batch()).inserted == N
    assert store.count() == N
    assert not store.check().differences
