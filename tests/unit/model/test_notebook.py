"""Reports in a notebook are tables in which no text is markup."""

from __future__ import annotations

from dealdb.loader import LoadReport
from dealdb.model.notebook import facts_html
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
