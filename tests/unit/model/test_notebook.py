"""Reports in a notebook are tables in which no text is markup."""

from __future__ import annotations

from datetime import UTC, datetime

from dealdb.loader import ExportReport, LoadReport
from dealdb.model.notebook import facts_html
from dealdb.model.schema import Schema
from dealdb.store.history.feed_commits import Commit, DealChange
from dealdb.store.upkeep.check import CheckReport
from dealdb.store.upkeep.health import Health


def test_each_value_has_its_form() -> None:
    facts = {
        "a": None,
        "b": True,
        "c": 12_345,
        "d": 0.1234,
        "e": ("x", 1),
        "f": {"y": 2},
        "g": 5.5e6,
    }
    shown = facts_html("t", facts)
    for text in ("-", "yes", "12,345", "0.123", "x, 1", "y: 2", "5,500,000"):
        assert f"<td>{text}</td>" in shown
    assert "<ul>" not in shown


def test_a_load_report_has_counts_and_notes() -> None:
    report = LoadReport(
        source="<b>.csv",
        format="csv",
        read=1200,
        inserted=1200,
        warnings=("no column is the amount",),
        dry_run=True,
    )
    shown = report._repr_html_()
    assert shown.startswith("<p>dry run of &lt;b&gt;.csv</p>")
    assert "<th>inserted</th><td>1,200</td>" in shown
    assert "<li>warning: no column is the amount</li>" in shown


def test_health_has_a_table() -> None:
    assert hasattr(Health, "_repr_html_")


def test_reports_of_all_kinds_show_themselves() -> None:
    shown = [
        ExportReport(target="<b>", format="csv", rows=2, bytes=40, seconds=0.1),
        CheckReport(deals=1200, differences=()),
    ]
    for report in shown:
        text = report._repr_html_()
        assert text.startswith(f"<p>{type(report).__name__}</p><table>")
        assert "<b>" not in text


def test_a_commit_shows_how_many_deals_it_has_and_not_what_they_hold() -> None:
    deal = DealChange(id="7", outcome="updated", values={"name": "secret"})
    commit = Commit(
        seq=3,
        when=datetime(2026, 1, 1, tzinfo=UTC),
        actor="<i>",
        kind="save",
        deals=(deal,),
        token="t",
        schema=Schema.standard(),
    )
    shown = commit._repr_html_()
    assert shown.startswith("<p>commit 3</p>")
    assert "&lt;i&gt;" in shown
    assert "secret" not in shown
