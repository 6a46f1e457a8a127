"""One export of each CRM with its figures, which were counted by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pytest

from dealdb import DealDatabase
from servers import Server

FOLDER = Path(__file__).parents[2] / "data" / "crm"

# won value and open value by currency; "(none)" where the export has no currency
BOTH = {"EUR": ("12000.50", "45000.00"), "USD": ("7999.50", "500.00")}
NO_CURRENCY = {"(none)": ("20000.00", "45500.00")}
DOLLARS = {"USD": ("20000.00", "45500.00")}
Owners = Mapping[str | None, int]
NAMES: Owners = {"Ann Baker": 3, "Bob Lee": 3}
NUMBERS: Owners = {"801": 3, "802": 3}
ADDRESSES: Owners = {"ann@example.com": 3, "bob@example.com": 3}

NO_CLOSED = "no column says when deals were closed"
NO_EXPECTED = "no column says when deals are expected to close"


@dataclass(frozen=True, kw_only=True)
class Golden:
    """
    The figures of a file: of six deals two are won, after 30 and 10 days, and one is lost after 50.

    ``expected`` and ``closed`` count the deals that have such a date; ``warnings`` are the beginnings of all of them.
    """

    value: Mapping[str, tuple[str, str]] = field(default_factory=lambda: BOTH)
    owners: Owners = field(default_factory=lambda: NAMES)
    outcomes: tuple[int, int, int] = (2, 1, 3)
    companies: int = 6
    created: int = 6
    expected: int = 3
    closed: int = 3
    cycles: tuple[float | None, float | None] = (20.0, 50.0)
    reasons: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


GOLDEN = {
    "affinity.csv": Golden(value=NO_CURRENCY),
    "airtable.csv": Golden(value=DOLLARS, expected=6),
    "bitrix24.csv": Golden(),
    "bitrix24-api.json": Golden(owners=NUMBERS),
    "close.csv": Golden(expected=0, warnings=(NO_EXPECTED,)),
    "close-api.json": Golden(expected=0, warnings=(NO_EXPECTED,)),
    "copper.csv": Golden(),
    # rounds of funding, which have no outcome, and no names of deals in a pipeline
    "crunchbase.csv": Golden(
        value={"EUR": ("0.00", "15000.50"), "USD": ("0.00", "8499.50")},
        owners={None: 5},
        outcomes=(0, 0, 5),
        companies=5,
        created=0,
        expected=0,
        closed=5,
        cycles=(None, None),
        warnings=(
            "no column is the stage",
            "no column is the owner",
            "no column says when deals were created",
            NO_EXPECTED,
        ),
    ),
    "dynamics.csv": Golden(value=DOLLARS, expected=6),
    "dynamics-odata.json": Golden(expected=6),
    "erpnext.csv": Golden(
        owners=ADDRESSES, expected=6, closed=0, cycles=(None, None), warnings=(NO_CLOSED,)
    ),
    "espocrm.csv": Golden(),
    "frappe.csv": Golden(owners=ADDRESSES, expected=6),
    "freshsales.csv": Golden(expected=6),
    "freshsales-api.json": Golden(expected=6),
    "hubspot.csv": Golden(),
    "hubspot-api.json": Golden(owners=NUMBERS, companies=0),
    "krayin.csv": Golden(
        value=DOLLARS,
        companies=0,
        expected=6,
        closed=0,
        cycles=(None, None),
        warnings=(NO_CLOSED,),
    ),
    "monday.csv": Golden(value=NO_CURRENCY, expected=6),
    "notion.csv": Golden(value={"EUR": ("20000.00", "45500.00")}, expected=6),
    "odoo.csv": Golden(value=NO_CURRENCY, expected=6),
    "odoo-api.json": Golden(value=NO_CURRENCY, expected=6),
    "pipedrive.csv": Golden(expected=6),
    "pipedrive-api.json": Golden(expected=6),
    "salesforce-data-loader.csv": Golden(),
    "salesforce-report.csv": Golden(reasons={"summary-row": 4}),
    "salesforce-rest.json": Golden(),
    "suitecrm.csv": Golden(value=NO_CURRENCY),
    "twenty.csv": Golden(),
    "twenty-api.json": Golden(),
    "zoho.csv": Golden(),
    "zoho-api.json": Golden(),
}


def test_each_file_has_its_figures() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(GOLDEN)


@pytest.mark.parametrize("name", GOLDEN)
def test_figures_of_an_export(server: Server, name: str) -> None:
    golden = GOLDEN[name]
    with DealDatabase("127.0.0.1", server.port) as db:
        report = db.loader.load(FOLDER / name, bar=False, rejects=False)
        assert report.reasons == golden.reasons
        assert [text.partition(":")[0] for text in report.warnings] == list(golden.warnings)
        deals = db.query.find()
        counts = dict(deals.group_by("owner").len().rows())
        assert counts == golden.owners
        assert deals.filter(deals["company"].is_not_null())["company"].n_unique() == (
            golden.companies
        )
        for column in ("created", "expected", "closed"):
            name_of_field = "expected_close" if column == "expected" else column
            found = db.query.count(f"{name_of_field} IS NOT NULL")
            assert (column, found) == (column, getattr(golden, column))
        summary = db.analytics.summary(by="currency").to_dicts()
        assert {row["currency"]: (row["won_value"], row["pipeline_value"]) for row in summary} == {
            currency: (Decimal(won), Decimal(pending))
            for currency, (won, pending) in golden.value.items()
        }
        assert golden.outcomes == tuple(
            sum(row[kind] for row in summary) for kind in ("won", "lost", "open")
        )
        assert golden.cycles == tuple(
            db.analytics.sales_cycle(outcome=outcome)["mean_days"] for outcome in ("won", "lost")
        )
        # again, nothing changes
        again = db.loader.load(FOLDER / name, bar=False, rejects=False)
        assert (again.inserted, again.updated) == (0, 0)
