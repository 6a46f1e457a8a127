"""What a browser sends to a board, without one."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, self.headers | given)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
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


@contextmanager
def carried(application: Guard) -> Iterator[int]:
    """The port on which an application listens."""
    server = uvicorn.Server(uvicorn.Config(application, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    # streams of open pages would be waited for
    application.close()
    server.should_exit = True
    thread.join()
