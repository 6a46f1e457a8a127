"""The pages of figures on a real socket: the same figures as the command line, and each number a link to its deals."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable

import pytest

from boards import Browser
from dealdb import DealDatabase
from dealdb.analytics import Analytics
from dealdb.board.figures.catalogue import ENTRIES
from dealdb.board.figures.figure import Figure
from dealdb.board.figures.linked import (
    behind,
    key_of,
)
from dealdb.board.pages import figure as figure_page
from dealdb.formats.cells import to_json
from every_metric import metrics
from figures import asked, near
from servers import Server


def test_every_metric_has_a_place() -> None:
    assert {*ENTRIES} == metrics()
    assert {*ENTRIES} <= {*dir(Analytics)}


def test_of_many_deals_a_page_does_not_wait_for_its_figure(
    full: DealDatabase, full_board: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "/figures/win-rate?by=owner"
    monkeypatch.setattr(figure_page, "LARGE", len(full) - 1)
    status, text, _ = full_board.ask(path)
    assert (status, "Computing it" in text, "<table>" in text) == (200, True, False)
    assert 'name="by" value="owner"' in text
    [place] = re.findall(r'data-load="([^"]+)"', text)
    _, panel, _ = full_board.ask(html.unescape(place))
    assert ('<details class="figures-table" open>' in panel, "<html" in panel) == (True, False)
    [link] = re.findall(r'<h2><a href="([^"]+)"', text)
    _, whole, _ = full_board.ask(html.unescape(link))
    assert ("<html" in whole, "<table>" in whole, "Computing it" in whole) == (True, True, False)
    assert full_board.data("/figures/win-rate.json?by=owner")["rows"]
    assert full_board.ask("/figures/win-rate.csv?by=owner")[1].startswith("owner,")
    monkeypatch.setattr(figure_page, "LARGE", len(full))
    assert "<table>" in full_board.ask(path)[1]


def test_links_of_a_page_show_as_many_deals(full: DealDatabase, full_board: Browser) -> None:
    text = full_board.ask("/figures/win-rate?by=owner")[1]
    links = re.findall(r'<td class="number"><a href="([^"]*)">(\d+)</a>', text)
    assert len(links) >= 6
    for link, number in links:
        path = html.unescape(link)
        assert full_board.data(path.replace("/deals?", "/deals.json?", 1))["total"] == int(number)
    status, text, _ = full_board.ask(path)
    assert (status, "The deals behind" in text, f"{number} deal" in text) == (200, True, True)


def test_a_number_without_a_filter_has_lines(full: DealDatabase, full_board: Browser) -> None:
    figure = asked("waterfall")
    result = figure.result(full)
    row = next(each for each in result.to_dicts() if each["bucket"] == "won" and each["n"])
    found = behind(full, figure.text(), key_of(result, row))
    assert found.number == row["n"]


def test_headlines_are_those_of_the_metrics(full: DealDatabase, full_board: Browser) -> None:
    page = full_board.data("/figures.json")
    for line in page["headlines"]:
        rows = Figure.of(line["figure"]).result(full).to_dicts()
        values = [row[line["key"]] for row in rows]
        assert near(line["value"], json.loads(to_json(values[0]))) or line["value"] in [
            json.loads(to_json(each)) for each in values
        ]
    status, text, _ = full_board.ask("/figures")
    assert (status, text.count("data-load=")) == (200, len(ENTRIES))
    # all of them at once, for paper: nothing is loaded later
    status, text, _ = full_board.ask("/figures?all=1")
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


def test_faults_are_told_with_their_form(full: DealDatabase, full_board: Browser) -> None:
    for path, said in (
        ("/figures/win-rate?by=ownr", "did you mean &#39;owner&#39;"),
        ("/figures/win-rate?since=soon", "is not a day"),
        ("/figures/win-rate?byy=owner", "did you mean &#39;by&#39;"),
    ):
        status, text, _ = full_board.ask(path)
        assert (status, said in text, 'name="by"' in text) == (400, True, True), path
    early = full_board.ask("/figures/coverage")
    assert (early[0], "Nothing to say yet" in early[1], "coverage needs target" in early[1]) == (
        200, True, True,
    )  # fmt: skip
    status, text, _ = full_board.ask("/figures/win-rate?where=stag+%3D+1")
    assert (status, "<mark>stag</mark>" in text) == (400, True)
    assert full_board.ask("/figures/nothing")[0] == 400
    assert full_board.ask("/figures/coverage.json")[0] == 400
    assert full_board.ask("/deals?figure=win-rate&row=%5B%22Nobody%22%5D")[0] == 400


@pytest.mark.parametrize("path", ["/figures", "/figures/win-rate", "/changes?since=today"])
def test_figures_of_a_frame_lead_to_what_may_stand_in_it(changed_board: Browser, path: str) -> None:
    text = changed_board.ask(f"{path}{'&' if '?' in path else '?'}embed=1")[1]
    found = re.findall(r'(?:data-load|data-fit|href)="([^"]*/figures/[^"]*)"', text)
    pages = [html.unescape(each) for each in found if ".csv" not in each and ".json" not in each]
    assert pages
    assert [each for each in pages if "embed=1" not in each.partition("?")[2].split("&")] == []
