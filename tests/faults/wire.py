"""One link of the proxy: two sockets, and what happens to the chunks between them."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from faults.proxy import Proxy

# tells a mode that ends from one that goes on; a link that is held costs next to nothing
_STEP_S = 0.005
_CHOPPED = 400


@dataclass(frozen=True)
class Fault:
    """What happens to one exchange; ``at`` bytes pass before a cut, ``seconds`` before a delayed request goes on."""

    kind: str
    at: int | None = None
    seconds: float = 0.2


class Side(asyncio.Protocol):
    """One socket of a link; chunks that can't be forwarded at once wait in its queue, in their order."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.transport: asyncio.Transport | None = None
        self._waiting: deque[bytes] = deque()
        self._pump: asyncio.Task[None] | None = None

    @property
    def is_client(self) -> bool:
        return self is self.link.client

    @property
    def other(self) -> Side:
        return self.link.server if self.is_client else self.link.client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.link.made(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.link.lost(self)
        if not self.link.is_late:
            self.link.cut()

    def data_received(self, data: bytes) -> None:
        if self._pump is None and self.link.passes_at_once(self, data):
            self.other.write(data)
            return
        self._waiting.append(data)
        if self._pump is None:
            self._pump = self.link.spawn(self._forward_all())

    async def _forward_all(self) -> None:
        await self.link.connected.wait()
        while self._waiting and not self.link.is_cut:
            await self.link.forward(self, self._waiting.popleft())
        self._pump = None

    def write(self, data: bytes) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    def pause_writing(self) -> None:
        if self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other.transport is not None and not self.other.transport.is_closing():
            self.other.transport.resume_reading()

    def close(self, *, rst: bool = False) -> None:
        if self.transport is None:
            return
        if not rst:
            self.transport.close()
            return
        sock: socket.socket | None = self.transport.get_extra_info("socket")
        if sock is not None and sock.family != socket.AF_UNIX and sock.fileno() >= 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


class Link:
    """A client's socket and the one to the server that belongs to it."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._tasks: set[asyncio.Task[None]] = set()
        self.client = Side(self)
        self.server = Side(self)
        self.connected = asyncio.Event()
        self.is_cut = False
        # the client is gone, and a request of it is still on its way
        self.is_late = False
        self._is_muted = False
        self._awaits_reply = False
        self._on_reply: Fault | None = None

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def lost(self, side: Side) -> None:
        self._proxy.sides.discard(side)

    def made(self, side: Side) -> None:
        self._proxy.sides.add(side)
        if side is self.server:
            self.connected.set()
            return
        if self._proxy.mode == "refuse":
            self._count("refused")
            self.cut(rst=True)
            return
        if self._proxy.mode == "hold":
            self._count("held")
        self._proxy.links.add(self)
        self.spawn(self._connect())

    async def _connect(self) -> None:
        await self._while_held()
        loop, target = asyncio.get_running_loop(), self._proxy.target
        try:
            if isinstance(target, int):
                await loop.create_connection(lambda: self.server, "127.0.0.1", target)
            else:
                await loop.create_unix_connection(lambda: self.server, str(target))
        except OSError:
            self._count("unreachable")
            self.cut(rst=True)
        if self.is_cut:
            self.server.close()

    def cut(self, *, rst: bool = False) -> None:
        self.is_cut = True
        self._proxy.links.discard(self)
        self.client.close(rst=rst)
        self.server.close(rst=rst)
        self.connected.set()

    def half_close(self) -> None:
        """End the stream to the client; what it sends still arrives."""
        self._is_muted = True
        if self.client.transport is not None and not self.client.transport.is_closing():
            self.client.transport.write_eof()

    def _count(self, kind: str) -> None:
        self._proxy.counts[kind] += 1

    # chunks ------------------------------------------------------------------------------------------------------

    def passes_at_once(self, side: Side, data: bytes) -> bool:
        """Whether a chunk meets nothing; if so, it counts as forwarded."""
        if not self._proxy.is_calm or not self.connected.is_set() or self.is_cut:
            return False
        if side.is_client:
            return self._proxy.has_no_faults and self._note_request()
        if self._on_reply or self._is_muted or self._proxy.losing:
            return False
        self._awaits_reply = False
        return True

    def _note_request(self) -> bool:
        self._awaits_reply = True
        return True

    async def forward(self, side: Side, data: bytes) -> None:
        await self._while_held()
        await asyncio.sleep(self._proxy.slow_s or 0)
        if side.is_client:
            await self._request(data)
        else:
            await self._reply(data)

    async def _while_held(self) -> None:
        while self._proxy.mode == "hold" and not self.is_cut:
            await asyncio.sleep(_STEP_S)

    async def _request(self, data: bytes) -> None:
        fault = self._proxy.pick(data, begins=not self._awaits_reply)
        self._awaits_reply = True
        if fault is None:
            await self._put(self.server, data)
            return
        self._count(fault.kind)
        if fault.kind in ("lose_reply", "cut_reply", "mute", "half_close"):
            self._on_reply = fault
            await self._put(self.server, data)
        elif fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
            await self._put(self.server, data)
        elif fault.kind == "late":
            await self._deliver_late(data, fault.seconds)
        else:
            if fault.kind == "cut_request":
                self._is_muted = True
                await self._put(self.server, data[: _place(fault, data)])
                await asyncio.sleep(0.001)
            self.cut(rst=fault.kind == "rst")

    async def _deliver_late(self, data: bytes, seconds: float) -> None:
        self.is_late = self._is_muted = True
        self._proxy.links.discard(self)
        self.client.close(rst=True)
        self._proxy.late += 1
        try:
            await asyncio.sleep(seconds)
            self.server.write(data)
            # the server has to read it before it sees the end
            await asyncio.sleep(0.05)
        finally:
            self._proxy.late -= 1
            self.cut()

    async def _reply(self, data: bytes) -> None:
        self._awaits_reply = False
        if self._is_muted:
            return
        fault = self._on_reply or (Fault(self._proxy.losing) if self._proxy.losing else None)
        if fault is None:
            await self._put(self.client, data)
            return
        if fault is not self._on_reply:
            self._count("lost_replies")
        self._on_reply = None
        if fault.kind == "mute":
            self._is_muted = True
        elif fault.kind == "half_close":
            self.half_close()
        else:
            if fault.kind == "cut_reply":
                self.client.write(data[: _place(fault, data)])
            self.cut()

    async def _put(self, side: Side, data: bytes) -> None:
        # it may be over before the last byte
        longest_s = self._proxy.chop_s
        if longest_s is None:
            side.write(data)
            return
        for place in range(min(len(data), _CHOPPED)):
            side.write(data[place : place + 1])
            await asyncio.sleep(0)
        side.write(data[_CHOPPED:])
        await asyncio.sleep(self._proxy.rng.uniform(0, longest_s))


def _place(fault: Fault, data: bytes) -> int:
    return len(data) // 2 if fault.at is None else min(fault.at, len(data))
