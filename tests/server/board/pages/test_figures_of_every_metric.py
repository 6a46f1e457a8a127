"""
The figures of each metric, on a real socket: those of the command line, each number a link to its deals, and words
where there is nothing to tell yet.
"""

from __future__ import annotations

import html
import io
import json
import re
import shlex
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache, partial
from urllib.parse import parse_qsl

import polars as pl
import pytest

from boards import Browser
from dealdb import DealDatabase
from dealdb.board.figures.catalogue import ENTRIES
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
from dealdb.board.pages.deals import show as show_deals
from dealdb.board.pages.figure import show as show_figure
from dealdb.board.pages.figures import show as show_figures
from dealdb.cli.main import main
from dealdb.errors import NotYetKnown
from every_metric import counts_in
from figures import MARKUP, TODAY, asked, near
from servers import Server


def found_in(lines: pl.DataFrame | None) -> int:
    return -1 if lines is None else lines.height


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
    full: DealDatabase, metric: str, full_board: Browser, shared_server: Server
) -> None:
    if metric == "seasonality":
        pytest.skip("needs two years")
    figure = asked(metric)
    page = full_board.data(figure.path(".json"))
    _, text, _ = full_board.ask(
        figure.path() + ("&" if "?" in figure.path() else "?") + "fragment=1"
    )
    assert not MARKUP.search(text)
    words = shlex.split(figure.command())[1:]
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main([*words, "--json", "--url", f"unix://{shared_server.socket}"])
    assert status == 0, err.getvalue()
    # ages and stays go on while the two are asked
    assert near(page, json.loads(out.getvalue())), words


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
