"""Histories replaced while a reader, a writer, a load and a feed are at work: nobody goes on with the old one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from commits import at_each_commit
from connected import eventually
from dealdb import Commit, DealDatabase, FeedReset, OutcomeUnknown
from dealdb.errors import DealDBError, LoadReset
from faults.proxy import Proxy
from servers import Server

# the first part of a load is acknowledged before the fault, the second is sent after it
LOADED, BATCH = 400, 50


def truth(server: Server) -> dict[str, int]:
    """What the hashes say, read without dealdb."""
    with server.client() as client:
        keys = list(client.scan_iter("deal:*", 1_000))
        return {key.decode()[5:]: int(client.hget(key, "n")) for key in keys}


def rows(db: DealDatabase) -> dict[str, int]:
    frame = db.query.frame()
    if not frame.height:
        return {}
    return dict(frame.select("id", "n").rows())


def last_seq(server: Server) -> int:
    with server.client() as client:
        return int(client.hget("deals:meta", "seq"))


def agree(server: Server, *readers: DealDatabase) -> bool:
    """Whether the readers, and one that has just begun, show the hashes; never asked again."""
    with DealDatabase(port=server.port) as fresh:
        expected = truth(server)
        return all(rows(reader) == expected for reader in (*readers, fresh))


class Load(threading.Thread):
    """A load that stops in the middle until it may go on."""

    def __init__(self, db: DealDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(daemon=True)
        self._db = db
        self._may_go_on = threading.Event()
        self.outcome: object = None
        at_each_commit(monkeypatch.setattr, self._wait)
        self.start()
        assert eventually(lambda: f"L{2 * BATCH}" in db)

    def _wait(self, number: int) -> None:
        if number == LOADED // BATCH // 2:
            assert self._may_go_on.wait(60)

    def run(self) -> None:
        rows = [{"id": f"L{n}", "n": n} for n in range(LOADED)]
        try:
            self.outcome = self._db.loader.load(rows, batch_size=BATCH, rejects=False)
        except DealDBError as problem:
            self.outcome = problem

    def finish(self) -> object:
        self._may_go_on.set()
        self.join(60)
        assert not self.is_alive()
        return self.outcome


class Follower(threading.Thread):
    """Follows a feed to its end."""

    def __init__(self, db: DealDatabase) -> None:
        super().__init__(daemon=True)
        self.feed = db.changes()
        self.seen: list[Commit] = []
        self.failure: DealDBError | None = None
        self.start()

    def run(self) -> None:
        try:
            for commit in self.feed:
                self.seen.append(commit)
        except DealDBError as failure:
            self.failure = failure

    def told(self) -> int:
        """Number of the last commit that it was told."""
        return self.seen[-1].seq if self.seen else 0

    def is_gapless(self) -> bool:
        seqs = [commit.seq for commit in self.seen]
        return seqs == [*range(seqs[0], seqs[0] + len(seqs))]

    def has_ended(self) -> bool:
        self.join(30)
        return not self.is_alive()

    def end(self) -> DealDBError | None:
        self.feed.close()
        self.join(30)
        assert not self.is_alive()
        return self.failure


# each is prepared while the history is short, and then happens ------------------------------------------------


def emptied(server: Server) -> Callable[[], None]:
    def happen() -> None:
        with server.client() as client:
            client.flushdb()

    return happen


def swapped(server: Server) -> Callable[[], None]:
    with DealDatabase(port=server.port, db=1) as other:
        for n in range(100):
            other.save_deal({"id": f"other{n % 70}", "n": n})

    def happen() -> None:
        with server.client() as client:
            client.swapdb(0, 1)

    return happen


def without_log(server: Server) -> Callable[[], None]:
    def happen() -> None:
        with server.client() as client:
            client.delete("deals:log")

    return happen


def restored(server: Server) -> Callable[[], None]:
    with server.client() as client:
        backup = {key: client.dump(key) for key in client.scan_iter()}

    def happen() -> None:
        with server.client() as client:
            pipe = client.pipeline()
            pipe.flushdb()
            for key, dump in backup.items():
                pipe.restore(key, 0, dump)
            pipe.execute()

    return happen


def restarted(server: Server) -> Callable[[], None]:
    def happen() -> None:
        server.kill()
        server.start()

    return happen


RESETS = {each.__name__: each for each in (emptied, swapped, without_log, restored, restarted)}


@contextmanager
def at_work(port: int) -> Iterator[tuple[DealDatabase, DealDatabase]]:
    with DealDatabase(port=port) as writer, DealDatabase(port=port) as reader:
        yield writer, reader


@pytest.mark.parametrize("how", RESETS)
def test_a_history_that_is_replaced_under_everybody(
    new_server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    server = new_server()
    with at_work(server.port) as (writer, reader):
        for n in range(20):
            writer.save_deal({"id": n, "n": n})
        happen = RESETS[how](server)
        for n in range(10, 40):
            writer.save_deal({"id": n, "n": -n})
        load, follower = Load(writer, monkeypatch), Follower(reader)
        before = rows(reader)
        assert before == truth(server)
        happen()
        # the thread that has committed before, and knows a past that the server does not
        assert writer.save_deal({"id": "first", "n": 1}).outcome == "inserted"
        assert agree(server, reader, writer)
        ended = load.finish()
        if how == "without_log":
            # the hashes are whole, and so is what the load made; the next entry follows on what the feed has told
            assert truth(server) == {**before, "first": 1, **{f"L{n}": n for n in range(LOADED)}}
            assert eventually(lambda: follower.told() == last_seq(server))
            assert follower.is_gapless()
        else:
            assert isinstance(ended, LoadReset)
            assert "39" not in truth(server)
            assert follower.has_ended()
            assert isinstance(follower.end(), FeedReset)
        for n in range(60):
            writer.save_deal({"id": f"later{n}", "n": n})
            if n % 20 == 0:
                assert agree(server, reader, writer)
        assert agree(server, reader, writer)
        assert {f"later{n}" for n in range(60)} <= truth(server).keys()
        assert writer.check().ok
        if how == "without_log":
            assert follower.end() is None
        if how == "restarted":
            assert any("keeps nothing on disk" in text for text in writer.health().warnings)


def test_a_failover_that_loses_what_was_acknowledged(
    new_server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    primary, replica = (new_server("--repl-diskless-sync-delay", "0") for _ in range(2))
    with Proxy(primary.port) as copying, Proxy(primary.port) as way:
        with replica.client() as client:
            client.execute_command("REPLICAOF", "127.0.0.1", copying.port)
        impatient = DealDatabase(port=way.port, socket_timeout_s=0.8, retry_deadline_s=0.8)
        with at_work(way.port) as (writer, reader), impatient:
            impatient.save_deal({"id": "known", "n": 1})
            for n in range(20):
                writer.save_deal({"id": n, "n": n})
            assert eventually(lambda: truth(replica) == truth(primary) != {})
            copying.hold()
            load, follower = Load(writer, monkeypatch), Follower(reader)
            # a tail that the replica never gets, and that everybody here has seen
            for n in range(12):
                writer.save_deal({"id": n, "n": 1_000 + n})
            way.fault("lose_reply", matching=b"EVALSHA", times=1_000)
            with pytest.raises(OutcomeUnknown) as caught:
                impatient.save_deal({"id": "unknown", "n": 1})
            way.heal()
            seen = rows(reader)
            assert seen["3"] == 1_003
            assert eventually(lambda: len(follower.seen) >= 13)
            replica.promote()
            way.target = replica.port
            way.cut_all()
            with DealDatabase(port=replica.port) as other:
                # the same numbers again, and more of them
                for n in range(30):
                    other.save_deal({"id": n, "n": 2_000 + n})
            assert rows(reader) == truth(replica) != seen
            assert follower.has_ended()
            assert isinstance(follower.end(), FeedReset)
            assert caught.value.resolve() is False
            # refused as a gap, and made anew under another name: once
            assert writer.save_deal({"id": "mine", "n": 5}).outcome == "inserted"
            assert writer.save_deal({"id": 3, "n": 1_003}).outcome == "updated"
            assert [*writer.deal_history(3)["after"]].count("1003") == 1
            assert isinstance(load.finish(), LoadReset)
            assert agree(replica, reader, writer)
            assert writer.check().ok
