"""What ``odd_sources.toml`` says of each source is what a load makes of it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from dealdb import DealDatabase, LoadError
from servers import Server

SOURCES: list[dict[str, Any]] = tomllib.loads(
    Path(__file__).with_name("odd_sources.toml").read_text(encoding="utf-8")
)["source"]
AMOUNTS = {
    # what a cell of amounts says: its amount, and its currency
    "$(1,234.00)": ("-1234", "USD"),
    "$ -": ("0", "USD"),
    "A$ 5": ("5", "AUD"),
    "CA$5": ("5", "CAD"),
    "R$ 1.234,50": ("1234.5", "BRL"),
    "1 234,50 Kč": ("1234.5", "CZK"),
    "12 000 Ft": ("12000", "HUF"),
    "Rp 10.000": ("10000", "IDR"),
    "₦5": ("5", "NGN"),
    "\uff11\uff12\uff13": ("123", None),
    "\u20135": ("-5", None),
    "1.750,-": ("1750", None),
    "$1.5M": ("1500000", "USD"),
    "5k": ("5000", None),
    "CHF 1'750.50": ("1750.5", "CHF"),
    "USD 1,750.00": ("1750", "USD"),
    "1\u00a0750,00 €": ("1750", "EUR"),
    "1\u202f750,00 €": ("1750", "EUR"),
    "1 750,00 €": ("1750", "EUR"),
    "1750 kr": ("1750", "kr"),
}
NUMBERS = count()


@pytest.fixture(scope="module")
def url(shared_server: Server) -> str:
    with shared_server.client() as client:
        client.flushall()
    return f"unix://{shared_server.socket}"


@pytest.fixture
def db(url: str) -> Iterator[DealDatabase]:
    # a collection for each source: to empty the server takes longer than the load
    with DealDatabase.from_url(url, collection=f"odd{next(NUMBERS)}") as db:
        yield db


@pytest.mark.parametrize("source", SOURCES, ids=[source["what"] for source in SOURCES])
def test_odd_source(db: DealDatabase, tmp_path: Path, source: dict[str, Any]) -> None:
    path = tmp_path / source["name"]
    path.write_bytes(source["text"].encode(source.get("written", "utf-8")))
    if "refused" in source:
        with pytest.raises(LoadError, match=source["refused"]):
            db.loader.load(path, bar=False)
        assert db.query.count() == 0
        return
    report = db.loader.load(path, bar=False, **source.get("options", {}))
    assert report.rejected == source.get("rejected", 0), report.reasons
    assert db.query.count() == source.get("count", len(source["deals"]))
    for deal in source["deals"]:
        assert {name: shown(db, deal["id"], name) for name in deal} == deal
    figures = db.analytics.summary()
    for outcome in ("won", "lost"):
        assert outcome not in source or figures[outcome] == source[outcome]
    assert not set(source.get("without", ())) & {field.name for field in db.schema.fields}


@pytest.mark.parametrize("cell", AMOUNTS)
def test_odd_amount(db: DealDatabase, tmp_path: Path, cell: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"id;amount\n1;{cell}\n", encoding="utf-8")
    db.loader.load(path, bar=False)
    amount, currency = AMOUNTS[cell]
    assert (shown(db, "1", "amount"), shown(db, "1", "currency")) == (amount, currency or "")


def shown(db: DealDatabase, id_: str, name: str) -> str:
    deal = db.get_deal(id_)
    assert deal is not None
    value = deal.get(name)
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return "" if value is None else json.dumps(value) if isinstance(value, list) else str(value)
