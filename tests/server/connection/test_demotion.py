"""A primary that is demoted behind an address that moves: open sockets still reach it, new ones its successor."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from connected import eventually, in_threads, sockets
from dealdb import DealDatabase, ServerRefused
from servers import Server


class Front:
    """An address that can be pointed to another server: new sockets go there, open ones stay where they are."""

    def __init__(self, target: Server) -> None:
        self.target = target
        self.n_opened = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near = self._listener.accept()[0]
                try:
                    far = socket.create_connection(("127.0.0.1", self.target.port))
                except OSError:
                    near.close()
                    raise
                self.n_opened += 1
                self._ends += (near, far)
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        # also those that came while the others were closed
        source.close()

    def close(self) -> None:
        for end in (self._listener, *self._ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


class Pair:
    """A primary and its replica behind one address."""

    def __init__(self, first: Server, second: Server) -> None:
        self.first, self.second = first, second
        for server in (first, second):
            with server.client() as client:
                client.config_set("repl-diskless-sync-delay", 0)
        self._follow(second, first)
        self.front = Front(first)

    def _follow(self, replica: Server, primary: Server) -> None:
        with replica.client() as client:
            client.replicaof("127.0.0.1", primary.port)
        assert eventually(lambda: self.is_up(replica, primary))

    def is_up(self, replica: Server, primary: Server) -> bool:
        with replica.client() as here, primary.client() as there:
            told, wanted = here.info("replication"), there.info("replication")
        offset = wanted["master_repl_offset"]
        return bool(told["master_link_status"] == "up" and told["master_repl_offset"] == offset)

    def promote_second(self, *, behind: bool = True) -> None:
        """The second server is the primary now, and the first its replica; the address moves."""
        assert not behind or eventually(lambda: self.is_up(self.second, self.first))
        with self.second.client() as client:
            client.replicaof("NO", "ONE")
        if behind:
            self._follow(self.first, self.second)
        self.front.target = self.second

    def cut_off_second(self) -> None:
        """The second server is none any more, and hears nothing of another primary."""
        assert eventually(lambda: self.is_up(self.first, self.second))
        with self.second.client() as client:
            client.replicaof("127.0.0.1", 1)

    def cut_off_first(self) -> None:
        """The first server hears nothing more of the new primary."""
        with self.first.client() as client:
            client.replicaof("127.0.0.1", 1)


@pytest.fixture
def pair(new_server: Callable[..., Server]) -> Iterator[Pair]:
    both = Pair(new_server(), new_server())
    yield both
    both.front.close()


def database(pair: Pair, **settings: object) -> DealDatabase:
    return DealDatabase(host="127.0.0.1", port=pair.front.port, **settings)  # type: ignore[arg-type]


def test_a_refused_save_is_made_on_the_new_primary(pair: Pair) -> None:
    with database(pair) as db, database(pair) as other:
        in_threads(4, lambda n: db.save_deal({"id": f"t{n}"}))
        rev = db.save_deal({"id": 1, "n": 1}).rev
        pair.promote_second()
        assert other.save_deal({"id": 2}).outcome == "inserted"
        assert db.save_deal({"id": 3}).outcome == "inserted"
        # those that were idle too
        assert eventually(lambda: not clients_of(pair.first))
        assert in_threads(4, lambda n: db.update_deal(f"t{n}", n=5)) == []
        assert db.save_deal({"id": 1, "n": 2}, expect_rev=rev).outcome == "updated"
        assert db.delete_deal(2)
        assert db.is_connected()
        with database(pair) as fresh:
            assert sorted(fresh.query.find()["id"]) == ["1", "3", "t0", "t1", "t2", "t3"]
            assert fresh.get_deals(["t3"])[0]["n"] == 5  # type: ignore[index]
            assert fresh.check().differences == ()


def clients_of(server: Server) -> list[dict[str, str]]:
    return [entry for entry in sockets(server) if entry["flags"] == "N"]


def test_a_batch_is_sent_again_where_none_of_it_can_have_run(pair: Pair) -> None:
    with database(pair) as db:
        link = db.connection.link()
        assert link.calls([("SET", "a", 1), ("SET", "b", 1)]) == [b"OK", b"OK"]
        pair.promote_second()
        assert link.calls([("INCR", "a"), ("INCR", "b")]) == [2, 2]
        pair.cut_off_second()
        pair.front.target = pair.first
        with pair.first.client() as client:
            client.replicaof("NO", "ONE")
        with pytest.raises(ServerRefused, match="READONLY"):
            link.calls([("GET", "a"), ("INCR", "b")])
        assert link.calls([("GET", "a"), ("GET", "b")]) == [b"2", b"2"]


def test_a_reader_sees_what_the_new_primary_has(pair: Pair) -> None:
    with database(pair) as db, database(pair) as reader:
        db.save_deal({"id": 1, "n": 1})
        assert in_threads(3, lambda _: reader.query.count()) == []
        assert reader.query.count() == 1
        pair.promote_second()
        pair.cut_off_first()
        with database(pair) as other:
            other.save_deal({"id": 1, "n": 2})
            other.save_deal({"id": 2})
        # at once, and whatever is asked first
        assert reader.get_deals([1])[0]["n"] == 2  # type: ignore[index]
        assert reader.query.count() == 2
        assert len(reader) == 2
        assert reader.connection.health().role == "master"


ASKED: list[Callable[[DealDatabase], int | None]] = [
    lambda db: db.query.count(),
    lambda db: len(db),
    lambda db: len(db.query.find()),
    lambda db: 2 if 2 in db else 1,
    lambda db: sum(deal is not None for deal in db.get_deals([1, 2])),
    lambda db: db.health().deals,
    lambda db: db.deal_history(1)["seq"].n_unique(),
    lambda db: len(db.as_of("2999-01-01")),
    lambda db: db.check().deals,
    # the first server would say that the deal has this value already
    lambda db: 2 if db.save_deal({"id": 1, "n": 1}).outcome == "updated" else 1,
]


def test_no_first_answer_after_the_move_is_old(pair: Pair) -> None:
    with contextlib.ExitStack() as stack:
        asking = [(stack.enter_context(database(pair)), ask) for ask in ASKED]
        asking[0][0].save_deal({"id": 1, "n": 1})
        assert [ask(db) for db, ask in asking] == [1] * len(ASKED)
        pair.promote_second()
        pair.cut_off_first()
        with database(pair) as other:
            other.save_deal({"id": 1, "n": 2})
            other.save_deal({"id": 2})
        assert [ask(db) for db, ask in asking] == [2] * len(ASKED)


def test_a_feed_goes_on_at_the_new_primary(pair: Pair) -> None:
    told: list[str] = []

    def follow() -> None:
        for commit in feed:
            told.extend(deal.id for deal in commit.deals)
            if told[-1:] == ["b2"]:
                return

    with database(pair) as db, db.changes(timeout_s=20) as feed:
        following = threading.Thread(target=follow)
        following.start()
        for n in range(3):
            db.save_deal({"id": f"a{n}"})
        assert eventually(lambda: len(told) == 3)
        # the wait under way ends with UNBLOCKED
        pair.promote_second()
        pair.cut_off_first()
        for n in range(3):
            db.save_deal({"id": f"b{n}"})
        following.join(30)
        assert told == ["a0", "a1", "a2", "b0", "b1", "b2"]


def test_a_load_goes_on_at_the_new_primary(pair: Pair) -> None:
    rows = [{"id": f"r{n}", "n": n} for n in range(6_000)]
    with database(pair) as db:
        db.save_deal({"id": 1})
        moved = threading.Event()

        def told(progress: object) -> None:
            if not moved.is_set() and progress.rows >= 500:  # type: ignore[attr-defined]
                moved.set()
                pair.promote_second()

        report = db.loader.load(rows, batch_size=100, progress=told, on_conflict="merge")
        assert moved.is_set()
        assert report.inserted == 6_000
        with database(pair) as fresh:
            assert fresh.query.count() == 6_001
            assert fresh.check().differences == ()


def test_while_there_is_no_primary_a_save_fails_at_once_and_heals(pair: Pair) -> None:
    with database(pair, retry_deadline_s=120) as db:
        db.save_deal({"id": 1})
        assert eventually(lambda: pair.is_up(pair.second, pair.first))
        pair.cut_off_first()
        before = time.monotonic()
        for _ in range(3):
            with pytest.raises(ServerRefused, match="READONLY") as caught:
                db.save_deal({"id": 2})
            assert not caught.value.sent
        # a try again would go on until the deadline
        assert time.monotonic() - before < 60
        assert db.query.count() == 1
        pair.promote_second(behind=False)
        assert db.save_deal({"id": 2}).outcome == "inserted"
        assert db.connection.pool_stats().in_use == 0


def test_a_replica_that_serves_no_old_data_is_left(pair: Pair) -> None:
    with database(pair) as db:
        db.save_deal({"id": 1})
        assert db.query.count() == 1
        pair.promote_second()
        with pair.first.client() as client:
            client.config_set("replica-serve-stale-data", "no")
        pair.cut_off_first()
        assert db.query.count() == 1
        assert db.save_deal({"id": 2}).outcome == "inserted"


def test_a_replica_given_on_purpose_is_read_from(pair: Pair) -> None:
    with database(pair) as db:
        db.save_deal({"id": 1})
        assert eventually(lambda: pair.is_up(pair.second, pair.first))
        with DealDatabase(port=pair.second.port) as copy:
            for _ in range(20):
                assert copy.query.count() == 1
            assert any("replica" in warning for warning in copy.health().warnings)
            assert copy.connection.pool_stats().open == 1
            db.save_deal({"id": 2})
            assert eventually(lambda: copy.query.count() == 2)


def test_a_reader_that_began_at_a_replica_follows_the_address(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dealdb.connection.protocol.wire.REPLICA_TRUST_S", 0.2)
    with database(pair) as db:
        db.save_deal({"id": 1})
        assert eventually(lambda: pair.is_up(pair.second, pair.first))
        pair.cut_off_first()
        with database(pair) as reader:
            assert reader.query.count() == 1
            pair.promote_second(behind=False)
            db.save_deal({"id": 2})
            time.sleep(0.2)
            assert reader.query.count() == 2
