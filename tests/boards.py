"""What a browser sends to a board, without one."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn

from dealdb.board.guard import Guard


@dataclass
class Browser:
    """A browser at a board on this machine; ``headers`` go with all that it asks."""

    port: int
    headers: dict[str, str] = field(default_factory=dict)

    def ask(self, path: str, **headers: str) -> tuple[int, str, dict[str, str]]:
        return self.send("GET", path, None, headers)

    def post(self, path: str, body: bytes, **headers: str) -> tuple[int, str, dict[str, str]]:
        return self.send("POST", path, body, headers)

    def send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, str, dict[str, str]]:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        # a page of all figures takes seconds on a busy machine
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)) as connection:
            connection.request(method, path, body, self.headers | given)
            answer = connection.getresponse()
            text = answer.read().decode()
        return answer.status, text, {name.lower(): value for name, value in answer.getheaders()}

    def change(self, path: str, body: object) -> tuple[int, Any]:
        """Send a change as the pages do."""
        own = {
            "origin": f"http://127.0.0.1:{self.port}",
            "x-dealdb": "1",
            "content-type": "application/json",
        }
        status, text, _ = self.send("POST", path, json.dumps(body).encode(), own)
        return status, json.loads(text)

    def data(self, path: str) -> Any:
        """What a path with .json gives."""
        status, text, _ = self.ask(path)
        assert status == 200, text
        return json.loads(text)


class Carrier(uvicorn.Server):
    """Ends as soon as it is told: another one looks in pauses, which are a third of many tests."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop, self._told = asyncio.get_running_loop(), asyncio.Event()
        await super().startup(sockets)

    async def main_loop(self) -> None:
        # the headers of all answers
        await self.on_tick(0)
        await self._told.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        while self.server_state.tasks:
            await asyncio.sleep(0.002)
        await self.lifespan.shutdown()

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._told.set)


@contextmanager
def carried(application: Guard) -> Iterator[int]:
    """The port on which an application listens."""
    server = Carrier(uvicorn.Config(application, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    # streams of open pages would be waited for
    application.close()
    server.end()
    thread.join()
