"""``Counted``: a port that passes on what comes, and counts the bytes that a server sends to its browsers."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from threading import Event, Thread
from typing import Self

from benchmarks.board.started import Started

_AT_ONCE = 2**16


class Counted:
    """
    The way to a server, with its bytes counted as they go over the wire: heads, packed bodies, events, web sockets.

    Parameters
    ----------
    to
        The server.
    """

    def __init__(self, to: Started) -> None:
        self._to = to
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._run, daemon=True)
        self._listens = Event()
        self._end = asyncio.Event()
        self._port = 0
        self.received = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._listens.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    @property
    def at(self) -> Started:
        """The same server by this way."""
        # the board's cookie has the port in its name
        cookie = self._to.cookie.replace(f"-{self._to.port}=", f"-{self._port}=", 1)
        return replace(self._to, port=self._port, cookie=cookie)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._link, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        self._listens.set()
        await self._end.wait()
        server.close()

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._to.port)
        await asyncio.gather(self._pass(reader, back), self._pass(there, writer, counts=True))

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counts: bool = False
    ) -> None:
        try:
            while found := await reader.read(_AT_ONCE):
                self.received += len(found) if counts else 0
                writer.write(found)
                await writer.drain()
        except OSError:
            # a browser that leaves cuts its links
            pass
        finally:
            writer.close()
