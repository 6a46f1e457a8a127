"""The program ``dealdb board``, as a process of its own: it says where it is, and ends as it was told."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from boards import Browser
from dealdb import DealDatabase
from dealdb.cli.main import main
from servers import Server


@contextmanager
def begun(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, and what it printed up to the address and the line after it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dealdb", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    said = ""
    while "Ctrl-C" not in said:
        line = process.stdout.readline()
        assert line, process.communicate()
        said += line
    try:
        yield process, said
    finally:
        process.kill()
        process.communicate()


def opened(said: str) -> Browser:
    """A browser that has opened the address."""
    found = re.search(r"http://127\.0\.0\.1:(\d+)(/\?token=\S+)", said)
    assert found
    browser = Browser(int(found[1]))
    status, _, headers = browser.ask(found[2])
    assert status == 200
    return Browser(browser.port, {"cookie": headers["set-cookie"].partition(";")[0]})


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_prints_an_address_and_ends_with_the_code_of_the_signal(
    server: Server, number: signal.Signals, code: int
) -> None:
    url = f"unix://{server.socket}"
    with DealDatabase.from_url(url) as db:
        db.save_deal({"id": "1", "amount": "12.50"})
    with begun("board", "--port", "0", "--url", url) as (process, said):
        browser = opened(said)
        assert browser.data("/deals.json")["total"] == 1
        process.send_signal(number)
        _, message = process.communicate(timeout=30)
        assert (process.returncode, "Traceback" in message) == (code, False), message


def test_several_collections_and_read_only(server: Server) -> None:
    url = f"unix://{server.socket}"
    with DealDatabase.from_url(url, collection="west") as db:
        db.save_deal({"id": "1", "amount": "12.50"})
    options = ("--collections", "west,east", "--read-only", "--port", "0", "--url", url)
    with begun("board", *options) as (process, said):
        browser = opened(said)
        assert browser.data("/west/deals.json")["total"] == 1
        assert browser.data("/east/deals.json")["total"] == 0
        body = {"expect_rev": 1, "changes": {"amount": "5"}}
        assert browser.change("/west/deals/1", body)[0] == 403
        process.terminate()
        assert "the collection east has no deals yet" in process.communicate(timeout=30)[1]


def test_the_demo_keeps_changing() -> None:
    with begun("demo", "--board") as (process, said):
        browser = opened(said)
        assert "1,600 sample deals" in said
        seen: set[str] = set()
        while len(seen) < 2:
            newest = browser.data("/deals.json?sort=-updated&columns=id,updated")["items"][0]
            seen.add(str(newest))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        assert process.returncode == 130


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--host", "0.0.0.0"], "--token-file FILE says who may come in"),
        (["--token-file", "nowhere"], "can't be read"),
        (["--port", "70000"], "can't listen"),
        (["--embed-origin", "x; script-src *"], "is no origin"),
        (["--json"], "leave out --json"),
    ],
)
def test_what_it_refuses(
    server: Server, capsys: pytest.CaptureFixture[str], options: list[str], told: str
) -> None:
    assert main(["board", *options, "--url", f"unix://{server.socket}"]) == 2
    assert told in capsys.readouterr().err


def test_a_port_that_is_taken_names_a_way_out(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main(["board", "--port", str(port), "--url", f"unix://{server.socket}"]) == 2
    told = capsys.readouterr().err
    assert f"port {port}: Address already in use" in told
    assert f"--port {port + 1}, or --port 0 for a free one" in told
    assert "dealdb load FILE.csv loads some" in told


def test_a_short_token_is_refused(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "token"
    file.write_text("s3cr3t\n")
    url = f"unix://{server.socket}"
    assert main(["board", "--token-file", str(file), "--url", url]) == 2
    message = capsys.readouterr().err
    assert "it needs 16 or more" in message
    assert "s3cr3t" not in message
