"""
A TCP proxy that does to a link what networks do: commanded for all links, for one exchange to come, or at random.

It never reorders bytes of a link. An *exchange* begins with the first bytes of a request and ends with the first
bytes of its reply. The faults of one exchange, ``KINDS``:

===============  ==========================================================================================
``swallow``      the request never arrives, and the link is cut
``cut_request``  a part of the request arrives, and the link is cut
``lose_reply``   the request arrives, and the link is cut before anything of the reply does
``cut_reply``    the same after a part of the reply
``mute``         the request arrives, and the link stays open without a reply ever
``late``         the client sees a cut at once, the request arrives later (``seconds``)
``half_close``   the request arrives; instead of a reply the client sees the end of the stream (FIN only)
``delay``        the request arrives later (``seconds``), and the reply as usual
``rst``          the request never arrives, and both sides are reset
===============  ==========================================================================================

Examples
--------
>>> with Proxy(server.port) as proxy, DealDatabase(port=proxy.port) as db:  # doctest: +SKIP
...     proxy.lose_replies()
...     db.save_deal({"id": 1})
...     proxy.heal()
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, TypeVar, get_args

from faults.wire import Fault, Link, Side

T = TypeVar("T")
Kind = Literal[
    "swallow",
    "cut_request",
    "lose_reply",
    "cut_reply",
    "mute",
    "late",
    "half_close",
    "delay",
    "rst",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
Mode = Literal["pass", "hold", "refuse"]


@dataclass
class _Planned:
    """A fault that waits for its exchange."""

    fault: Fault
    after: int
    matching: bytes
    times: int


class Proxy:
    """
    A port that leads to a server, faults included.

    All commands may be given from any thread, and are in force when they return.

    Parameters
    ----------
    target
        The server: a port of this machine, or the path of a unix socket. May be changed, for links to come.
    port
        Where to listen; 0 takes a free one.
    seed
        Of everything that is random.

    Attributes
    ----------
    port
        Where it listens.
    counts
        Faults by kind: those of exchanges, and ``refused``, ``held``, ``cut``, ``lost_replies``.
    accepted
        Links so far.
    late
        Requests whose client is gone, and that are still to arrive.
    """

    def __init__(self, target: int | str | Path, *, port: int = 0, seed: int = 0) -> None:
        self.target = target
        self.port = port
        self.counts: Counter[str] = Counter()
        self.accepted = 0
        self.late = 0
        self.rng = random.Random(seed)
        self.links: set[Link] = set()
        self.sides: set[Side] = set()
        self.mode: Mode = "pass"
        self.losing: Literal["", "cut", "mute"] = ""
        self.slow_s: float | None = None
        self.chop_s: float | None = None
        self._planned: list[_Planned] = []
        self._chance = 0.0
        self._kinds: tuple[Kind, ...] = KINDS
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="fault-proxy", daemon=True
        )

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Where a client connects."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> Self:
        self._thread.start()
        self._do(lambda: None)  # the loop runs
        self.listen()
        return self

    def close(self) -> None:
        """Cut all links and end the thread; more than once does nothing."""
        if not self._loop.is_closed():
            self.unlisten()
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(30)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    async def _end(self) -> None:
        tasks = asyncio.all_tasks(self._loop) - {asyncio.current_task(self._loop)}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for side in list(self.sides):
            side.close(rst=True)
        while self.sides:
            await asyncio.sleep(0.001)

    def _do(self, work: Callable[[], T]) -> T:
        done: Future[T] = Future()

        def run() -> None:
            try:
                done.set_result(work())
            except BaseException as problem:
                done.set_exception(problem)

        self._loop.call_soon_threadsafe(run)
        return done.result(30)

    # whether there is anybody ------------------------------------------------------------------------------------

    def listen(self) -> None:
        """Accept links, at the same port as before."""

        async def listen() -> asyncio.Server:
            return await self._loop.create_server(self._accept, "127.0.0.1", self.port)

        self._server = asyncio.run_coroutine_threadsafe(listen(), self._loop).result(30)
        self.port = self._server.sockets[0].getsockname()[1]

    def unlisten(self) -> None:
        """Let the port be closed: a connect is refused by the system itself. Links that there are stay."""
        self._do(self._server.close)

    def refuse(self) -> None:
        """Reset each new link at once; links that there are stay (``cut_all``)."""
        self._set(mode="refuse")

    def hold(self) -> None:
        """Accept links and forward nothing, either way, until ``heal``; then all of it goes on."""
        self._set(mode="hold")

    # all links from now on ---------------------------------------------------------------------------------------

    def lose_replies(self, *, silent: bool = False) -> None:
        """From now on requests arrive and no reply comes back: the link is cut, or with ``silent`` stays open."""
        self._set(losing="mute" if silent else "cut")

    def slow(self, seconds: float) -> None:
        """Let each chunk wait that long, either way."""
        self._set(slow_s=seconds)

    def chop(self, jitter_s: float = 0.0) -> None:
        """Forward bytes one by one (of large chunks the first 400), with up to ``jitter_s`` of pause behind a chunk."""
        self._set(chop_s=jitter_s)

    def cut_all(self, *, rst: bool = False) -> int:
        """Cut all links now, both sides; returns how many there were."""
        n = self._do(lambda: self._cut(rst=rst))
        # a socket is closed in the loop's next round
        self._do(lambda: None)
        return n

    def half_close_all(self) -> int:
        """Let the client of each link see the end of the stream, while what it sends still arrives."""
        return self._do(lambda: self._each(Link.half_close))

    def chance(self, probability: float, kinds: tuple[Kind, ...] = KINDS) -> None:
        """Let each chunk of a request meet one of these faults with that probability."""
        self._do(lambda: self._begin_chance(probability, kinds))

    def heal(self) -> None:
        """End everything that was commanded; links that were cut stay cut, what was held goes on its way."""
        self._do(self._heal)

    # one exchange ------------------------------------------------------------------------------------------------

    def fault(
        self,
        kind: Kind,
        *,
        after: int = 0,
        matching: bytes = b"",
        times: int = 1,
        at: int | None = None,
        seconds: float = 0.2,
    ) -> None:
        """
        Plan a fault for an exchange to come, of whatever link.

        Parameters
        ----------
        kind
            What happens.
        after
            How many exchanges to let pass before.
        matching
            Count only those whose first chunk of the request has these bytes, such as ``b"EVALSHA"``.
        times
            How many in a row it meets.
        at
            Of ``cut_request`` and ``cut_reply``: how many bytes pass. None: half of the first chunk.
        seconds
            Of ``delay`` and ``late``.
        """
        planned = _Planned(Fault(kind, at, seconds), after, matching, times)
        self._do(lambda: self._planned.append(planned))

    def is_idle(self) -> bool:
        """Whether all planned faults have met their exchange."""
        return self._do(lambda: not self._planned)

    # inside the loop ---------------------------------------------------------------------------------------------

    def _set(self, **modes: Any) -> None:
        self._do(lambda: self.__dict__.update(modes))

    def _begin_chance(self, probability: float, kinds: tuple[Kind, ...]) -> None:
        self._chance, self._kinds = probability, kinds

    def _heal(self) -> None:
        self.mode, self.losing = "pass", ""
        self.slow_s = self.chop_s = None
        self._chance = 0.0
        self._planned.clear()

    def _accept(self) -> asyncio.Protocol:
        self.accepted += 1
        return Link(self).client

    def _each(self, work: Callable[[Link], None]) -> int:
        links = list(self.links)
        for link in links:
            work(link)
        return len(links)

    def _cut(self, *, rst: bool) -> int:
        n = self._each(lambda link: link.cut(rst=rst))
        self.counts["cut"] += n
        return n

    def pick(self, data: bytes, *, begins: bool) -> Fault | None:
        """The fault that a chunk of a request meets, if any; ``begins`` where it is the first of its exchange."""
        if begins and self._planned and (fault := self._due(data)):
            return fault
        if self._chance and self.rng.random() < self._chance:
            at = self.rng.randrange(len(data))
            seconds = self.rng.choice((0.005, 0.03, 0.2, 0.8, 2.5))
            return Fault(self.rng.choice(self._kinds), at, seconds)
        return None

    def _due(self, data: bytes) -> Fault | None:
        for planned in self._planned:
            if planned.matching not in data:
                continue
            if planned.after:
                planned.after -= 1
                continue
            planned.times -= 1
            if not planned.times:
                self._planned.remove(planned)
            return planned.fault
        return None

    @property
    def has_no_faults(self) -> bool:
        """Whether no request can meet a fault."""
        return not self._planned and not self._chance

    @property
    def is_calm(self) -> bool:
        """Whether a chunk may be forwarded at once."""
        return self.mode != "hold" and self.slow_s is None and self.chop_s is None
