"""New deals in bulk: a commit that leaves exactly what saving them one by one would have left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from dealdb.connection import Link, RedisConnection, round_trips
from dealdb.errors import (
    LoadReset,
    OutcomeUnknown,
    SchemaError,
    ServerRefused,
    ServerUnavailable,
    StoreDamaged,
    StoreError,
)
from dealdb.model.schema import Field, FieldType, Schema
from dealdb.store import Store
from dealdb.store.commit import deal_writer
from dealdb.store.commit.batch import Batch
from dealdb.store.commit.change import Change, Mark, adding
from dealdb.store.hashes import as_dict
from lossy import Fault, FaultyLink, Network, is_commit
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
    assert store.add(schema, [given]) == 1
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
    assert store.add(schema, [batch()]) == 0
    written = store.write(schema, batch())
    assert (written.inserted, written.updated) == (N - 1, 1)
    assert kinds(link)[-2:] == [b"set", b"set"]
    assert store.snapshot().frame.equals(Store(link).snapshot().frame)
    assert not store.check().differences


def test_new_deals_of_others_in_between_disturb_nobody(link: Link, store: Store) -> None:
    schema = store.schema()
    for first in range(0, 3 * N, N):
        assert store.add(schema, [batch(first)]) == 1
        Store(link).save({"id": f"theirs {first}"})
    assert kinds(link)[-6:] == [b"add", b"set"] * 3
    assert not store.check().differences
    rows = [int(link.call("HGET", f"deal:{n}", "_row")) for n in range(3 * N)]
    assert len(set(rows)) == 3 * N


def test_any_number_of_batches_takes_one_trip(link: Link, store: Store) -> None:
    schema = store.schema()
    store.count()
    before = round_trips()
    assert store.add(schema, [batch(first) for first in range(0, 3 * N, N)]) == 3
    assert round_trips() - before == 1
    # it is for who expects no deal to exist to ask for less where one does
    assert store.write(schema, batch()).unchanged == N
    assert round_trips() - before == 2


def test_batches_of_all_sizes(link: Link, store: Store) -> None:
    batches = [batch(first, n) for n, first in ((1, 0), (16, 100), (2_500, 1_000))]
    before = len(kinds(link))
    assert store.add(store.schema(), batches) == 3
    assert kinds(link)[before:] == [b"add"] * 3
    assert not store.check().differences
    assert store.count() == 1 + 1 + 16 + 2_500


@pytest.mark.parametrize("known", [0, 1, 2])
def test_the_first_batch_with_a_deal_that_exists_ends_it(
    link: Link, store: Store, known: int
) -> None:
    batches = [batch(first) for first in range(0, 3 * N, N)]
    store.save({"id": batches[known].ids[-1]})
    before = len(kinds(link))
    assert store.add(store.schema(), batches) == known
    assert kinds(link)[before:] == [b"add"] * known
    assert store.count() == 2 + known * N
    # the counters of those that were not added are free
    assert store.save({"id": "next"}).outcome == "inserted"
    assert not store.check().differences


def test_a_deal_in_two_batches_is_known_to_the_second(store: Store) -> None:
    assert store.add(store.schema(), [batch(), batch(N - 1), batch(3 * N)]) == 1
    assert not store.check().differences


def test_batches_with_fields_of_their_own(link: Link, store: Store) -> None:
    schema = store.declare([Field("note", FieldType.TEXT), Field("memo", FieldType.TEXT)])
    assert store.add(schema, [batch(), batch(N, note="n"), batch(2 * N, memo="m")]) == 3
    frame = store.snapshot().frame
    assert (frame["note"].drop_nulls().len(), frame["memo"].drop_nulls().len()) == (N, N)
    assert not store.check().differences


def test_a_batch_that_names_a_deal_twice_is_refused_before_any_is_sent(store: Store) -> None:
    twice = Batch.of(["a", "a"], {})
    with pytest.raises(SchemaError, match="names each deal once"):
        store.add(store.schema(), [batch(), twice])
    assert store.count() == 1


@pytest.mark.parametrize("place", [1_000, 1_001, 2_000])
def test_deal_that_is_known_is_found_at_any_place(link: Link, store: Store, place: int) -> None:
    """There are more keys than the script looks for at once."""
    store.save({"id": str(place), "name": "known"})
    assert store.add(store.schema(), [batch(1, 2_000)]) == 0
    assert store.count() == 2


def test_deals_that_have_nothing_but_an_id(link: Link, store: Store) -> None:
    schema = store.schema()
    assert store.add(schema, [Batch.of([str(n) for n in range(N)], {})]) == 1
    assert kinds(link)[-1] == b"add"
    assert not store.check().differences
    assert store.count() == N + 1


def test_each_deal_has_its_own_texts_and_no_more(link: Link, store: Store) -> None:
    owners = ["Ann" if number % 2 == 0 else None for number in range(N)]
    given = Batch.of(
        [str(number) for number in range(N)],
        {"owner": owners, "name": [f"Deal {number}" for number in range(N)]},
    )
    assert store.add(store.schema(), [given]) == 1
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
    assert store.add(store.schema(), [batch()]) == 1
    assert len(kinds(link)) == before + 1
    assert store.add(store.schema(), [batch(100)]) == 1
    assert store.count() == 1 + 2 * N


def test_request_that_was_lost_is_sent_again(link: Link) -> None:
    store, spied = spied_store(link)

    def lose() -> None:
        spied.before = lambda: None
        raise ServerUnavailable("the link broke", sent=True)

    spied.before = lose
    assert store.add(store.schema(), [batch()]) == 1
    assert not store.check().differences


def test_late_commit_is_refused_once_its_place_is_taken(link: Link) -> None:
    network = Network()
    store = Store(FaultyLink(link, network))  # type: ignore[arg-type]
    store.save({"id": "first", "stage": "Lead"})
    schema = store.schema()
    faulty = cast("FaultyLink", store.link)
    faulty.plan("delay", give_up=True)
    with pytest.raises(OutcomeUnknown):
        store.add(schema, [batch()])
    # a void takes the place, and an unchanged save writes nothing else
    assert store.save({"id": "first", "stage": "Lead"}).outcome == "unchanged"
    [held] = network.held
    assert held.arrive(faulty) == b"repeat"
    assert store.count() == 1
    assert not link.call("EXISTS", "deal:0")


def test_late_copy_of_new_deals_that_were_known_takes_no_effect(link: Link) -> None:
    """Somebody else saves the same between the copies."""
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
    assert store.add(schema, [batch()]) == 0
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
        store.add(store.schema(), [batch()])
    assert store.write(store.schema(), batch()).unchanged == N
    assert store.count() == N + 1


def test_interrupt_while_a_later_batch_is_made(link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    store, made = Store(link), 0

    def interrupted(version: str, some: Batch, mark: Mark | None) -> Change:
        nonlocal made
        made += 1
        if made == 3:
            # the server may have the first ones by now
            raise KeyboardInterrupt
        return adding(version, some, mark)

    store.save({"id": "first", "name": "one", "stage": "Lead"})
    with monkeypatch.context() as patched:
        patched.setattr(deal_writer, "adding", interrupted)
        with pytest.raises(KeyboardInterrupt):
            store.add(store.schema(), [batch(first) for first in range(0, 4 * N, N)])
    assert made == 3
    # what was sent takes effect before the next commit, or not at all
    assert store.write(store.schema(), batch(3 * N)).inserted == N
    assert store.count() - N - 1 in (0, N, 2 * N)
    assert not store.check().differences


def test_deals_of_other_programs_are_set(link: Link, store: Store) -> None:
    link.call("HSET", "deal:3", "name", "theirs", "color", "red")
    assert store.add(store.schema(), [batch()]) == 0
    assert store.write(store.schema(), batch()).inserted == N
    link.call("SET", "deal:103", "no hash")
    before = len(kinds(link))
    assert store.add(store.schema(), [batch(100)]) == 0
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
    with pytest.raises(StoreDamaged, match="entries that its state does not know"):
        store.add(store.schema(), [batch(), batch(100)])
    assert link.call("HGET", "deals:meta", "seq") == before
    assert not link.call("EXISTS", "deal:0")


def test_schema_of_another_process_counts(link: Link, store: Store) -> None:
    schema = store.schema()
    Store(link).save({"id": "other", "color": "red"})
    assert store.add(schema, [batch(), batch(100)]) == 2
    assert "color" in store.schema()
    assert store.snapshot().frame.height == 2 * N + 2


def test_schema_that_the_writer_itself_has_changed_since_counts(link: Link, store: Store) -> None:
    store.save({"id": "first", "color": "red"})
    schema = store.schema()
    store.reshape().drop("color")
    assert store.add(schema, [batch(color="blue")]) == 1
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
    assert store.add(schema, [batch()]) == 1
    assert store.count() == N
    assert not store.check().differences


# several batches, of which the server gets a part ---------------------------------------------------


def faulty_store(link: Link) -> tuple[Store, FaultyLink]:
    store = Store(FaultyLink(link, Network()))  # type: ignore[arg-type]
    store.save({"id": "first", "stage": "Lead"})
    return store, cast("FaultyLink", store.link)


def three() -> list[Batch]:
    return [batch(first) for first in range(0, 3 * N, N)]


@pytest.mark.parametrize("cut", [0, 1, 2])
@pytest.mark.parametrize("fault", ["request", "reply", "delay", "double"])
def test_batches_that_are_sent_again_are_added_once(link: Link, fault: Fault, cut: int) -> None:
    store, faulty = faulty_store(link)
    schema = store.schema()
    before = len(kinds(link))
    faulty.plan(fault, cut=cut)
    assert store.add(schema, three()) == 3
    assert kinds(link)[before:] == [b"add"] * 3
    for held in faulty.network.held:
        assert held.arrive(faulty) in (b"repeat", b"clash")
    assert store.save({"id": "next"}).outcome == "inserted"
    for held in faulty.network.held:
        assert held.arrive(faulty) in (b"repeat", b"clash")
    assert store.count() == 2 + 3 * N
    assert not store.check().differences


@pytest.mark.parametrize("cut", [0, 1, 2])
@pytest.mark.parametrize("asks", [False, True])
def test_what_was_given_up_never_happens_later(link: Link, cut: int, *, asks: bool) -> None:
    store, faulty = faulty_store(link)
    schema = store.schema()
    faulty.plan("delay", cut=cut, give_up=True)
    with pytest.raises(OutcomeUnknown) as caught:
        store.add(schema, three())
    faulty.plan(None)
    if asks:
        assert caught.value.resolve() is False
    assert store.save({"id": "next"}).outcome == "inserted"
    assert caught.value.resolve() is False
    for held in faulty.network.held:
        assert held.arrive(faulty) in (b"repeat", b"clash", b"gap")
    assert store.count() == 2 + cut * N
    # what is left can be added by the same writer
    assert store.add(schema, three()[cut:]) == 3 - cut
    assert not store.check().differences


def test_what_was_given_up_and_had_happened_is_known_to_have(link: Link) -> None:
    store, faulty = faulty_store(link)
    schema = store.schema()
    faulty.plan("reply", give_up=True)
    with pytest.raises(OutcomeUnknown) as caught:
        store.add(schema, three())
    faulty.plan(None)
    assert caught.value.resolve() is True
    assert store.save({"id": "next"}).outcome == "inserted"
    assert store.count() == 2 + 3 * N


@pytest.mark.parametrize("known", [0, 1, 2])
@pytest.mark.parametrize("arrive", [False, True])
def test_late_copies_behind_a_batch_that_was_known_take_no_effect(
    link: Link, known: int, *, arrive: bool
) -> None:
    """Somebody saves a deal of one of the batches between the copies, and deletes it before the first ones arrive."""
    store, faulty = faulty_store(link)
    schema, other = store.schema(), Store(link)
    batches = three()
    meddled = batches[known].ids[0]
    send, sent = faulty._send, list[int]()

    def meddle(commands: Any) -> Any:
        sent.append(len(commands))
        if len(sent) == 2:
            other.save({"id": meddled})
        answer = send(commands)
        if len(sent) == 2 and arrive:
            # before the void does
            other.delete(meddled)
            for held in faulty.network.held[known:]:
                assert held.arrive(faulty) == b"ok"
        return answer

    faulty._send = meddle  # type: ignore[method-assign]
    faulty.plan("delay")
    assert store.add(schema, batches) == (3 if arrive else known)
    # the copies, if they arrive, and the void
    assert sent == [3, 3, *[1] * (4 - known if arrive else 1)]
    if not arrive:
        other.delete(meddled)
    for held in faulty.network.held:
        assert held.arrive(faulty) in (b"repeat", b"clash", b"gap")
    assert store.count() == 1 + (3 if arrive else known) * N
    assert store.save({"id": "next"}).outcome == "inserted"
    assert not store.check().differences


def test_commits_that_the_server_refuses_in_the_middle(link: Link) -> None:
    """Those before are in, those behind are not, and the writer goes on."""
    store, faulty = faulty_store(link)
    schema = store.schema()
    send = faulty._send

    def refuse(commands: Any) -> Any:
        if len(commands) == 1:
            return send(commands)
        send(commands[:2])
        raise ServerRefused("out of memory", reply="OOM")

    faulty._send = refuse  # type: ignore[method-assign]
    with pytest.raises(ServerRefused):
        store.add(schema, three())
    assert store.count() == 1 + 2 * N
    # their counters are not used again
    assert store.add(schema, [batch(1_000)]) == 1
    assert store.count() == 1 + 3 * N
    assert not store.check().differences


def test_a_script_that_the_server_has_forgotten_is_sent_again(link: Link, store: Store) -> None:
    schema = store.schema()
    link.call("SCRIPT", "FLUSH")
    assert store.add(schema, three()) == 3
    assert store.count() == 1 + 3 * N


def test_a_reset_between_batches_is_noticed(link: Link) -> None:
    store, faulty = faulty_store(link)
    schema = store.schema()
    arrive, n_arrived = faulty._arrive, 0

    def reset(command: Any) -> Any:
        nonlocal n_arrived
        n_arrived += 1
        if n_arrived == 2:
            link.call("FLUSHDB")
        return arrive(command)

    faulty._arrive = reset  # type: ignore[method-assign]
    assert store.add(schema, three()) == 3
    # the first one was acknowledged, and is gone with the rest
    assert store.count() == 2 * N
    assert not store.check().differences
    store.depend()
    n_arrived = 0
    with pytest.raises(LoadReset):
        store.add(schema, [batch(1_000), batch(2_000)])


def test_who_was_replaced_adds_nothing_more(link: Link) -> None:
    """A load goes on elsewhere: of what its first process has sent, nothing takes effect from then on."""
    store, faulty = faulty_store(link)
    schema = store.schema()
    store.depend()
    marks = [Mark("load", f'{{"n": {n}}}') for n in range(3)]
    send = faulty._send
    found = list[Any]()

    def replaced_in_the_middle(commands: Any) -> Any:
        if len(commands) < 3:
            return send(commands)
        send(commands[:1])
        found.append(Store(link).take_over("load"))
        return [[b"ok", b"1"], *send(commands[1:])]

    faulty._send = replaced_in_the_middle  # type: ignore[method-assign]
    with pytest.raises(StoreError, match="another process has resumed this load"):
        store.add(schema, three(), marks)
    assert (found[0].note, found[0].written.inserted) == ('{"n": 0}', N)
    with pytest.raises(StoreError, match="another process has resumed this load"):
        store.add(schema, [batch(1_000)])
    assert Store(link).take_over("load") == found[0]
    assert store.count() == 1 + N


def test_a_reset_behind_what_was_given_up_is_noticed(link: Link) -> None:
    store, faulty = faulty_store(link)
    schema = store.schema()
    store.depend()
    faulty.plan("request", give_up=True)
    with pytest.raises(OutcomeUnknown):
        store.add(schema, three())
    faulty.plan(None)
    link.call("FLUSHDB")
    with pytest.raises(LoadReset):
        store.add(schema, three())


def test_a_reset_behind_a_batch_that_was_known_is_noticed(link: Link) -> None:
    """The server acknowledges a batch, refuses the next, and loses both before the void behind them arrives."""
    other = Store(link)
    other.save({"id": "first", "stage": "Lead"})
    store = Store(FaultyLink(link, Network()))  # type: ignore[arg-type]
    faulty, schema, batches = cast("FaultyLink", store.link), store.schema(), three()
    send, sent = faulty._send, list[int]()

    def meddle(commands: Any) -> Any:
        sent.append(len(commands))
        if len(sent) == 2:
            other.save({"id": batches[1].ids[0]})
        answer = send(commands)
        if len(sent) == 2:
            link.call("FLUSHDB")
        return answer

    faulty._send = meddle  # type: ignore[method-assign]
    faulty.plan("request")
    store.depend()
    with pytest.raises(LoadReset):
        store.add(schema, batches)
    assert sent == [3, 3, 1]
