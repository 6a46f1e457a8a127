"""Boards and peers in processes of their own, and what the system says of such a process."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_OPEN = re.compile(r"http://127\.0\.0\.1:(\d+)(/\?token=\S+)")
_ASSET = re.compile(r'(?:src|href)="([^"]*/static/[^"]+)"')
_TICKS = os.sysconf("SC_CLK_TCK")
# a peer brings them: a server that does not ask for them would use them all the same
_NOT_ITS_OWN = ("uvloop", "httptools", "websockets")
_WAIT_S = 120


@dataclass(frozen=True)
class Started:
    """
    A web server in a process of its own.

    Attributes
    ----------
    cookie
        Of who is signed in, as the header has it; empty where nobody has to.
    """

    port: int
    pid: int
    cookie: str = ""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, *, packed: bool = False) -> bytes:
        """A page as it goes over the wire."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_WAIT_S)
        headers = {"cookie": self.cookie} if self.cookie else {}
        link.request("GET", path, headers=headers | ({"accept-encoding": "gzip"} if packed else {}))
        answer = link.getresponse()
        body = answer.read()
        link.close()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status}")
        # what a proxy would do, where the server does not do it itself
        is_packed = answer.getheader("content-encoding") == "gzip"
        return gzip.compress(body) if packed and not is_packed else body

    def json(self, path: str) -> Any:
        """What a page gives as data."""
        return json.loads(self.get(path))

    def assets(self, path: str) -> int:
        """Bytes of the scripts and styles of a page."""
        found = set(_ASSET.findall(self.get(path).decode()))
        return sum(len(self.get(each)) for each in found)

    def cpu_s(self) -> float:
        """Seconds of processor time that it and the processes that it started have used."""
        parents, used = {}, {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = path.read_text().rpartition(")")[2].split()
            except OSError:
                # it ended meanwhile
                continue
            pid = int(path.parent.name)
            parents[pid] = int(fields[1])
            # its own, and that of its children that have ended
            used[pid] = sum(map(int, fields[11:15]))
        return sum(ticks for pid, ticks in used.items() if self._is_ours(pid, parents)) / _TICKS

    def _is_ours(self, pid: int, parents: dict[int, int]) -> bool:
        while pid in parents and pid != self.pid:
            pid = parents[pid]
        return pid == self.pid

    def memory_mb(self) -> float:
        """Memory that it holds."""
        text = Path(f"/proc/{self.pid}/status").read_text()
        [line] = [line for line in text.splitlines() if line.startswith("VmRSS:")]
        return int(line.split()[1]) / 1024

    def files(self) -> int:
        """Files and sockets that it has open."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))


def plainly(module: str, *options: str) -> list[str]:
    """The command of a program, run with what its own requirements bring."""
    code = (
        f"import runpy, sys; sys.modules.update(dict.fromkeys({_NOT_ITS_OWN!r}));"
        f" runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
    )
    return [sys.executable, "-c", code, *options]


@contextmanager
def started_board(url: str) -> Iterator[Started]:
    """``dealdb board``, with somebody signed in."""
    command = plainly("dealdb", "--url", url, "board", "--port", "0")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            found = _OPEN.search(process.stdout.readline())
            if found is None:
                raise RuntimeError("the board did not start")
            link = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=_WAIT_S)
            link.request("GET", found[2])
            cookie = str(link.getresponse().getheader("set-cookie")).partition(";")[0]
            link.close()
            yield Started(int(found[1]), process.pid, cookie)
        finally:
            process.terminate()


@contextmanager
def started_server(command: Sequence[str], path: str) -> Iterator[Started]:
    """A peer that listens on the port that stands for ``{port}``, once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    given = [each.replace("{port}", str(port)) for each in command]
    with subprocess.Popen(given, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            found = Started(port, process.pid)
            _wait_for(found, path, process)
            yield found
        finally:
            process.terminate()


def _wait_for(server: Started, path: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _WAIT_S
    while True:
        try:
            server.get(path)
        except (OSError, http.client.HTTPException, RuntimeError) as error:
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{process.args!r} does not answer") from error
            time.sleep(0.1)
        else:
            return
