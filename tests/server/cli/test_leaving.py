"""A signal ends the program with its own code and no traceback, whenever it comes; each in a process of its own."""

from __future__ import annotations

import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from boards import Browser
from dealdb import DealDatabase
from servers import Server

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
COMMANDS = (["get", "x"], ["save", "id=1", "name=Acme"], ["stats"], ["find", "stage = 'Won'"], ["--help"])  # fmt: skip
# before its first line a program has no say in how a signal ends it, and Linux alone tells when that was
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")


def state_of(process: subprocess.Popen[str]) -> tuple[str, int]:
    """Letter of its state, and the signals that it handles, as bits."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    facts = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    return facts["State"][0], int(facts.get("SigCgt", "0"), 16)


def begun(command: list[str]) -> subprocess.Popen[str]:
    """A program that handles signals by now."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dealdb", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    while state_of(process)[0] != "Z" and not state_of(process)[1] >> signal.SIGHUP - 1 & 1:
        time.sleep(0.001)
    return process


def end(process: subprocess.Popen[str], delay_s: float, *numbers: signal.Signals) -> None:
    """Send signals after a while, and see how it ends."""
    time.sleep(delay_s)
    # what is about to end, with a code of its own, may not hear it any more
    was_late = state_of(process)[0] == "Z"
    for number in numbers:
        process.send_signal(number)
        time.sleep(0.02 * (len(numbers) > 1))
    _, message = process.communicate(timeout=60)
    told = (process.args, delay_s, message)
    assert "Traceback" not in message, told
    assert "Exception ignored" not in message, told
    assert was_late or process.returncode == CODES[numbers[0]] or process.returncode in (0, 1), told


def try_at(delays: list[float], *numbers: signal.Signals) -> None:
    for number, delay in enumerate(delays):
        end(begun(COMMANDS[number % len(COMMANDS)]), delay, *numbers)


def test_an_interrupt_at_any_moment_gives_130() -> None:
    # all at once, as a start is most of the time
    started = [begun(["get", "x"]) for _ in range(4)]
    for process in started:
        end(process, 0.04, signal.SIGINT)
    first = begun(["stats"])
    end(first, 0.1, signal.SIGINT, signal.SIGINT)
    assert first.returncode == 130


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_other_signals_have_codes_of_their_own(number: signal.Signals) -> None:
    process = begun(["stats"])
    end(process, 0.05, number)
    assert process.returncode == CODES[number]


@pytest.mark.slow
@pytest.mark.parametrize("numbers", [[signal.SIGINT], [signal.SIGINT] * 2, [signal.SIGTERM]])
def test_signals_at_a_hundred_moments(numbers: list[signal.Signals]) -> None:
    generator = random.Random(1)
    try_at([generator.random() * 1.2 for _ in range(100)], *numbers)


LOST = """
import _thread, signal, time
start = _thread.start_new_thread
def start_slowly(*of):
    start(*of)
    time.sleep({busy_s})
_thread.start_new_thread = start_slowly
from dealdb.cli import leaving
leaving.leave_in_order()
class Thing:
    def __del__(self):
        signal.raise_signal(signal.{name})
try:
    Thing()
    time.sleep(5)
except BaseException as error:
    print(repr(error))
"""


@pytest.mark.parametrize("busy_s", [0, 0.1])
@pytest.mark.parametrize(
    ("name", "raised"), [("SIGINT", "KeyboardInterrupt()"), ("SIGTERM", "SystemExit(143)")]
)
def test_a_signal_in_a_finalizer_is_not_lost(name: str, raised: str, busy_s: float) -> None:
    code = LOST.format(name=name, busy_s=busy_s)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (f"{raised}\n", "")


def test_what_nohup_ignores_stays_ignored() -> None:
    code = (
        "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); from dealdb.cli import leaving;"
        "leaving.leave_at_once(); leaving.leave_in_order(); signal.raise_signal(signal.SIGHUP); print('here')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "here\n")


def test_a_second_interrupt_does_not_cut_short_what_the_first_one_cleans_up() -> None:
    code = (
        "import os, signal; from dealdb.cli import leaving; leaving.leave_in_order()\n"
        "try:\n    signal.raise_signal(signal.SIGINT)\n"
        "finally:\n    signal.raise_signal(signal.SIGINT); print('clean', flush=True); os._exit(0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "clean\n")


def test_an_interrupt_in_code_that_was_a_text_ends_the_program_with_130() -> None:
    code = (
        "import sys; from dealdb.cli import main\n"
        "main.main = lambda _: exec('raise KeyboardInterrupt')\nmain.run()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "error: interrupted\n")


@contextmanager
def board_of(server: Server) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A board that waits for its server as long as it takes, and the address that it prints."""
    url = f"unix://{server.socket}?socket_timeout_s=600"
    process = subprocess.Popen(
        [sys.executable, "-m", "dealdb", "--url", url, "board", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().removeprefix("Open").strip()
    finally:
        process.kill()
        process.wait()


def test_a_board_ends_while_its_first_page_is_being_made(server: Server) -> None:
    with DealDatabase.from_url(f"unix://{server.socket}") as db:
        db.loader.load([{"id": str(n), "stage": "Lead"} for n in range(20_000)])
    # whatever the page still has to read comes no more
    with board_of(server) as (process, _), server.frozen():
        end(process, 0.2, signal.SIGINT)
    assert process.returncode == 130


def test_a_board_ends_while_somebody_waits_for_a_page(server: Server) -> None:
    with DealDatabase.from_url(f"unix://{server.socket}") as db:
        db.save_deal({"id": "1", "stage": "Lead"})
    with board_of(server) as (process, address):
        parts = urlsplit(address)
        browser = Browser(parts.port or 0)
        _, _, headers = browser.ask(f"/?{parts.query}")
        cookie = headers["set-cookie"].partition(";")[0]
        assert browser.ask("/deals.json", cookie=cookie)[0] == 200
        with (
            server.frozen(),
            closing(socket.create_connection(("127.0.0.1", browser.port))) as link,
        ):
            lines = ("GET /deals HTTP/1.1", f"host: {parts.netloc}", f"cookie: {cookie}", "", "")
            link.sendall("\r\n".join(lines).encode())
            end(process, 0.5, signal.SIGINT)
    assert process.returncode == 130
