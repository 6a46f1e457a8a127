"""Carries out the faults of a schedule on a real server, the proxy before it, and the workers behind that."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from faults.history import COLLECTION
from faults.proxy import KINDS as LINK_KINDS
from faults.proxy import Kind, Proxy
from faults.schedule import Planned
from servers import Server

T = TypeVar("T")
# rights as docs/operations.md has them, and what `health` asks for
USER = """
    --user worker on >secret resetkeys ~deal:* ~deals:* resetchannels -@all
    +ping +select +type +exists +scan
    +get +set +mget +del +unlink +hget +hset +hmget +hdel +hgetall
    +sadd +srem +smembers +xadd +xlen +xrange +xread +xtrim
    +eval +evalsha +time +info +config|get
"""
TAKEN = (
    "hset",
    "hdel",
    "del",
    "xadd",
    "evalsha",
    "hmget",
    "hget",
    "xrange",
    "get",
    "xread",
    "time",
)
# seconds that a clock is wrong by
_SHIFTS = (-3600, -7200, 3600, 86_400, 365 * 86_400)


class Control:
    """
    What a run does to its server, link and workers.

    Parameters
    ----------
    server
        The server; its owner asks over the unix socket, past the proxy.
    proxy
        Between it and the workers.
    kill_worker
        Kills one of the workers and starts it again; the number from 0 to 1 says which.
    clock
        File in which libfaketime looks for the time, or None without it.
    """

    def __init__(
        self,
        server: Server,
        proxy: Proxy,
        kill_worker: Callable[[float], None],
        clock: Path | None = None,
    ) -> None:
        self._server = server
        self._proxy = proxy
        self._restart_worker = kill_worker
        self._clock_file = clock or Path()

    def carry_out(self, fault: Planned) -> float:
        """Begin a fault, wait, end it; returns when it was over."""
        end = getattr(self, f"_{fault.kind}")(fault) or (lambda: None)
        time.sleep(fault.seconds)
        end()
        return time.monotonic()

    def ask(self, *command: str | int) -> None:
        """A command of the owner; a server that is busy with a fault of its own answers later."""
        for _ in range(200):
            try:
                with self.client() as client:
                    client.execute_command(*command)
                return
            except redis.RedisError:
                time.sleep(0.05)
        raise RuntimeError(f"the server does not carry out {command[0]}")

    def client(self) -> redis.Redis:
        return redis.Redis(
            unix_socket_path=str(self._server.socket),
            protocol=2,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=10,
        )

    # the server --------------------------------------------------------------------------------------------------

    def _kill(self, fault: Planned) -> Callable[[], None]:
        self._server.kill()

        def start() -> None:
            self._server.start()

        return start

    def _freeze(self, fault: Planned) -> Callable[[], None]:
        self._server.freeze()
        return self._server.thaw

    def _client_kill(self, fault: Planned) -> None:
        self.ask("CLIENT", "KILL", "TYPE", "normal")

    def _client_pause(self, fault: Planned) -> None:
        way = "WRITE" if fault.draw < 0.5 else "ALL"
        self.ask("CLIENT", "PAUSE", round(fault.seconds * 1000), way)

    def _script_flush(self, fault: Planned) -> None:
        self.ask("SCRIPT", "FLUSH")

    def _out_of_memory(self, fault: Planned) -> Callable[[], None]:
        self.ask("CONFIG", "SET", "maxmemory", 1)
        return lambda: self.ask("CONFIG", "SET", "maxmemory", 0)

    def _rights(self, fault: Planned) -> Callable[[], None]:
        taken = _chosen(TAKEN, fault.draw)
        self.ask("ACL", "SETUSER", "worker", f"-{taken}")
        return lambda: self.ask("ACL", "SETUSER", "worker", f"+{taken}")

    def _demote(self, fault: Planned) -> Callable[[], None]:
        # a replica of nobody who answers keeps its deals and refuses changes
        self.ask("REPLICAOF", "127.0.0.1", 1)
        return lambda: self.ask("REPLICAOF", "NO", "ONE")

    def _rewrite(self, fault: Planned) -> None:
        with suppress(redis.ResponseError), self.client() as client:
            # one may be under way
            client.execute_command("BGREWRITEAOF")

    def _lease(self, fault: Planned) -> None:
        self.ask("DEL", f"{COLLECTION}s:lease")

    def _clock(self, fault: Planned) -> Callable[[], None]:
        shift = _chosen(_SHIFTS, fault.draw)
        self._set_clock(shift)
        return lambda: self._set_clock(0)

    def _set_clock(self, seconds: int) -> None:
        set_clock(self._clock_file, seconds)

    def _kill_worker(self, fault: Planned) -> None:
        self._restart_worker(fault.draw)

    # the link ----------------------------------------------------------------------------------------------------

    def _refuse(self, fault: Planned) -> Callable[[], None]:
        self._proxy.refuse()
        self._proxy.cut_all(rst=fault.draw < 0.5)
        return self._proxy.heal

    def _hold(self, fault: Planned) -> Callable[[], None]:
        self._proxy.hold()
        return self._proxy.heal

    def _lose_replies(self, fault: Planned) -> Callable[[], None]:
        self._proxy.lose_replies()
        return self._proxy.heal

    def _mute(self, fault: Planned) -> Callable[[], None]:
        self._proxy.lose_replies(silent=True)
        return self._proxy.heal

    def _chop(self, fault: Planned) -> Callable[[], None]:
        self._proxy.chop(0.005)
        return self._proxy.heal

    def _slow(self, fault: Planned) -> Callable[[], None]:
        self._proxy.slow(fault.draw * 0.05)
        return self._proxy.heal

    def _cut(self, fault: Planned) -> None:
        self._proxy.cut_all()

    def _rst(self, fault: Planned) -> None:
        self._proxy.cut_all(rst=True)

    def _half_close(self, fault: Planned) -> None:
        self._proxy.half_close_all()

    def _chance(self, fault: Planned) -> Callable[[], None]:
        self._proxy.chance(0.01 + 0.1 * fault.draw)
        return self._proxy.heal

    def _exchanges(self, fault: Planned) -> Callable[[], None]:
        kind: Kind = _chosen(LINK_KINDS, fault.draw)
        self._proxy.fault(kind, matching=b"EVALSHA", times=6, seconds=0.4)
        return self._proxy.heal


def _chosen(choices: Sequence[T], draw: float) -> T:
    return choices[int(draw * len(choices))]


def set_clock(file: Path, seconds: int) -> None:
    """Let processes under libfaketime see another time: at once, from one moment to the next."""
    new = file.with_suffix(".new")
    new.write_text(f"{seconds:+d}")
    new.replace(file)


def faketime_library() -> Path | None:
    """The library that gives a process another clock, where there is one."""
    # of the servers here, those with jemalloc can't start under it: each calls the other before it is ready
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    return found[0] if found else None


def clock_env(library: Path, file: Path) -> dict[str, str]:
    """Environment of a server whose clock ``set_clock`` moves by this file; only the time of day, not timeouts."""
    set_clock(file, 0)
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
