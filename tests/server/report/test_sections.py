"""A report read as its reader reads it: nothing twice, no codes, no column that another word contradicts."""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from fastexcel import read_excel

from cli_runs import db_fixture
from dealdb import DealDatabase, Kind, Pipeline, Stage
from dealdb.report import Report, report_of
from servers import Server

__all__ = ["db_fixture"]

DAY = date(2026, 3, 31)
OWNERS = [f"Owner {number:02}" for number in range(24)]


def made() -> list[dict[str, Any]]:
    """Deals as CRMs export them: what is lost has 0 and no reason, what is open no amount and no day."""
    rows: list[dict[str, Any]] = [
        {
            "id": f"won{number}", "stage": "Won", "amount": 100 + number, "owner": owner,
            "created": DAY - timedelta(20), "closed": DAY - timedelta(number % 3),
        }
        for number, owner in enumerate(OWNERS)
    ]  # fmt: skip
    for back in (1, 89, 90):
        created, closed = DAY - timedelta(back + 9), DAY - timedelta(back)
        rows.append(
            {
                "id": f"lost{back}",
                "stage": "Lost",
                "amount": 0,
                "created": created,
                "closed": closed,
            }
        )
    opened = [
        {"id": f"open{back}", "stage": "Lead", "created": DAY - timedelta(back)}
        for back in (364, 365)
    ]
    return [*rows, *opened]


@pytest.fixture(scope="module")
def report(shared_server: Server) -> Report:
    """It is all read by now, so that other tests may empty the server."""
    with shared_server.client() as client:
        client.flushall()
    with DealDatabase.from_url(f"unix://{shared_server.socket}") as db:
        db.loader.load(made(), bar=False)
        return report_of(db, as_of=DAY, where="id <> 'nothing'")


def section(report: Report, key: str) -> str:
    """A section of the Markdown."""
    title = next(each.title for each in report.contents.sections if each.key == key)
    return report.markdown().split(f"## {title}\n")[1].split("\n## ")[0]


def test_days_of_a_section_are_as_many_as_it_says(report: Report) -> None:
    losses = section(report, "losses")
    assert f"2 deals were lost since {DAY - timedelta(89)}" in losses
    funnel = section(report, "funnel")
    assert f"created since {DAY - timedelta(364)}" in funnel
    [table] = [t for s in report.contents.sections if s.key == "funnel" for t in s.tables]
    # the one that was created a day earlier is not in it
    assert table.frame["open"].sum() == 1


def test_deals_that_are_lost_at_0_are_no_worth(report: Report) -> None:
    text = report.markdown()
    assert "worth 0.00" not in text
    assert "their amounts add up to 0.00" in section(report, "losses")
    assert "3 lost deals have an amount of 0" in section(report, "quality")


def test_a_section_says_a_thing_once(report: Report) -> None:
    for part in report.markdown().split("\n## "):
        for line in re.findall(r"(?<=\n)- (.*)|(?<=\n)(\S[^|]*\.) \(docs", part):
            said = "".join(line)
            assert part.count(said) == 1, said
    # the answer has told it
    assert "in no step" not in section(report, "funnel")


def test_money_without_a_rate_is_told_once_in_a_section(db: DealDatabase) -> None:
    db.loader.load(
        [
            {
                "id": number, "stage": "Lead", "amount": 5, "currency": currency, "created": DAY,
                "expected_close": DAY - timedelta(number),
            }
            for number, currency in enumerate(["EUR", "GBP", "GBP", "EUR"])
        ],
        bar=False,
    )  # fmt: skip
    db.save_deal({"id": "later", "stage": "Lead", "amount": 5, "currency": "GBP"})
    db.rates.load([{"date": "2026-01-01", "currency": "USD", "rate": "0.5"}])
    report = report_of(db, to="EUR")
    waiting = section(report, "waiting")
    assert re.findall("in GBP that have no rate to EUR.*", waiting) == [
        "in GBP that have no rate to EUR, in no sum of money: 3"
    ]


def test_a_deal_without_a_rate_is_one(db: DealDatabase) -> None:
    db.save_deal({"id": 1, "stage": "Lead", "amount": 5, "currency": "GBP"})
    db.save_deal({"id": 2, "stage": "Lead", "amount": 5, "currency": "EUR"})
    db.rates.load([{"date": "2020-01-01", "currency": "USD", "rate": "0.5"}])
    assert report_of(db, to="EUR").contents.brief[1] == (
        "In no sum of money: 1 deal in GBP, as no rate to EUR is kept for it."
    )


def test_notes_are_of_what_is_shown_and_in_words(report: Report) -> None:
    text = report.markdown()
    assert "weighted open value: " not in text
    for code in ("as_of", "assume=", "'created'"):
        assert code not in text
    assert "--assume none" in text


def test_columns_are_called_what_they_are(report: Report) -> None:
    changes, forecast = section(report, "changes"), section(report, "forecast")
    # what a won deal was worth is not added to the pipeline
    assert "| adds" not in changes
    # without committed deals and best cases, they are no others
    assert "other open deals" not in forecast


def test_steps_of_the_pipeline_add_up_as_they_are_shown(report: Report, tmp_path: Path) -> None:
    table = section(report, "changes").split("| what | deals |")[1].split("\n\n")[0]
    shown = re.findall(r"^\| (open|created|won|lost)[^|]*\|[^|]*\| *([^ |]*)", table, flags=re.M)
    sums = [Decimal(text.replace("\N{MINUS SIGN}", "-").replace(",", "")) for _, text in shown]
    assert len(sums) > 3
    assert sum(sums[:-1]) == sums[-1]
    report.save(tmp_path / "report.xlsx")
    sheet = read_excel(tmp_path / "report.xlsx").load_sheet("Changes").to_polars()
    assert sheet["value"].round(2).to_list() == [float(each) for each in sums]


def test_the_words_of_a_forecast_are_those_of_its_chart(db: DealDatabase) -> None:
    row = {"id": 1, "stage": "Lead", "amount": 5, "currency": "EUR", "created": DAY}
    db.loader.load([{**row, "expected_close": DAY}, {**row, "id": 2}], bar=False)
    forecast = section(report_of(db, as_of=DAY), "forecast")
    assert "won  \N{DARK SHADE} pipeline" in forecast
    assert "| pipeline (EUR) |" in forecast
    assert "pipeline is the whole value of those that are neither" in forecast


def test_where_nothing_is_due_no_range_is_drawn(db: DealDatabase) -> None:
    db.loader.load([{"id": n, "stage": "Lead", "owner": "Ann", "amount": None} for n in range(3)])
    report = report_of(db)
    forecast, people = section(report, "forecast"), section(report, "people")
    assert "likely to close at 0.00" not in forecast
    assert "Nothing is won in the period" in forecast
    assert "0.00 is won" not in forecast
    # they are in no period, so they don't count as 0 either
    assert "count as 0" not in forecast
    assert "Range of outcomes" not in forecast
    assert "Nobody has won anything yet." in people
    assert "| rank" not in people
    assert "won value" not in people
    assert "### By owner" in people
    assert "| stage" not in section(report, "funnel")


def test_new_deals_are_told_apart_from_those_that_came_here(db: DealDatabase) -> None:
    db.loader.load([{"id": n, "stage": "Lead", "amount": 5} for n in range(3)], bar=False)
    db.save_deal({"id": "dated", "stage": "Lead", "amount": 5, "created": DAY})
    report = report_of(db)
    assert "| New deals | 0 |" in report.markdown()
    assert "by their day of creation" in section(report, "changes")


def test_reasons_are_drawn_in_the_order_of_their_table(db: DealDatabase) -> None:
    reasons = ["Competitor", "Price", "Price", "Timing", "Timing", "Timing"]
    db.loader.load(
        [
            {"id": n, "stage": "Lost", "closed": DAY, "loss_reason": reason, "created": DAY}
            for n, reason in enumerate(reasons)
        ]
    )
    losses = section(report_of(db, as_of=DAY), "losses")
    chart, table = losses.split("```text")[1].split("```")
    for text in (chart, table):
        assert text.index("Timing") < text.index("Price") < text.index("Competitor")


def test_commands_are_told_apart(report: Report) -> None:
    assert "` `" not in report.markdown()


def test_a_workbook_is_in_words_and_says_what_it_has(report: Report, tmp_path: Path) -> None:
    file = tmp_path / "report.xlsx"
    report.save(file)
    book = read_excel(file)
    sheets = {name: book.load_sheet(name, header_row=0).to_polars() for name in book.sheet_names}
    told = sheets["Report"].to_series().to_list()
    assert told[0] == "From 2026-03-30 to 2026-03-31, only deals with id <> 'nothing'."
    assert "The period before" in " ".join(told) or "A week before" in " ".join(told)
    # of a table that is cut, it is said
    assert "Leaderboard has 20 of 25 rows; the commands give all." in told
    assert "open at the start" in sheets["Changes"]["what"].to_list()
    assert not {"start", "end"} & {*sheets["Changes"]["what"].to_list()}
    won = sheets["Figures"].row(by_predicate=pl.col("figure") == "Deals won", named=True)
    assert won["change"] == won["now"] - won["before"] != 0
    assert "The figures at the top" in sheets["Commands"]["section"].to_list()
    assert {"Pipeline", "Changed deals", "Leaderboard", "Funnel", "Losses"} <= {*sheets}
    # a name has 31 characters; one that is cut has all of them
    assert max(map(len, sheets)) < 31


@pytest.mark.parametrize("partitions", [1, 4])
def test_deals_that_wait_and_are_worth_the_same_stand_by_their_ids(
    server: Server, partitions: int
) -> None:
    """Whatever the order in which they were saved, and the partitions that they are in."""
    days = (date(2026, 1, 5), date(2026, 2, 2))
    with DealDatabase.from_url(server.url, partitions=partitions) as db:
        db.set_pipeline(Pipeline((Stage("Demo", Kind.OPEN, rot_days=10), Stage("Won", Kind.WON))))
        rows = [
            {
                "id": f"d{n:02}", "stage": "Demo", "amount": 5 if n % 3 else 9, "currency": "EUR",
                "created": days[n % 2], "expected_close": days[n % 2],
            }
            for n in (7, 2, 9, 0, 5, 1, 8, 3, 6, 4)
        ]  # fmt: skip
        db.loader.load(rows, bar=False)
        waiting = section(report_of(db, as_of=DAY), "waiting")
        # of the same worth, the one that was left alone for longest comes first
        for title, numbers in (
            ("The largest of them", (0, 6, 3, 9, 2, 4, 8, 1, 5, 7)),
            ("The largest that are overdue", (3, 9, 0, 6, 1, 5, 7, 2, 4, 8)),
        ):
            table = waiting.split(title)[1].split("\n\n")[1]
            assert re.findall(r"d\d\d", table) == [f"d{n:02}" for n in numbers]
