"""Many open pages without browsers: each reads its stream, and notes when it heard of which commit."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from threading import Thread
from typing import Self

from benchmarks.board.started import Started

_SEQ = re.compile(rb'"seq": ?(\d+)')


class Streams:
    """
    Pages that listen, in a thread of their own; a block ends them.

    Parameters
    ----------
    board
        The board.
    addresses
        Of the pages.
    """

    def __init__(self, board: Started, addresses: Sequence[str]) -> None:
        self._board = board
        self._addresses = addresses
        # of each page: when it heard of a commit, by its number
        self.heard: list[dict[int, float]] = [{} for _ in addresses]
        self.received = 0
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        _until(lambda: all(self.heard))
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop)
        self._thread.join()

    def wait_for(self, seq: int) -> None:
        """Until all pages have heard of a commit."""
        _until(lambda: all(max(each) >= seq for each in self.heard))

    def renderings(self, commits: dict[int, float]) -> int:
        """How often the pages that show the same were told of these commits: once for several that came together."""
        views = dict(zip(self._addresses, self.heard, strict=True)).values()
        return sum(sum(seq >= min(commits) for seq in heard) for heard in views)

    def latencies(self, commits: dict[int, float]) -> list[float]:
        """Seconds from the call that saved each commit to each page: what came with a later one counts for it, too."""
        found = []
        for heard in self.heard:
            arrivals = sorted(heard.items())
            for seq, saved in commits.items():
                found.append(min(when for number, when in arrivals if number >= seq) - saved)
        return sorted(found)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        pages = zip(self._addresses, self.heard, strict=True)
        self._tasks = [self._loop.create_task(self._listen(*page)) for page in pages]
        self._loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
        self._loop.close()

    def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _listen(self, address: str, heard: dict[int, float]) -> None:
        path, _, options = address.partition("?")
        reader, writer = await asyncio.open_connection("127.0.0.1", self._board.port, limit=2**22)
        host = f"127.0.0.1:{self._board.port}"
        asked = f"GET /live?path={path}&{options} HTTP/1.1\r\nHost: {host}\r\nCookie: {self._board.cookie}\r\n\r\n"
        writer.write(asked.encode())
        try:
            while line := await reader.readline():
                self.received += len(line)
                if line.startswith(b"data:") and (found := _SEQ.search(line)):
                    heard.setdefault(int(found[1]), time.perf_counter())
        finally:
            writer.close()


def _until(is_so: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            raise TimeoutError("the pages did not hear of it")
        time.sleep(0.01)
