"""Reports of real collections: each number is that of the command beside it, and nothing from data is markup."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from fastexcel import read_excel

import h1
from cli_runs import Run, db_fixture, run_fixture
from dealdb import DealDatabase
from dealdb.errors import ConfigError, QueryError
from dealdb.formats.cells import to_json
from dealdb.report import Report, report_of
from dealdb.sample import deals
from servers import Server

__all__ = ["db_fixture", "run_fixture"]

TODAY = date.today()  # noqa: DTZ011  # the pipeline of these deals is in UTC, and no test runs at midnight
ATTACKS = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    '"onload="alert(1)',
    "\N{RIGHT-TO-LEFT OVERRIDE}evil",
    "=cmd|' /C calc'!A1",
    "| `a` [b](javascript:x)",
    "x" * 10_000,
)


class Page(HTMLParser):
    """Tags, attributes and texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def team(db: DealDatabase, n: int = 70) -> None:
    """Deals of a team in two currencies, with quotas, and some of what is wrong with deals."""
    rows = deals(n)
    for number, row in enumerate(rows):
        if number % 5 == 0:
            row["currency"] = "USD"
    rows[1] |= {"created": TODAY, "closed": TODAY - timedelta(days=9), "stage": "Won"}
    rows[2] |= {"amount": None, "stage": "Lead", "closed": None}
    rows[3] |= {"stage": "Won", "closed": None}
    rows.append({**rows[4], "id": "again"})
    db.loader.load(rows)
    for row in rows[5:40]:
        if row["stage"] == "Lead":
            db.save_deal({"id": str(row["id"]), "stage": "Proposal", "amount": "12345.67"})
    db.delete_deal(str(rows[50]["id"]))
    label = db.analytics.period("this-quarter")[0]
    db.quotas.load(pl.DataFrame({"key": ["Ana Duarte"], "period": [label], "amount": ["500000"]}))


@pytest.fixture(scope="module")
def of_team(shared_server: Server) -> Report:
    """The report of a team's deals, for the tests of its forms; it is whole before other tests have the server."""
    with shared_server.client() as client:
        client.flushall()
    with DealDatabase.from_url(shared_server.url) as db:
        team(db)
        return report_of(db)


def check_numbers(report: Report, run: Run, db: DealDatabase) -> int:
    """Run each command of the report, and compare all that it gives with the rows that the report shows."""
    n = 0
    for evidence in report.contents.evidence:
        ran = run(*evidence.command, "--json")
        if evidence.why:
            assert ran.code != 0
            continue
        assert ran.code == 0, (evidence.typed, ran.err)
        found = ran.json
        rows = found["rows"] if isinstance(found, dict) else found
        assert evidence.frame is not None
        shown = json.loads(to_json(evidence.frame.to_dicts()), parse_float=Decimal)
        assert rows == shown, evidence.typed
        n += 1
    return n


def shown_numbers(report: Report) -> Iterator[Any]:
    for headline in report.contents.headlines:
        for pair in headline.values:
            for cell in (pair.now, pair.before):
                if cell is not None:
                    yield cell.evidence
    for section in report.contents.sections:
        yield from (table.evidence for table in section.tables)
        yield from (note.evidence for note in section.quality)


def test_each_number_is_that_of_its_command(db: DealDatabase, run: Run) -> None:
    team(db)
    report = report_of(db, by="owner", since=TODAY - timedelta(days=20))
    assert check_numbers(report, run, db) > 25
    asked = {id(each) for each in report.contents.evidence}
    assert all(id(each) in asked for each in shown_numbers(report))


def test_each_number_of_a_day_in_the_past_is_that_of_its_command(
    db: DealDatabase, run: Run
) -> None:
    team(db)
    report = report_of(
        db, until=TODAY - timedelta(days=30), where="owner <> 'Ben Okafor'", by="owner"
    )
    assert report.contents.day == TODAY - timedelta(days=31)
    assert check_numbers(report, run, db) > 25


def test_figures_of_the_example_history(db: DealDatabase) -> None:
    h1.load_into(db)
    report = report_of(db, since="2026-02-01", as_of="2026-03-31")
    figures = {
        each.label: [(c and c.value) for pair in each.values for c in (pair.now, pair.before)]
        for each in report.contents.headlines
    }
    assert figures["Open pipeline"] == [Decimal("2800.50"), Decimal("3050.00")]
    assert figures["Won"][0] == Decimal("1500.25")
    assert (figures["Deals won"][0], figures["Deals lost"][0]) == (2, 2)
    assert "2,800.50" in report.html()


def test_all_figures_are_of_one_commit(db: DealDatabase) -> None:
    db.save_deal({"id": 1, "stage": "Lead", "amount": 100})
    view = db.pinned()
    db.save_deal({"id": 2, "stage": "Lead", "amount": 900})
    db.save_deal({"id": 1, "amount": 500})
    assert view.analytics.summary()["pipeline_value"] == 100
    assert view.analytics.ageing().frame["n"].sum() == 1
    [row] = [each for each in view.analytics.waterfall(since=TODAY) if each["bucket"] == "end"]
    assert row["value"] == 100


def test_facts_are_those_of_their_deal(db: DealDatabase) -> None:
    # lives stand in the order in which deals were created, and not in that of their ids
    db.loader.load(deals(300), bar=False)
    facts = db._store.event_facts()
    assert facts.lives["life"].to_list() == list(range(300))
    owners = facts.lives.join(facts.of("owner"), on="life").select("id", "value").rows()
    assert dict(owners) == dict(db.query.frame(["id", "owner"]).rows())


def test_the_page_is_one_file_without_scripts(of_team: Report, tmp_path: Path) -> None:
    size = of_team.save(tmp_path / "report.html")
    assert size < 500_000
    text = (tmp_path / "report.html").read_text()
    page = Page(text)
    assert {"script", "link", "iframe", "img", "object"}.isdisjoint(page.tags)
    assert "svg" in page.tags
    assert not [
        name
        for name, _ in page.attributes
        if name in ("src", "href", "style") or name.startswith("on")
    ]
    assert not re.search(r"url\(|@import", text)


def test_texts_of_deals_are_texts(db: DealDatabase, tmp_path: Path) -> None:
    for number, text in enumerate(ATTACKS):
        db.save_deal(
            {
                "id": f"{number}{text}"[:60],
                "name": text,
                "owner": text,
                "company": text,
                "stage": text[:100] if number % 2 else "Lost",
                "loss_reason": text,
                "amount": 100 + number,
                "expected_close": TODAY - timedelta(days=3),
            }
        )
    report = report_of(db, by=["owner", "company"], where="amount > 0 OR name = '<b>'")
    page = Page(report.html())
    assert {"script", "img"}.isdisjoint(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in report.html()
    assert any("<img src=x onerror=alert(1)>" in text for text in page.texts)
    markdown = report.markdown()
    # in a block of code, which a chart is, nothing is markup
    assert "<img" not in re.sub(
        r"^(```+)text\n.*?^\1$", "", markdown, flags=re.DOTALL | re.MULTILINE
    )
    assert "&lt;img src=x onerror=alert(1)>" in markdown
    assert report.save(tmp_path / "attack.xlsx") > 0
    assert report.save(tmp_path / "attack.html") < 500_000


def test_formats_have_the_same_figures(of_team: Report, tmp_path: Path) -> None:
    of_team.save(tmp_path / "report.xlsx")
    figures = pl.read_excel(tmp_path / "report.xlsx", sheet_name="Figures")
    won = figures.filter(figure="Won")["now"].drop_nulls().to_list()
    markdown, page = of_team.markdown(), Page(of_team.html())
    text = " ".join(" ".join(page.texts).split())
    assert won
    for value in won:
        shown = f"{Decimal(str(value)):,.2f}"
        assert shown in markdown
        assert shown in text


def test_a_workbook_has_all_digits_of_money(db: DealDatabase, tmp_path: Path) -> None:
    lost, won = Decimal("-0.06255"), Decimal("12345678901234567.12345")
    deal = {"created": TODAY, "closed": TODAY, "currency": "EUR"}
    db.loader.load(
        [
            *({"id": n, **deal, "stage": "Lost", "amount": lost} for n in range(3)),
            {"id": "won", **deal, "stage": "Won", "amount": won},
            {"id": "too", **deal, "stage": "Won", "amount": Decimal("0.00000000000005")},
        ]
    )
    file = tmp_path / "report.xlsx"
    report_of(db).save(file)
    book = read_excel(file)
    quality, figures, told = (
        book.load_sheet(name, dtypes="string").to_polars()
        for name in ("Data quality", "Figures", "Report")
    )
    assert "-0.18765" in quality["value"].to_list()
    assert "12345678901234567.12345000000005" in figures["now"].to_list()
    # a share of which no decimal has all digits is no text
    assert "0.4" in figures.filter(figure="Win rate")["now"].to_list()
    said = [
        line for line in told.to_series() if "more digits than a spreadsheet keeps" in (line or "")
    ]
    assert len(said) == 1
    assert said[0].startswith("8 numbers ")


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [{"id": 1, "stage": "Lead", "amount": 5}],
        [{"id": 1, "stage": "Won", "amount": 5, "closed": TODAY}],
        [{"id": 1, "stage": "Lead"}, {"id": 2, "stage": "Lost"}],
        [{"id": 1}],
    ],
    ids=["empty", "one", "closed", "no amounts", "nothing"],
)
def test_a_report_of_little(db: DealDatabase, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        db.save_deal(row)
    report = report_of(db)
    assert "<h2>What would mislead?</h2>" in report.html()
    assert report.contents.brief[0].endswith(".")
    assert "0 deals were" not in " ".join(report.contents.brief)
    # today is before no commit that anybody could look at instead
    assert "before the first commit" not in report.markdown()
    assert "TRUE AND" not in report.markdown()


def test_where_no_open_deal_has_an_amount_their_number_is_what_counts(db: DealDatabase) -> None:
    db.save_deal({"id": 1, "stage": "Lead"})
    db.save_deal({"id": 2, "stage": "Lost", "closed": TODAY})
    report = report_of(db)
    assert report.contents.headlines[0].label == "Open deals"
    text = report.markdown()
    assert "1 deal is open, which has no amount." in text
    [pipeline] = [each for each in report.contents.sections if each.key == "pipeline"]
    assert (pipeline.charts, "value" in pipeline.tables[0].keys) == ([], False)
    assert "1 deal is open. The oldest has been in its stage for 0 to 7 days: 1 deal. " in text
    assert "lost (worth" not in text
    # what shows nothing needs no command
    assert not [e for s in report.contents.sections for e in s.evidence if e.name == "deals"]


def test_counts_of_a_reader(db: DealDatabase) -> None:
    db.loader.load([{"id": n, "stage": "Lead", "amount": None} for n in range(1_200)], bar=False)
    report = report_of(db, locale="de-DE")
    said = [*report.contents.remarks, *(n for s in report.contents.sections for n in s.notes)]
    assert any("1.200" in each for each in said)
    assert not any("1,200" in each for each in said)


def test_markdown_has_charts_of_characters(db: DealDatabase) -> None:
    db.save_deal({"id": 1, "stage": "Le```ad", "amount": 100, "currency": "EUR"})
    text = report_of(db).markdown()
    fence, chart = re.findall(r"^(````+)text\n(.*?)^\1$", text, flags=re.DOTALL | re.MULTILINE)[0]
    assert fence == "````"
    assert "Le```ad" in chart
    assert "\N{FULL BLOCK}" in chart


def test_a_report_in_another_currency(db: DealDatabase) -> None:
    team(db)
    db.rates.load([{"date": "2020-01-01", "currency": "USD", "rate": "1.10"}])
    # of which there is no rate: it is left out, and said
    db.save_deal({"id": "pound", "stage": "Lead", "amount": 5, "currency": "GBP"})
    report = report_of(db, to="EUR")
    [opened] = report.contents.headlines[0].values
    assert (opened.currency, "USD" in report.contents.brief[0]) == ("EUR", False)
    assert report.contents.brief[1] == (
        "In no sum of money: 1 deal in GBP, as no rate to EUR is kept for it."
    )
    assert "in EUR |" not in report.markdown()
    assert not [each.why for each in report.contents.evidence if each.why]


def test_numbers_of_a_reader(db: DealDatabase) -> None:
    db.save_deal({"id": 1, "stage": "Lead", "amount": Decimal("1234.50"), "currency": "EUR"})
    assert "1.234,50 EUR" in report_of(db, locale="de-DE").contents.brief[0]


def test_what_misleads_is_told_by_currency(db: DealDatabase) -> None:
    won = [
        {"id": f"W{n}", "stage": "Won", "amount": 1_000, "currency": "EUR", "closed": TODAY}
        for n in range(20)
    ]
    won += [{"id": f"N{n}", "stage": "Won", "amount": 10, "closed": TODAY} for n in range(20)]
    named = {"stage": "Lead", "name": "Renewal", "company": "Alder"}
    db.loader.load(
        [
            *won,
            {"id": "yen", "currency": "JPY", "amount": 50_000, **named},
            {"id": "euro", "currency": "EUR", "amount": 50_000, **named},
            {"id": "none", "currency": None, "amount": 500, **named},
        ]
    )
    rates = {"EUR": 1, "JPY": "0.006"}
    day = (TODAY - timedelta(days=9)).isoformat()
    told = [{"date": day, "currency": currency, "rate": rate} for currency, rate in rates.items()]
    db.rates.load(told)

    def found(**options: Any) -> dict[str, list[str]]:
        told: dict[str, list[str]] = {"times as large": [], "of another": []}
        for note in report_of(db, **options).contents.sections[-1].quality:
            for word, ids in told.items():
                if word in note.text and note.evidence.frame is not None:
                    ids.extend(note.evidence.frame["id"].to_list())
        return told

    assert found() == {"times as large": ["euro", "none"], "of another": []}
    # 50,000 JPY are 300 EUR
    assert found(to="EUR") == {"times as large": ["euro"], "of another": []}


def test_what_is_refused(db: DealDatabase, run: Run, tmp_path: Path) -> None:
    db.save_deal({"id": 1, "stage": "Lead"})
    for options in (
        {"by": "nothing"},
        {"where": "nothing = 1"},
        {"since": "2999-01-01"},
        {"until": "2026-01-01", "as_of": "2026-01-01"},
        {"to": "EUR", "where": "stage ="},
    ):
        with pytest.raises(QueryError):
            report_of(db, **options)
    with pytest.raises(ConfigError, match=r"\.html, \.md or \.xlsx"):
        report_of(db).save(tmp_path / "report.pdf")
    assert run("report", "-o", str(tmp_path / "x.pdf")).code == 2
    assert run("report", "--json").code == 2


def test_the_command_writes_a_file(db: DealDatabase, run: Run, tmp_path: Path) -> None:
    db.save_deal({"id": 1, "stage": "Lead", "amount": 7, "currency": "EUR"})
    target = tmp_path / "monday.md"
    ran = run("report", "--since", "yesterday", "-o", str(target))
    assert ran.code == 0, ran.err
    assert "7.00 EUR" in target.read_text()
    assert run("report", "-o", "-").out.startswith("<!DOCTYPE html>")


def test_what_is_said_of_one_deal_is_said_of_one(db: DealDatabase, tmp_path: Path) -> None:
    db.save_deal({"id": "1", "amount": 5, "segment": 2026})
    report = report_of(db, by=["segment", "owner", "stage"])
    notes = {note.text: note.effect for note in report.contents.sections[-1].quality}
    assert notes["1 deal has no stage"] == "It counts as open."
    assert not any(effect.startswith(("They", "Their")) for effect in notes.values())
    report.save(tmp_path / "r.md")
    text = (tmp_path / "r.md").read_text("utf-8")
    assert "How does it look by segment, owner and stage?" in text
    assert "| 2026 |" in text


def test_stays_are_those_of_the_commands_at_any_hour(db: DealDatabase) -> None:
    db.set_pipeline(h1.PIPELINE)
    at = datetime.combine(datetime.now(UTC).date() - timedelta(days=2), time(12), UTC)
    db.save_deal({"id": 1, "stage": "Lead", "amount": 5, "currency": "EUR"}, at=at)
    # two days and a half at the end of today, whatever the hour
    assert db.analytics.survival(stage="Lead").frame["days"].to_list() == [2.5]
    assert db.pinned().analytics.survival(stage="Lead").frame["days"].to_list() == [2.5]
