"""``--plot`` and ``--chart`` of the commands that have a chart, on the example history imported into a server."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import h1
from cli_runs import Run, runner
from dealdb import DealDatabase
from dealdb.cli.registry import COMMANDS
from servers import Server

MARCH = ("--as-of", "2026-03-31")
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def history(shared_server: Server) -> Server:
    """A server with the present, and behind it the history that led to it; no test changes them."""
    with shared_server.client() as client:
        client.flushall()
    with DealDatabase.from_url(shared_server.url) as db:
        h1.load_into(db)
    return shared_server


@pytest.fixture
def run(
    history: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Run:
    return runner(history, capsys, monkeypatch)


def test_a_chart_takes_the_place_of_the_table(run: Run, tmp_path: Path) -> None:
    # a page has the scripts of Vega in it, which take seconds to put together
    for kind in ("png", "svg", "json"):
        file = tmp_path / f"funnel.{kind}"
        ran = run("funnel", *MARCH, "--plot", str(file))
        assert ran.code == 0, ran.err
        assert ran.out == ""
        assert ran.err == f"{file}: How far deals come (4 marks)\n"
    png = (tmp_path / "funnel.png").read_bytes()
    assert png.startswith(PNG)
    assert min(struct.unpack(">II", png[16:24])) > 400
    assert ET.fromstring((tmp_path / "funnel.svg").read_text()).tag.endswith("svg")
    spec = json.loads((tmp_path / "funnel.json").read_text())
    rows = run("funnel", *MARCH, "--json").json["rows"]
    drawn = {
        row["label"]: row["value"]
        for rows in spec["datasets"].values()
        for row in rows
        if "value" in row
    }
    assert drawn == {row["stage"]: row["n"] for row in rows}


def test_charts_in_the_terminal(run: Run) -> None:
    told = run("losses", *MARCH, "--chart")
    assert told.code == 0, told.err
    assert "Why deals are lost" in told.out
    assert "Price" in told.out
    assert "█" in told.out
    by_stage = ["sql", "SELECT stage, count(*) AS n FROM deals GROUP BY stage"]
    for command in (["stats", "leaderboard"], ["facets", "stage", "owner"], ["find"], by_stage):
        told = run(*command, "--chart")
        assert told.code == 0, told.err
        assert "█" in told.out or "amount" in told.out


def test_every_metric_of_the_program_takes_both(run: Run, tmp_path: Path) -> None:
    skipped = {"seasonality", "attainment", "forecast-error"}
    for name, entry in COMMANDS.items():
        if not entry.module.startswith("past.") or name in skipped:
            continue
        asked = [word for word in entry.example.split()[1:] if word != "--deals"]
        told = run(*asked, "--chart")
        assert told.code == 0 or "chart" not in told.err, (name, told.err)
        assert "Traceback" not in told.err, name
    found = run("stats", "trend", "--period", "month", "--plot", str(tmp_path / "trend.svg"))
    assert found.code == 0, found.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["funnel", "--plot", "x.pdf"],
            "a picture ends with .png, .svg, .html or .json, not 'x.pdf'",
        ),
        (["funnel", "--plot", "x.svg", "--json"], "--plot and --json exclude each other"),
        (["funnel", "--plot", "x.svg", "--chart"], "--plot and --chart exclude each other"),
        (["stats", "--chart", "--xlsx", "x.xlsx"], "--chart and --xlsx exclude each other"),
        (["sql", "SELECT 1", "--chart", "--csv"], "--chart and --csv exclude each other"),
        (
            ["sql", "SELECT id, stage FROM deals", "--chart"],
            "a chart needs a table of a label and a number",
        ),
        (["find", "--chart", "--page", "5"], "--chart and --page exclude each other"),
        (["facets", "stage", "owner", "--plot", "x.svg"], "--plot draws the counts of one column"),
        (["losses", "--deals", "--chart"], "a line for each deal has no chart"),
        (
            ["waterfall", "--since", "2026-02-01", "--limit", "2", "--chart"],
            "leave out --sort and --limit",
        ),
    ],
)
def test_what_is_no_chart_is_refused(run: Run, arguments: list[str], told: str) -> None:
    ran = run(*arguments)
    assert ran.code == 2
    assert told in ran.err
    assert ran.err.count("\n") == 1


def test_a_chart_is_not_written_through_what_is_no_file(run: Run, tmp_path: Path) -> None:
    kept = tmp_path / "kept.svg"
    kept.write_text("as it was")
    nowhere = tmp_path / "link.svg"
    nowhere.symlink_to(tmp_path / "gone.svg")
    ran = run("funnel", *MARCH, "--plot", str(nowhere))
    assert ran.code != 0
    assert "a link that leads nowhere" in ran.err
    assert run("funnel", *MARCH, "--plot", str(tmp_path / "no" / "x.svg")).code != 0
    assert kept.read_text() == "as it was"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept.svg", "link.svg"]
