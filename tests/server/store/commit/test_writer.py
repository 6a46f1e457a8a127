"""Commits happen exactly once, whatever is lost on the way."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from dealdb.connection import Link, RedisConnection
from dealdb.errors import (
    AccessDenied,
    OutcomeUnknown,
    ServerRefused,
    ServerUnavailable,
    StoreDamaged,
    StoreError,
)
from dealdb.model.schema import Field, FieldType
from dealdb.store import Store
from dealdb.store.commit.batch import Batch
from servers import Server


@pytest.fixture
def link(server: Server) -> Iterator[Link]:
    connection = RedisConnection()
    connection.connect(unix_socket=server.socket, retry_deadline_s=0.3)
    yield connection.link()
    connection.close()


class LossyLink:
    """
    A link that loses the next replies: the command is carried out, and the caller sees a broken link.

    Here other commands run exactly between a commit and its repeat, where no proxy can be stopped. The same faults over
    real links, and what a real link says of them, are in ``faults/test_commits.py``.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self.settings = link.settings
        self.denied = link.denied
        self.lose: Callable[[tuple[Any, ...]], bool] = lambda command: False

    def each_node(self) -> list[LossyLink]:
        return [self]

    def whereabouts(self) -> object:
        return self._link.whereabouts()

    def call(self, *command: Any, retry: bool = False) -> Any:
        reply = self._link.call(*command, retry=retry)
        if str(command[0]).startswith("EVAL") and self.lose(command):
            raise ServerUnavailable("the link broke", sent=True)
        return reply

    def calls(self, commands: Any, *, retry: bool = False) -> Any:
        return self._link.calls(commands, retry=retry)


def lossy_store(link: Link) -> tuple[Store, LossyLink]:
    lossy = LossyLink(link)
    return Store(lossy), lossy  # type: ignore[arg-type]


def log_length(link: Link) -> int:
    return int(link.call("XLEN", "deals:log"))


def times(n: int) -> Callable[[tuple[Any, ...]], bool]:
    left = iter(range(n))
    return lambda command: next(left, None) is not None


def test_lost_reply_is_asked_for_again(link: Link) -> None:
    store, lossy = lossy_store(link)
    store.save({"id": 1, "name": "first"})
    before = log_length(link)
    lossy.lose = times(2)
    result = store.save({"id": 1, "name": "second"})
    assert (result.outcome, log_length(link)) == ("updated", before + 1)
    assert result.rev == before + 1


def test_unresolved_commit_is_reported_and_happened_once(link: Link) -> None:
    store, lossy = lossy_store(link)
    store.save({"id": 1, "name": "first"})
    before = log_length(link)
    lossy.lose = lambda command: True
    with pytest.raises(OutcomeUnknown, match="once or not at all") as caught:
        store.save({"id": 1, "name": "second"})
    assert log_length(link) == before + 1
    with pytest.raises(ServerUnavailable):
        caught.value.resolve()
    lossy.lose = lambda command: False
    assert caught.value.resolve() is True
    assert caught.value.resolve() is True
    assert store.save({"id": 1, "name": "third"}).outcome == "updated"


def test_commit_in_flight_takes_no_effect_after_a_later_one(link: Link) -> None:
    """A save given up as unknown is delayed on its way and arrives after the next save of the same thread."""
    held: list[tuple[Any, ...]] = []
    deliver = link.call

    class HoldingLink(LossyLink):
        def call(self, *command: Any, retry: bool = False) -> Any:
            if str(command[0]).startswith("EVAL") and "delayed" in str(command[-1]):
                held.append(command)
                raise ServerUnavailable("the link broke", sent=True)
            return deliver(*command, retry=retry)

    store = Store(HoldingLink(link))  # type: ignore[arg-type]
    store.save({"id": 1, "name": "known"})
    with pytest.raises(OutcomeUnknown) as caught:
        store.save({"id": 1, "name": "delayed"})
    store.save({"id": 1, "name": "later"})
    assert caught.value.resolve() is False
    assert deliver(*held[0])[0] in (b"repeat", b"gap")
    deal = store.get_many(["1"])[0]
    assert deal is not None
    assert deal["name"] == "later"


def test_interrupted_commit_is_settled_before_the_next(link: Link) -> None:
    store, lossy = lossy_store(link)
    store.save({"id": 1, "name": "first"})

    def interrupt(command: tuple[Any, ...]) -> bool:
        lossy.lose = lambda command: False
        raise KeyboardInterrupt

    lossy.lose = interrupt
    with pytest.raises(KeyboardInterrupt):
        store.save({"id": 1, "name": "interrupted"})
    before = log_length(link)
    assert store.save({"id": 1, "name": "next"}).outcome == "updated"
    assert log_length(link) == before + 1


def test_writer_that_the_server_forgot_starts_anew(link: Link) -> None:
    store = Store(link)
    store.save({"id": 1, "name": "a"})
    link.call("FLUSHDB")
    assert store.save({"id": 1, "name": "a"}).outcome == "inserted"
    assert store.save({"id": 1, "name": "b"}).outcome == "updated"


def test_threads_are_writers_of_their_own(link: Link) -> None:
    store = Store(link)
    store.save({"id": "x"})
    together = threading.Barrier(8)

    def save(n: int) -> None:
        together.wait()
        for i in range(20):
            store.save({"id": f"{n}-{i}", "name": "same"})
        together.wait()

    threads = [threading.Thread(target=save, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.count() == 161
    assert link.call("HLEN", "deals:writers") == 9


def test_threads_that_come_and_go_leave_no_records_behind(link: Link) -> None:
    store = Store(link)
    store.save({"id": "x"})
    for n in range(50):
        thread = threading.Thread(target=store.save, args=({"id": n},))
        thread.start()
        thread.join()
    assert store.count() == 51
    assert link.call("HLEN", "deals:writers") == 2


def test_forked_child_is_a_writer_of_its_own(link: Link) -> None:
    store = Store(link)
    store.save({"id": 1, "name": "parent"})
    child = os.fork()
    if child == 0:
        status = 1
        try:
            store.save({"id": 2, "name": "child"})
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert store.save({"id": 3, "name": "parent again"}).outcome == "inserted"
    assert store.count() == 3
    assert link.call("HLEN", "deals:writers") == 2


@pytest.mark.parametrize("key", ["deals:log", "deals:writers", "deals:meta", "deal:7"])
def test_key_of_the_wrong_type_is_refused_before_anything_is_written(link: Link, key: str) -> None:
    store = Store(link)
    store.save({"id": 1, "name": "a"})
    # marks the collection, now that there is one, as looked through for hashes of other programs
    store.count()
    link.call("DEL", key)
    link.call("SET", key, "another program's")
    before = {name: link.call("DUMP", name) for name in sorted(link.call("KEYS", "*"))}
    with pytest.raises(ServerRefused) as caught:
        store.save({"id": 7, "name": "b"})
    assert caught.value.reply == "WRONGTYPE"
    assert {name: link.call("DUMP", name) for name in sorted(link.call("KEYS", "*"))} == before


def test_newer_format_is_refused_clearly(link: Link) -> None:
    store = Store(link)
    store.save({"id": 1, "name": "a"})
    link.call("HSET", "deals:meta", "format", "3")
    with pytest.raises(StoreDamaged, match="format 3; this dealdb reads formats up to 2"):
        store.save({"id": 1, "name": "b"})
    with pytest.raises(StoreDamaged, match="format 3; this dealdb reads formats up to 2"):
        Store(link).snapshot()


def test_script_cache_may_be_flushed_at_any_time(link: Link) -> None:
    store = Store(link)
    for n in range(5):
        link.call("SCRIPT", "FLUSH")
        assert store.save({"id": n}).outcome == "inserted"
    assert store.count() == 5


FULL_RIGHTS = (
    "on >pw ~deal:* ~deals:* resetchannels -@all +@read +@write +@scripting +@connection +time"
)


@pytest.mark.parametrize("running", [False, True], ids=["new", "running"])
@pytest.mark.parametrize(
    ("lacking", "command"),
    [
        ("-xadd", "XADD"),
        ("-hdel", "HDEL"),
        ("-del", "DEL"),
        ("-hset", "HSET"),
        ("-hmget", None),
        ("resetkeys ~deals:*", None),
        ("resetkeys ~deal:*", None),
    ],
)
def test_missing_right_is_told_and_nothing_is_written(
    link: Link, server: Server, lacking: str, command: str | None, *, running: bool
) -> None:
    Store(link).save({"id": 1, "name": "before"})
    link.call("ACL", "SETUSER", "limited", "reset", *FULL_RIGHTS.split())
    link.call("HSET", "deals:meta", "adopted", 1)
    connection = RedisConnection()
    connection.connect(unix_socket=server.socket, username="limited", password="pw")
    store = Store(connection.link())
    if running:
        store.save({"id": 2, "name": "other"})
    else:
        store.schema()
    before = dumps(link)
    link.call("ACL", "SETUSER", "limited", *lacking.split())
    change: Callable[[], object] = partial(store.save, {"id": 1, "name": "after", "owner": None})
    with pytest.raises(AccessDenied, match=command or "withholds a right|may not run"):
        (partial(store.delete, "1") if lacking == "-del" else change)()
    assert dumps(link) == before
    link.call("ACL", "SETUSER", "limited", "resetkeys", *FULL_RIGHTS.split())
    assert store.save({"id": 1, "name": "after"}).outcome == "updated"
    assert store.check().ok
    connection.close()
    link.call("ACL", "DELUSER", "limited")


@pytest.mark.parametrize("lacking", ["-xadd", "-hset", "%R~deal:* %RW~deals:*"])
def test_right_that_a_load_loses_leaves_nothing_half_written(
    link: Link, server: Server, flavor: str, lacking: str
) -> None:
    if lacking.startswith("%") and flavor == "redis62":
        pytest.skip("this server has no rights to read a key alone")
    link.call("ACL", "SETUSER", "limited", "reset", *FULL_RIGHTS.split())
    connection = RedisConnection()
    connection.connect(unix_socket=server.socket, username="limited", password="pw")
    store = Store(connection.link())
    schema = store.declare([Field("name", FieldType.TEXT)])
    batches = [Batch.of([f"{n}-{i}" for i in range(100)], {"name": ["x"] * 100}) for n in range(2)]
    assert store.add(schema, batches[:1]) == 1
    before = dumps(link)
    words = lacking.split()
    link.call("ACL", "SETUSER", "limited", *(["resetkeys"] if words[0][0] == "%" else []), *words)
    with pytest.raises(AccessDenied):
        store.add(schema, batches[1:])
    assert dumps(link) == before
    link.call("ACL", "SETUSER", "limited", "resetkeys", *FULL_RIGHTS.split())
    assert store.add(schema, batches[1:]) == 1
    assert store.check().ok
    connection.close()
    link.call("ACL", "DELUSER", "limited")


def dumps(link: Link) -> dict[bytes, bytes]:
    """What the server holds."""
    return {name: link.call("DUMP", name) for name in sorted(link.call("KEYS", "*"))}


def test_full_rights_are_enough(link: Link, server: Server) -> None:
    link.call("ACL", "SETUSER", "full", "reset", *FULL_RIGHTS.split())
    connection = RedisConnection()
    connection.connect(unix_socket=server.socket, username="full", password="pw")
    store = Store(connection.link())
    store.save({"id": 1, "name": "a"})
    assert store.snapshot().frame.height == 1
    assert store.delete("1")
    connection.close()
    link.call("ACL", "DELUSER", "full")


def test_out_of_memory_leaves_nothing_half_written(link: Link) -> None:
    store = Store(link)
    store.save({"id": 1, "name": "a"})
    used = int(link.call("INFO", "memory").split(b"used_memory:")[1].split(b"\r")[0])
    link.call("CONFIG", "SET", "maxmemory", used + 300_000)
    link.call("CONFIG", "SET", "maxmemory-policy", "noeviction")
    saved = 0
    try:
        refusal = None
        while refusal is None and saved < 10_000:
            try:
                store.save({"id": f"d{saved}", "name": "x" * 2000})
                saved += 1
            except ServerRefused as problem:
                refusal = problem
        assert refusal is not None
        assert refusal.reply == "OOM"
        link.call("CONFIG", "SET", "maxmemory", used)
        with pytest.raises(ServerRefused):
            Store(link).save({"id": "one more", "name": "x" * 2000})
        assert saved > 5
        assert store.count() == saved + 1
        assert store.snapshot().frame.height == saved + 1
    finally:
        link.call("CONFIG", "SET", "maxmemory", 0)
    assert store.save({"id": "later"}).outcome == "inserted"
    assert store.check().ok


class DelayingLink(LossyLink):
    """A link on which the first copy of a commit that holds a text is delayed, and arrives when it is told to."""

    def __init__(self, link: Link, text: str) -> None:
        super().__init__(link)
        self._text = text
        self.held: tuple[Any, ...] = ()
        self.on_resend: Callable[[], None] = lambda: None

    def call(self, *command: Any, retry: bool = False) -> Any:
        if str(command[0]).startswith("EVAL") and self._text in str(command[-1]):
            if not self.held:
                self.held = command
                raise ServerUnavailable("the link broke", sent=True)
            self.on_resend()
        return super().call(*command, retry=retry)

    def deliver(self) -> Any:
        return self._link.call(*self.held)


def test_delayed_copy_of_an_unchanged_save_takes_no_effect(link: Link) -> None:
    """The answer to the resent copy was "unchanged", which leaves no entry in the log."""
    delaying = DelayingLink(link, "delayed")
    store, other = Store(delaying), Store(link)  # type: ignore[arg-type]
    store.save({"id": 5})
    other.save({"id": 1, "name": "delayed"})
    assert store.save({"id": 1, "name": "delayed"}).outcome == "unchanged"
    other.save({"id": 1, "name": "newer"})
    assert delaying.deliver()[0] == b"repeat"
    assert store.save({"id": 2, "name": "mine"}).outcome == "inserted"
    names = [deal and deal["name"] for deal in store.get_many(["1", "2"])]
    assert names == ["newer", "mine"]


def test_delayed_copy_that_overtakes_its_void_counts(link: Link) -> None:
    delaying = DelayingLink(link, "delayed")
    store, other = Store(delaying), Store(link)  # type: ignore[arg-type]
    store.save({"id": 5})
    other.save({"id": 1, "name": "delayed"})

    def overtake(command: tuple[Any, ...]) -> bool:
        if "delayed" in str(command[-1]):
            other.save({"id": 1, "name": "newer"})
            delaying.deliver()
        return False

    delaying.lose = overtake
    result = store.save({"id": 1, "name": "delayed"})
    assert result.outcome == "updated"
    deal = store.get_many(["1"])[0]
    assert deal is not None
    assert (deal["name"], deal.rev) == ("delayed", result.rev)
    assert store.save({"id": 2}).outcome == "inserted"


def test_refused_copy_of_a_sent_commit_leaves_the_outcome_open(link: Link) -> None:
    """The first copy may have been carried out, whatever the server says to the second."""
    delaying = DelayingLink(link, "delayed")
    store = Store(delaying)  # type: ignore[arg-type]
    store.save({"id": 1, "name": "known"})

    def refuse() -> None:
        raise ServerRefused("out of memory", reply="OOM")

    delaying.on_resend = refuse
    with pytest.raises(OutcomeUnknown) as caught:
        store.save({"id": 1, "name": "delayed"})
    assert delaying.deliver()[0] == b"ok"
    assert caught.value.resolve() is True


def test_refused_void_leaves_the_outcome_open(link: Link) -> None:
    """The first copy may still arrive, whatever the server says to what is to outrun it."""
    delaying = DelayingLink(link, "delayed")
    store, other = Store(delaying), Store(link)  # type: ignore[arg-type]
    store.save({"id": 5})
    other.save({"id": 1, "name": "delayed"})

    def refuse(command: tuple[Any, ...]) -> bool:
        if "void" in command:
            raise ServerRefused("out of memory", reply="OOM")
        return False

    delaying.lose = refuse
    with pytest.raises(OutcomeUnknown):
        store.save({"id": 1, "name": "delayed"})


def test_commit_before_another_process_took_over_is_not_gone_on_from(link: Link) -> None:
    store, lossy = lossy_store(link)
    store.save({"id": 1, "name": "first"})
    sent: list[tuple[Any, ...]] = []

    def take_over(command: tuple[Any, ...]) -> bool:
        sent.append(command)
        if len(sent) == 1:
            Store(link)._writers.retire(command[3 + int(command[2])])
        return len(sent) == 1

    lossy.lose = take_over
    with pytest.raises(StoreError, match="another process has resumed"):
        store.save({"id": 1, "name": "second"})


def test_rights_are_tried_by_the_first_commit_behind_a_void(link: Link, server: Server) -> None:
    """A commit that is settled before it is known to have happened has tried no rights."""
    Store(link).save({"id": 1, "name": "before"})
    Store(link).snapshot()
    rights = [*FULL_RIGHTS.split(), "-hdel"]
    link.call("ACL", "SETUSER", "limited", "reset", *rights)
    connection = RedisConnection()
    connection.connect(
        unix_socket=server.socket, username="limited", password="pw", retry_deadline_s=0.1
    )
    delaying = DelayingLink(connection.link(), "delayed")

    def lose() -> None:
        raise ServerUnavailable("the link broke", sent=True)

    delaying.on_resend = lose
    store = Store(delaying)  # type: ignore[arg-type]
    with pytest.raises(OutcomeUnknown):
        store.save({"id": 1, "name": "delayed"})
    with pytest.raises(AccessDenied, match="may not run HDEL"):
        store.save({"id": 1, "name": None})
    connection.close()
    link.call("ACL", "DELUSER", "limited")
    assert Store(link).check().ok


def test_entry_that_a_failover_lost_and_a_resend_wrote_again_is_another(
    link: Link, server: Server
) -> None:
    """Same writer, counter and number, but another time: who read the lost one has to notice."""
    Store(link).save({"id": 1, "name": "a"})
    reader = Store(link)
    reader.snapshot()
    kept = {key: link.call("DUMP", key) for key in link.call("KEYS", "*")}

    class FailingOver(LossyLink):
        def call(self, *command: Any, retry: bool = False) -> Any:
            reply = super().call(*command, retry=retry)
            fresh = str(command[0]).startswith("EVAL") and "again" in str(command[-1])
            if fresh and link.call("HGET", "deals:meta", "lost") is None:
                assert reader.snapshot().frame["name"].to_list() == ["again"]
                link.call("FLUSHDB")
                for key, value in kept.items():
                    link.call("RESTORE", key, 0, value)
                link.call("HSET", "deals:meta", "lost", 1)
                time.sleep(1.1)
                raise ServerUnavailable("the server failed over", sent=True)
            return reply

    patient = RedisConnection()
    patient.connect(unix_socket=server.socket, retry_deadline_s=10)
    Store(FailingOver(patient.link())).save({"id": 1, "name": "again"})  # type: ignore[arg-type]
    patient.close()
    assert reader.snapshot().frame.equals(Store(link).snapshot().frame)


def test_late_copy_is_refused_where_the_commits_before_it_are_lost(link: Link) -> None:
    delaying = DelayingLink(link, "delayed")
    store, other = Store(delaying), Store(link)  # type: ignore[arg-type]
    for name in ("one", "two", "delayed"):
        store.save({"id": 1, "name": name})
    link.call("FLUSHDB")
    other.save({"id": 1, "name": "new history"})
    assert delaying.deliver()[0] == b"gap"
    deal = store.get_many(["1"])[0]
    assert deal is not None
    assert deal["name"] == "new history"


def test_commit_of_an_old_schema_is_prepared_anew(link: Link) -> None:
    one, two = Store(link), Store(link)
    one.save({"id": 1, "seats": 3})
    two.save({"id": 2, "seats": 4})
    one.reshape().drop("seats")
    two.save({"id": 2, "seats": 5})
    assert "seats" in one.schema()
    assert one.snapshot().frame["seats"].to_list() == [None, 5]
