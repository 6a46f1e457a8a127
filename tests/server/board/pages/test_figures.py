"""The pages of figures on a real socket: the same figures as the command line, and each number a link to its deals."""

from __future__ import annotations

import html
import io
import json
import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache, partial
from typing import Any
from urllib.parse import parse_qsl

import polars as pl
import pytest

from boards import Browser
from dealdb import DealDatabase
from dealdb.analytics import Analytics
from dealdb.board.figures.catalogue import ENTRIES
from dealdb.board.figures.figure import Figure
from dealdb.board.figures.linked import (
    behind,
    deals_of,
    is_linked,
    key_columns,
    key_of,
    told_by_deals,
)
from dealdb.board.html import rendered
from dealdb.board.page_request import PageRequest
from dealdb.board.pages import figure as figure_page
from dealdb.board.pages.deals import show as show_deals
from dealdb.board.pages.figure import show as show_figure
from dealdb.board.pages.figures import show as show_figures
from dealdb.cli.main import main
from dealdb.errors import NotYetKnown
from dealdb.formats.cells import to_json
from every_metric import counts_in, metrics
from servers import Server

HOSTILE = ["<img src=x onerror=alert(1)>", "</script>", '"onload="x', "\u202eabc", "y" * 10_000]
MARKUP = re.compile(r"<img|</script>|<[^>]* onload=|style=")
TODAY = date.today()  # noqa: DTZ011 days of deals only
START = str(TODAY - timedelta(days=120))
# what metrics need that can't be asked without
NEEDED = {
    "coverage": {"target": "1000"},
    "survival": {"stage": "Lead"},
    "calibration": {"since": START},
    "simulate": {"n": "200"},
    "hindsight": {"known": str(TODAY)},
    "waterfall": {"since": START},
    "slippage": {"since": START, "until": str(TODAY + timedelta(days=90))},
}


@pytest.fixture(scope="module")
def full(shared_server: Server) -> Iterator[DealDatabase]:
    with shared_server.client() as client:
        client.flushall()
    with DealDatabase.from_url(f"unix://{shared_server.socket}", actor="ann") as db:
        fill(db)
        yield db


@pytest.fixture(scope="module")
def board(full: DealDatabase, open_board: Callable[..., Browser]) -> Browser:
    return open_board(full, read_only=True)


def fill(db: DealDatabase) -> None:
    """Deals of all stages, two currencies and names that would be markup, some moved, one deleted."""
    stages = ["Lead", "Demo", "Won", "Lost"]
    for n in range(24):
        stage = stages[n % 4]
        created = TODAY - timedelta(days=100 - n)
        deal: dict[str, Any] = {
            "id": f"D{n}", "name": HOSTILE[n % 5], "owner": ["Ann", HOSTILE[0], None][n % 3], "company": HOSTILE[n % 5],
            "stage": stage, "amount": f"{100 + n}.50", "currency": ["EUR", "USD"][n % 2 if n > 12 else 0],
            "created": created, "expected_close": TODAY + timedelta(days=n - 8),
        }  # fmt: skip
        if stage in ("Won", "Lost"):
            deal |= {"closed": created + timedelta(days=n)}
            deal |= {"loss_reason": HOSTILE[2]} if stage == "Lost" else {}
        db.save_deal(deal)
    db.update_deal("D0", stage="Demo", amount=500)
    db.update_deal("D1", stage="Won")
    db.delete_deal("D4")


def near(one: Any, other: Any) -> bool:
    """Whether two answers are the same but for the seconds between them."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(near(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(near, one, other))
    if isinstance(one, str) and one != other:
        words, others = (re.split(r"(\d+\.\d+)", text) for text in (one, other))
        pairs = zip(words, others, strict=False)
        return len(words) == len(others) > 1 and all(
            near(float(a), float(b)) if number % 2 else a == b
            for number, (a, b) in enumerate(pairs)
        )
    return (
        one == pytest.approx(other, rel=1e-3, abs=1e-3) if isinstance(one, float) else one == other
    )


def found_in(lines: pl.DataFrame | None) -> int:
    return -1 if lines is None else lines.height


def asked(metric: str) -> Figure:
    return Figure(metric, {**ENTRIES[metric].given, **NEEDED.get(metric, {})})


def test_every_metric_has_a_place() -> None:
    assert {*ENTRIES} == metrics()
    assert {*ENTRIES} <= {*dir(Analytics)}


@pytest.mark.parametrize("metric", sorted({*ENTRIES} - {"seasonality"}))
def test_each_number_leads_to_what_it_counts(full: DealDatabase, metric: str) -> None:
    figure = asked(metric).fixed(datetime.now(UTC).date())
    result = figure.result(full)
    told = cache(partial(told_by_deals, full, figure))
    counts = [name for name in counts_in(result) if name not in key_columns(result)]
    assert [name for name in counts if not is_linked(result, name)] == []
    for row in result.to_dicts():
        for count in (name for name in counts if row[name] is not None):
            where, lines = deals_of(full, result, row, count, told)
            found = full.query.count(where) if where is not None else found_in(lines)
            assert found == row[count], (row, count)
        others = [name for name in row if is_linked(result, name) and name not in counts]
        for name in others:
            deals_of(full, result, row, name, told)
    # once as its page does it, which asks for the figure again
    for row in result.to_dicts()[-1:]:
        for count in counts[:1]:
            assert behind(full, figure.text(), key_of(result, row), count).number == row[count]


@pytest.mark.parametrize("metric", sorted(ENTRIES))
def test_the_page_has_the_figures_of_the_command_and_no_markup(
    full: DealDatabase, metric: str, board: Browser, shared_server: Server
) -> None:
    if metric == "seasonality":
        pytest.skip("needs two years")
    figure = asked(metric)
    page = board.data(figure.path(".json"))
    _, text, _ = board.ask(figure.path() + ("&" if "?" in figure.path() else "?") + "fragment=1")
    assert not MARKUP.search(text)
    words = shlex.split(figure.command())[1:]
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main([*words, "--json", "--url", f"unix://{shared_server.socket}"])
    assert status == 0, err.getvalue()
    # ages and stays go on while the two are asked
    assert near(page, json.loads(out.getvalue())), words


def test_of_many_deals_a_page_does_not_wait_for_its_figure(
    full: DealDatabase, board: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "/figures/win-rate?by=owner"
    monkeypatch.setattr(figure_page, "LARGE", len(full) - 1)
    status, text, _ = board.ask(path)
    assert (status, "Computing it" in text, "<table>" in text) == (200, True, False)
    assert 'name="by" value="owner"' in text
    [place] = re.findall(r'data-load="([^"]+)"', text)
    _, panel, _ = board.ask(html.unescape(place))
    assert ('<details class="figures-table" open>' in panel, "<html" in panel) == (True, False)
    [link] = re.findall(r'<h2><a href="([^"]+)"', text)
    _, whole, _ = board.ask(html.unescape(link))
    assert ("<html" in whole, "<table>" in whole, "Computing it" in whole) == (True, True, False)
    assert board.data("/figures/win-rate.json?by=owner")["rows"]
    assert board.ask("/figures/win-rate.csv?by=owner")[1].startswith("owner,")
    monkeypatch.setattr(figure_page, "LARGE", len(full))
    assert "<table>" in board.ask(path)[1]


def test_links_of_a_page_show_as_many_deals(full: DealDatabase, board: Browser) -> None:
    text = board.ask("/figures/win-rate?by=owner")[1]
    links = re.findall(r'<td class="number"><a href="([^"]*)">(\d+)</a>', text)
    assert len(links) >= 6
    for link, number in links:
        path = html.unescape(link)
        assert board.data(path.replace("/deals?", "/deals.json?", 1))["total"] == int(number)
    status, text, _ = board.ask(path)
    assert (status, "The deals behind" in text, f"{number} deal" in text) == (200, True, True)


def test_a_number_without_a_filter_has_lines(full: DealDatabase, board: Browser) -> None:
    figure = asked("waterfall")
    result = figure.result(full)
    row = next(each for each in result.to_dicts() if each["bucket"] == "won" and each["n"])
    found = behind(full, figure.text(), key_of(result, row))
    assert found.number == row["n"]


def test_headlines_are_those_of_the_metrics(full: DealDatabase, board: Browser) -> None:
    page = board.data("/figures.json")
    for line in page["headlines"]:
        rows = Figure.of(line["figure"]).result(full).to_dicts()
        values = [row[line["key"]] for row in rows]
        assert near(line["value"], json.loads(to_json(values[0]))) or line["value"] in [
            json.loads(to_json(each)) for each in values
        ]
    status, text, _ = board.ask("/figures")
    assert (status, text.count("data-load=")) == (200, len(ENTRIES))
    # all of them at once, for paper: nothing is loaded later
    status, text, _ = board.ask("/figures?all=1")
    assert (status, text.count('class="figure"'), "data-load=" in text) == (
        200, len(ENTRIES), False,
    )  # fmt: skip
    assert "<img" not in text


def test_a_quarter_without_a_win_is_compared_with_the_last_one(
    full: DealDatabase, shared_server: Server, open_board: Callable[..., Browser]
) -> None:
    """Where nothing was won there is no currency, and nothing in each."""
    url = f"unix://{shared_server.socket}"
    with DealDatabase.from_url(url, collection="quiet") as db:
        first = db.analytics.period("last-quarter")[1]
        won = {"stage": "Won", "amount": "500.00", "currency": "EUR", "created": first}
        db.save_deal({"id": "1", **won, "closed": first})
        lines = open_board(db, read_only=True).data("/figures.json")["headlines"]
    told = {
        line["key"]: (float(line["value"]), float(line["before"]))
        for line in lines
        if line["key"] == "won_value"
    }
    assert told == {"won_value": (0.0, 500.0)}


def test_a_headline_of_money_says_how_many_deals_it_is_of(
    full: DealDatabase, shared_server: Server, open_board: Callable[..., Browser]
) -> None:
    """A pipeline without amounts is worth nothing that is known, which is not nothing."""
    url = f"unix://{shared_server.socket}"
    with DealDatabase.from_url(url, collection="unpriced") as db:
        for number, stage in enumerate(("Lead", "Lead", "Won", "Lost")):
            db.save_deal({"id": str(number), "stage": stage})
        text = open_board(db, read_only=True).ask("/figures")[1]
    tiles = [words_of(tile) for tile in re.findall(r'<li class="tile">(.*?)</li>', text, re.DOTALL)]
    assert tiles[0].startswith("Open pipeline 0 2 deals, 2 without an amount")
    assert tiles[1].startswith("Weighted pipeline 0 2 without an amount or a chance")
    assert tiles[3].split(" in ")[0] == "Won"
    assert [each.split(" 0 ")[1][:6] for each in tiles[3:5]] == ["1 deal", "1 deal"]


def test_what_a_figure_says_is_in_the_form_of_its_reader(
    full: DealDatabase, shared_server: Server, open_board: Callable[..., Browser]
) -> None:
    """A German reads 1,234 as a number between 1 and 2."""
    url = f"unix://{shared_server.socket}"
    with DealDatabase.from_url(url, collection="read") as db:
        deal = {"stage": "Lead", "amount": "1234.50", "currency": "EUR"}
        db.loader.load([{"id": str(number), **deal} for number in range(1000)])
        german = open_board(db, read_only=True)
        text = german.ask("/figures/waterfall?since=2026-01-05", accept_language="de")[1]
        warned = german.ask("/figures/pipeline", accept_language="de")[1]
    answer = words_of(re.findall(r'<p class="answer">(.*?)</p>', text, re.DOTALL)[0])
    assert answer.startswith(
        "The open pipeline grew by 1.234.500,00 EUR since 5.1.2026, from 0,00 EUR (0 deals) to "
    )
    assert "1.000 deals, from 5.1.2026" in words_of(text)
    assert "mean age, days: 1.000" in html.unescape(warned)


def words_of(text: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", text).split()).replace(" ,", ",")


def test_faults_are_told_with_their_form(full: DealDatabase, board: Browser) -> None:
    for path, said in (
        ("/figures/win-rate?by=ownr", "did you mean &#39;owner&#39;"),
        ("/figures/win-rate?since=soon", "is not a day"),
        ("/figures/win-rate?byy=owner", "did you mean &#39;by&#39;"),
    ):
        status, text, _ = board.ask(path)
        assert (status, said in text, 'name="by"' in text) == (400, True, True), path
    early = board.ask("/figures/coverage")
    assert (early[0], "Nothing to say yet" in early[1], "coverage needs target" in early[1]) == (
        200, True, True,
    )  # fmt: skip
    status, text, _ = board.ask("/figures/win-rate?where=stag+%3D+1")
    assert (status, "<mark>stag</mark>" in text) == (400, True)
    assert board.ask("/figures/nothing")[0] == 400
    assert board.ask("/figures/coverage.json")[0] == 400
    assert board.ask("/deals?figure=win-rate&row=%5B%22Nobody%22%5D")[0] == 400


def no_deal(_db: DealDatabase, _server: Server) -> None:
    """A collection that has just begun."""


def bare_deal(db: DealDatabase, _server: Server) -> None:
    db.save_deal({"id": "1"})


def two_currencies(db: DealDatabase, _server: Server) -> None:
    db.save_deal({"id": "1", "stage": "Lead", "amount": "10.50", "currency": "EUR"})
    db.save_deal({"id": "2", "stage": "Won", "amount": 7, "currency": "USD", "closed": TODAY})


def no_history(_db: DealDatabase, server: Server) -> None:
    """Hashes of another program, which nobody has adopted."""
    with server.client() as client:
        client.hset("deal:1", mapping={"stage": "Lead", "amount": "7", "owner": "Ann"})


@pytest.mark.parametrize("begun", [no_deal, bare_deal, two_currencies, no_history])
@pytest.mark.filterwarnings("ignore::dealdb.NotAdoptedWarning")
def test_what_can_t_be_told_yet_is_said_in_words(
    server: Server, begun: Callable[[DealDatabase, Server], None]
) -> None:
    with DealDatabase.from_url(f"unix://{server.socket}") as db:
        begun(db, server)
        asking = PageRequest(db=db, path="/figures", names={})
        for _, places in show_figures(asking).for_template["sections"]:
            for figure in (place.figure for place in places):
                options = [*figure.options.items(), ("fragment", "1")]
                alone = replace(
                    asking, path=figure.path(), names={"metric": figure.name}, options=options
                )
                shown = show_figure(alone)
                assert shown.problem is None or isinstance(shown.problem, NotYetKnown), figure
                text = rendered("panel.html", alone, shown.for_template)
                assert ("Nothing to say yet" in text) == (shown.problem is not None)
                # what is shown leads somewhere
                for address in re.findall(r'href="(/deals[?][^"]*figure=[^"]*)"', text)[:1]:
                    options = parse_qsl(html.unescape(address).partition("?")[2])
                    show_deals(replace(asking, path="/deals", options=options))


@pytest.mark.parametrize("path", ["/figures", "/figures/win-rate", "/changes?since=today"])
def test_figures_of_a_frame_lead_to_what_may_stand_in_it(changed_board: Browser, path: str) -> None:
    text = changed_board.ask(f"{path}{'&' if '?' in path else '?'}embed=1")[1]
    found = re.findall(r'(?:data-load|data-fit|href)="([^"]*/figures/[^"]*)"', text)
    pages = [html.unescape(each) for each in found if ".csv" not in each and ".json" not in each]
    assert pages
    assert [each for each in pages if "embed=1" not in each.partition("?")[2].split("&")] == []
