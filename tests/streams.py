"""Pages that listen to the stream of a board, and what they are told."""

from __future__ import annotations

import http.client
import json
import time
from dataclasses import dataclass
from typing import Any

from boards import Browser


@dataclass
class LiveEvent:
    """An event as a page has it."""

    kind: str
    token: str
    raw: bytes

    @property
    def data(self) -> Any:
        return json.loads(self.raw.partition(b"data: ")[2])


class Stream:
    """A page that listens."""

    def __init__(self, browser: Browser, path: str, last: str | None) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", browser.port, timeout=15)
        headers = browser.headers | ({"last-event-id": last} if last else {})
        self._connection.request("GET", path, headers=headers)
        self._answer = self._connection.getresponse()
        self.status = self._answer.status
        self.kind = self._answer.getheader("content-type")

    def next(self, kind: str | None = None) -> LiveEvent:
        """The next event, or the next one of a kind."""
        deadline, other = time.monotonic() + 10, None
        while time.monotonic() < deadline:
            lines = []
            while (line := self._answer.readline()) != b"\n":
                assert line, "the stream has ended"
                lines.append(line)
            raw = b"".join(lines)
            given = dict(
                part.rstrip().split(b": ", 1) for part in lines if not part.startswith(b":")
            )
            if b"event" not in given:
                continue
            found = LiveEvent(given[b"event"].decode(), given.get(b"id", b"").decode(), raw)
            if kind in (None, found.kind):
                return found
            other = found
        raise AssertionError(f"no event {kind}; the last one was {other}")

    def rest(self) -> bytes:
        return self._answer.read()

    def ends(self) -> bool:
        """Whether it ends soon, whatever is told before."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if not self._answer.readline():
                return True
        return False

    def close(self) -> None:
        # the answer holds the socket open, too
        self._answer.close()
        self._connection.close()
