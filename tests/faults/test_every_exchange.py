"""
Each public method, with a fault at its 1st, 2nd, ... exchange with the server, until it is done without meeting it.

Whatever happens, the error is one of ours, the next save is kept, hashes == log == frames, and nothing is left behind.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis

from connected import eventually, sockets
from dealdb import DealDatabase, Pipeline
from dealdb.analytics import Analytics
from dealdb.connection import RedisConnection
from dealdb.errors import DealDBError, OutcomeUnknown
from dealdb.loader import DataLoader
from dealdb.query import QueryEngine
from faults.agreement import Texts, assert_agreement, odd_keys
from faults.proxy import Kind as LinkFault
from faults.proxy import Proxy
from faults.refusals import RefusingProxy
from servers import Server
from store_model import view_of

Call = Callable[[DealDatabase], object]
SEED = 20261126
N_SAMPLED = 12
# no call has more exchanges
MOST = 200
ROWS = [{"id": f"x{n}", "n": n} for n in range(20)]


def value(db: DealDatabase, deal_id: str, field: str) -> object:
    deal = db.get_deal(deal_id)
    return None if deal is None else deal.get(field)


def told(db: DealDatabase) -> int:
    with db.changes(0, timeout_s=0) as feed:
        return len(list(feed))


def load(rows: list[dict[str, Any]], **options: Any) -> Call:
    return lambda db: db.loader.load(rows, rejects=False, **options)


def follow(db: DealDatabase) -> object:
    path = Path("followed.jsonl")
    path.write_text('{"id": "F1", "n": 1}\n{"id": "F2", "n": 2}\n')
    return db.loader.follow(path, timeout_s=0, rejects=False)


def load_file(db: DealDatabase) -> object:
    path = Path("deals.csv")
    path.write_text("id,n\n" + "".join(f"G{n},{n}\n" for n in range(30)))
    return db.loader.load(path, rejects=False, batch_size=10, resume=True)


def kept_mapping(db: DealDatabase) -> object:
    rows = [{"id": "kept", "n": 1}]
    db.loader.load(rows, rejects=False, save_mapping="kept")
    return db.loader.mapping("kept")


def select(db: DealDatabase) -> object:
    db.select_database(1)
    try:
        return db.save_deal({"id": "elsewhere"})
    finally:
        db.select_database(0)


CALLS: dict[str, Call] = {
    "save_deal new": lambda db: db.save_deal({"id": "new", "n": 5, "stage": "Fresh", "added": "1"}),
    "save_deal": lambda db: db.save_deal({"id": "a", "n": 9}),
    "save_deal expect_rev": lambda db: db.save_deal({"id": "a", "n": 9}, expect_rev=3),
    "update_deal": lambda db: db.update_deal("b", n=7),
    "delete_deal": lambda db: db.delete_deal("b"),
    "get_deal": lambda db: db.get_deal("a"),
    "get_deals": lambda db: db.get_deals(["a", "none"]),
    "place_of": lambda db: db.place_of("a"),
    "len": len,
    "in": lambda db: "a" in db,
    "schema": lambda db: db.schema,
    "pipeline": lambda db: db.pipeline,
    "set_pipeline": lambda db: db.set_pipeline(Pipeline(tuple(reversed(list(db.pipeline))))),
    "rename_field": lambda db: db.rename_field("extra", "remark"),
    "drop_field": lambda db: db.drop_field("extra"),
    "retype_field": lambda db: db.retype_field("extra", "text"),
    "count_foreign": lambda db: db.count_foreign(),
    "deal_history": lambda db: db.deal_history("a"),
    "changes": told,
    "as_of": lambda db: db.as_of("2999-01-01").query.count(),
    "pinned": lambda db: db.pinned().query.count(),
    "check": lambda db: db.check(),
    "repair": lambda db: db.repair(),
    "select_database": select,
    "is_connected": lambda db: db.is_connected(),
    "health": lambda db: db.health(),
    "check_clock": lambda db: db.check_clock(),
    "check_log": lambda db: db.check_log(),
    "examine": lambda db: list(db.examine()),
    "backup": lambda db: db.backup(Path("deals.backup"), overwrite=True, bar=False),
    "connection.ping": lambda db: db.connection.ping(),
    "connection.is_connected": lambda db: db.connection.is_connected(),
    "connection.health": lambda db: db.connection.health(),
    "connection.dangers": lambda db: db.connection.dangers(),
    "loader.mappings": lambda db: db.loader.mappings(),
    "loader.mapping": kept_mapping,
    "loader.forget_mapping": lambda db: db.loader.forget_mapping("none"),
    "loader.load new": load([{"id": f"L{n}", "n": n} for n in range(1_500)]),
    "loader.load merge": load([{"id": f"x{n}", "n": n + 1} for n in range(30)]),
    "loader.load skip": load([{"id": f"x{n}", "n": n + 1} for n in range(30)], on_conflict="skip"),
    "loader.load replace": load([{"id": f"x{n}", "m": n} for n in range(30)], on_conflict="replace"),
    "loader.load error": load([{"id": f"E{n}", "n": n} for n in range(30)], on_conflict="error"),
    "loader.load delete_missing": load(ROWS[:15], delete_missing=True),
    "loader.load dry_run": load([{"id": f"x{n}", "n": n + 1} for n in range(30)], dry_run=True),
    "loader.load file": load_file,
    "loader.follow": follow,
    "loader.export": lambda db: db.loader.export(Path("out.csv")),
    "query.find": lambda db: db.query.find("n > 1"),
    "query.page": lambda db: db.query.page("n > 1", sort="n", size=5),
    "query.count": lambda db: db.query.count("n > 1"),
    "query.facets": lambda db: db.query.facets(["stage"]),
    "query.search": lambda db: db.query.search("won"),
    "query.explain": lambda db: db.query.explain("n > 1"),
    "query.select": lambda db: db.query.select("n > 1"),
    "query.frame": lambda db: db.query.frame(),
    "query.sql": lambda db: db.query.sql("SELECT count(*) AS c FROM deals"),
    "query.sql history": lambda db: db.query.sql("SELECT count(*) AS c FROM history"),
    "query.save": lambda db: db.query.save("q", "n > 1"),
    "query.saved": lambda db: db.query.saved(),
    "query.run": lambda db: db.query.run("kept"),
    "query.forget": lambda db: db.query.forget("kept"),
    "analytics.summary": lambda db: db.analytics.summary(),
    "analytics.pipeline": lambda db: db.analytics.pipeline(),
    "analytics.period": lambda db: db.analytics.period("this-quarter"),
    "analytics.win_rate": lambda db: db.analytics.win_rate(),
    "analytics.deal_size": lambda db: db.analytics.deal_size(),
    "analytics.sales_cycle": lambda db: db.analytics.sales_cycle(),
    "analytics.velocity": lambda db: db.analytics.velocity(),
    "analytics.leaderboard": lambda db: db.analytics.leaderboard(),
    "analytics.leaderboard at closing": lambda db: db.analytics.leaderboard(at="closing"),
    "analytics.concentration": lambda db: db.analytics.concentration(),
    "analytics.trend": lambda db: db.analytics.trend("amount"),
    "analytics.trend events": lambda db: db.analytics.trend(events=True),
}  # fmt: skip
# whether what a call of one commit is to do is there
IS_THERE: dict[str, Callable[[DealDatabase], bool]] = {
    "save_deal new": lambda db: value(db, "new", "n") == 5,
    "save_deal": lambda db: value(db, "a", "n") == 9,
    "save_deal expect_rev": lambda db: value(db, "a", "n") == 9,
    "update_deal": lambda db: value(db, "b", "n") == 7,
    "delete_deal": lambda db: "b" not in db,
    "loader.load new": lambda db: db.query.count("id LIKE 'L%'") == 1_500,
}
# no exchange of their own, or one that the others have too
# a restore has tests of its own: it takes an empty collection
QUIET = {
    "": {
        *("restore", "from_url", "embedded", "close", "loader", "query", "analytics"),
        *("acting_as", "check_backup", "collection", "linger_s", "mend", "sql_limits", "history", "quotas", "rates"),
    },
    "connection.": {"connect", "connect_url", "settings", "db", "link", "select_db", "close", "pool_stats", "trouble"},
    "query.": {"close", "over"},
}  # fmt: skip

# refused by the server, in its own words
REPLIES = {
    "OOM": "OOM command not allowed when used memory > 'maxmemory'.",
    "NOPERM": "NOPERM this user has no permissions to run this command",
    "LOADING": "LOADING Redis is loading the dataset in memory",
    "MISCONF": "MISCONF Errors writing to the AOF file: No space left on device",
    "READONLY": "READONLY You can't write against a read only replica.",
    "MASTERDOWN": "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "BUSY": "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
}


@dataclass(frozen=True)
class State:
    """A state of a server, and the one that there was before."""

    begin: tuple[str | int, ...]
    end: tuple[str | int, ...] = ("PING",)


STATES = {
    "memory full": State(("CONFIG", "SET", "maxmemory", 1), ("CONFIG", "SET", "maxmemory", 0)),
    "no rights to write": State(
        ("ACL", "SETUSER", "default", "-@write", "-@scripting"), ("ACL", "SETUSER", "default", "+@all"),
    ),
    "no right to log": State(
        ("ACL", "SETUSER", "default", "-xadd"), ("ACL", "SETUSER", "default", "+@all"),
    ),
    "no rights at all": State(
        ("ACL", "SETUSER", "default", "-@all"), ("ACL", "SETUSER", "default", "+@all"),
    ),
    "demoted": State(("REPLICAOF", "127.0.0.1", 1), ("REPLICAOF", "NO", "ONE")),
    "too few replicas": State(
        ("CONFIG", "SET", "min-replicas-to-write", 1), ("CONFIG", "SET", "min-replicas-to-write", 0),
    ),
    "scripts forgotten": State(("SCRIPT", "FLUSH")),
    "links killed": State(("CLIENT", "KILL", "TYPE", "normal")),
}  # fmt: skip
LINKS: dict[str, LinkFault] = {"cut before": "swallow", "reply lost": "lose_reply", "no reply": "mute"}  # fmt: skip
LASTING = (*LINKS, *REPLIES)
FAULTS = [*LASTING, *(f"{name}, lasting" for name in LASTING), *STATES, "frozen"]
SLOW = ("no reply", "frozen")


class Bench:
    """A server with two deals and some more, and the faults on the way to it."""

    def __init__(self, server: Server, keep: ExitStack) -> None:
        self.server = server
        self.refusing = keep.enter_context(RefusingProxy(server.port))
        self.proxy = keep.enter_context(Proxy(server.port))
        self.admin = keep.enter_context(self._admin())

    def _admin(self) -> redis.Redis:
        # a user of its own: rights are taken from the default one
        with self.server.client() as client:
            client.execute_command("ACL", "SETUSER", "admin", "on", ">secret", "~*", "&*", "+@all")
        return redis.Redis(
            unix_socket_path=str(self.server.socket), username="admin", password="secret", protocol=2
        )  # fmt: skip

    def prepare(self) -> None:
        self.admin.flushall()
        with self.direct() as db:
            db.save_deal({"id": "a", "n": 1, "stage": "Won", "extra": "e", "amount": "10"})
            db.save_deal({"id": "b", "n": 2, "stage": "Lost", "extra": "f"})
            db.loader.load(ROWS, rejects=False)
            db.query.save("kept", "n > 1")

    def direct(self) -> DealDatabase:
        return DealDatabase(
            unix_socket=self.server.socket, username="admin", password="secret", actor="direct"
        )

    def through(self, fault: str) -> DealDatabase:
        """A database whose way leads through the fault to come."""
        is_slow = fault.startswith(SLOW)
        way = self.proxy.port if fault.split(",")[0] in LINKS else self.refusing.port
        return DealDatabase(
            port=way, max_connections=3,
            socket_timeout_s=0.3 if is_slow else 10, retry_deadline_s=1 if is_slow else 0.2,
        )  # fmt: skip

    @contextmanager
    def met(self, fault: str, at: int) -> Iterator[Callable[[], bool]]:
        """The fault at that exchange or command, until the end; gives whether it was met."""
        name, _, lasting = fault.partition(", ")
        times = 1_000_000 if lasting else 1
        if name in LINKS:
            before = self.proxy.counts[LINKS[name]]
            self.proxy.fault(LINKS[name], after=at - 1, times=times)
        elif name in REPLIES:
            self.refusing.refuse(REPLIES[name], at=at, times=times)
        else:
            self.refusing.change(lambda: self._begin(name), at=at)
        try:
            yield (
                lambda: (
                    self.proxy.counts[LINKS[name]] > before
                    if name in LINKS
                    else self.refusing.met > 0
                )
            )
        finally:
            self._heal(name)

    def _begin(self, name: str) -> None:
        if name == "frozen":
            self.server.freeze()
        else:
            self.admin.execute_command(*STATES[name].begin)

    def _heal(self, name: str) -> None:
        self.proxy.heal()
        self.refusing.heal()
        self.server.thaw()
        if name in STATES:
            self.admin.execute_command(*STATES[name].end)


@pytest.fixture
def bench(new_server: Callable[..., Server]) -> Iterator[Bench]:
    with ExitStack() as keep:
        yield Bench(new_server(), keep)


def is_met(bench: Bench, what: str, fault: str, at: int, *, warm: bool) -> bool:
    """Make a call that meets a fault at that exchange, and look at everything behind it; whether it met it."""
    bench.prepare()
    with bench.through(fault) as db:
        if warm:
            db.query.frame()
            db.save_deal({"id": "warm", "n": 0})
        error: DealDBError | None = None
        with bench.met(fault, at) as was_met:
            try:
                CALLS[what](db)
            except DealDBError as problem:
                error = problem
            met = was_met()
        assert met or error is None
        assert fault != "scripts forgotten" or error is None
        look_at_the_change(bench, what, error)
        look_at_the_next_save(db)
        look_at_the_whole(bench, db)
        assert db.connection.pool_stats().in_use == 0
    assert eventually(lambda: not sockets(bench.server))
    return met


def look_at_the_change(bench: Bench, what: str, error: DealDBError | None) -> None:
    """What was acknowledged is there, and what was reported as not done isn't."""
    with bench.direct() as direct:
        if isinstance(error, OutcomeUnknown):
            happened = error.resolve()
            if what in IS_THERE and not what.startswith("loader"):
                assert IS_THERE[what](direct) == happened
        elif what in IS_THERE and (error is None or not what.startswith("loader")):
            # of a load that ends in an error, a part may be there
            assert IS_THERE[what](direct) == (error is None)


def look_at_the_next_save(db: DealDatabase) -> None:
    result = db.save_deal({"id": "next", "n": 777})
    assert result.outcome == "inserted"
    deal = db.get_deal("next")
    assert deal is not None
    assert (deal["n"], deal.rev) == (777, result.rev)


def look_at_the_whole(bench: Bench, db: DealDatabase) -> None:
    hashes = assert_agreement(bench.admin)
    view = sorted((deal, _shown(texts)) for deal, texts in hashes.items())
    with bench.direct() as fresh:
        for each in (db, fresh):
            found = sorted(view_of(each.query.frame()))
            assert [(deal, {**texts}) for deal, texts in found] == view
            assert len(each) == len(hashes)
        assert fresh.check().ok
    assert odd_keys(bench.admin) == []


def _shown(texts: Texts) -> Texts:
    return {name: text for name, text in texts.items() if not name.startswith("_")}


def cases() -> list[tuple[str, str]]:
    return [(what, fault) for what in CALLS for fault in FAULTS]


def test_no_public_method_is_missing() -> None:
    parts = {
        "": DealDatabase, "connection.": RedisConnection, "loader.": DataLoader,
        "query.": QueryEngine, "analytics.": Analytics,
    }  # fmt: skip
    tried = {what.split()[0] for what in CALLS}
    for prefix, part in parts.items():
        names = {name for name in vars(part) if not name.startswith("_")}
        missing = {prefix + name for name in names - QUIET.get(prefix, set())} - tried
        assert missing == set()


def test_a_sample_of_calls_and_faults(bench: Bench) -> None:
    rng = random.Random(SEED)
    # those that wait for a timeout are left to the long run, but for a few
    quick = [case for case in cases() if not case[1].startswith(SLOW)]
    slow = [case for case in cases() if case[1].startswith(SLOW)]
    for what, fault in [*rng.sample(quick, N_SAMPLED), *rng.sample(slow, 2)]:
        at, warm = rng.randint(1, 9), rng.random() < 0.5
        while not is_met(bench, what, fault, at, warm=warm):
            assert at > 1, f"{what} met no fault at all"
            at //= 2


@pytest.mark.parametrize("fault", ["reply lost", "reply lost, lasting", "no rights to write"])
@pytest.mark.parametrize("what", ["save_deal", "update_deal", "delete_deal"])
def test_changes_with_the_faults_that_matter_most(bench: Bench, what: str, fault: str) -> None:
    # a warm database needs one exchange
    for at in (1, 2):
        is_met(bench, what, fault, at, warm=at == 1)


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("what", CALLS)
def test_every_call_with_every_fault_at_every_exchange(bench: Bench, what: str, fault: str) -> None:
    for warm in (False, True):
        at = 1
        while is_met(bench, what, fault, at, warm=warm):
            at += 1
            assert at < MOST, f"{what} has no end"
        assert at > 1, f"{what} met no fault at all"
