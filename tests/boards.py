"""What a browser sends to a board, without one."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


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
        own = {"origin": f"http://127.0.0.1:{self.port}", "x-dealdb": "1", "content-type": "application/json"}
        status, text, _ = self.send("POST", path, json.dumps(body).encode(), own)
        return status, json.loads(text)

    def data(self, path: str) -> Any:
        """What a path with .json gives."""
        status, text, _ = self.ask(path)
        assert status == 200, text
        return json.loads(text)
