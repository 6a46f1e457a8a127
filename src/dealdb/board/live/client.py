"""``LiveClient``: an open page, and the events that wait for it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable

# events that wait for a page that is slow; then it makes itself anew
MOST_WAITING = 64
RELOAD = b"event: reload\ndata: {}\n\n"


class LiveClient:
    """
    An open page; made in the loop that serves it, and given events from any thread.

    Parameters
    ----------
    token
        Of the last commit that it has seen.
    seq
        Number of the commit that it shows, where the token is not known.
    day
        On which it judges what is overdue; None where it does not.
    """

    def __init__(self, token: str | None, seq: int | None, day: str | None = None) -> None:
        self.token = token
        self.seq = seq
        self.day = day
        self.is_told = False
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[bytes] = deque()
        self._has_news = asyncio.Event()
        self._ended = False

    def put(self, event: bytes) -> None:
        """Let an event wait for the page; one too many, and there is only the advice to reload."""
        self.add(event)
        wake([self])

    def add(self, event: bytes) -> None:
        """The same for a page that ``wake`` tells of it later, together with others."""
        if self._ended:
            return
        if len(self._waiting) >= MOST_WAITING:
            # another one, as the loop may be taking an event out of this one
            self._waiting = deque([RELOAD])
            self._ended = True
        else:
            self._waiting.append(event)

    def end(self) -> None:
        """Let the page have what waits, and then nothing more."""
        self._ended = True
        wake([self])

    async def next(self, timeout_s: float) -> bytes | None:
        """The event that waits longest; empty when none came in time, None at the end."""
        if not self._waiting and not self._ended:
            try:
                # without a task of its own, as wait_for makes one
                async with asyncio.timeout(timeout_s):
                    await self._has_news.wait()
            except TimeoutError:
                return b""
        self._has_news.clear()
        if waiting := self._waiting:
            found = waiting.popleft()
            if self._waiting or self._ended:
                self._has_news.set()
            return found
        return None if self._ended else b""


def wake(clients: Iterable[LiveClient]) -> None:
    """Have pages look at what waits for them; all that one loop serves in one call, as each is a call of the system."""
    by_loop: dict[asyncio.AbstractEventLoop, list[LiveClient]] = {}
    for client in clients:
        by_loop.setdefault(client._loop, []).append(client)
    for loop, served in by_loop.items():
        try:
            loop.call_soon_threadsafe(_have_news, served)
        except RuntimeError:
            # the loop is closed, and its pages with it
            for client in served:
                client._ended = True


def _have_news(clients: list[LiveClient]) -> None:
    for client in clients:
        client._has_news.set()
