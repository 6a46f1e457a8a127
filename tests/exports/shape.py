"""What a shape of export is, and an export made of one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from exports.deals import CHANCES, LOST, OPEN, WON, Deal, some_deals
from exports.dirt import DIRT, Record, Sheet
from exports.files import PLAIN, Form, write
from exports.style import Style, some_style

# fields that a judge compares one by one
FIELDS = (
    "company",
    "owner",
    "outcome",
    "amount",
    "currency",
    "probability",
    "created",
    "expected_close",
    "closed",
)


@dataclass(frozen=True)
class Column:
    """
    One column: its header, the value that a deal has in it, and the field that it tells.

    ``close`` is the field of a column with one close date for open and closed deals.
    """

    header: str
    value: Callable[[Deal], Any]
    tells: str = ""


@dataclass(frozen=True)
class Stages:
    """Names of the stages of a program; the open ones in their order."""

    open: tuple[str, str, str, str, str]
    won: str
    lost: str
    # spelled after a custom of the company, so that a name alone says nothing
    custom: bool = False

    def of(self, deal: Deal, style: Style) -> str:
        """The stage of a deal, closed ones among them."""
        name = {OPEN: self.open[deal.phase], WON: self.won, LOST: self.lost}[deal.kind]
        place = {OPEN: deal.phase + 1, WON: len(CHANCES) + 1, LOST: len(CHANCES) + 2}[deal.kind]
        return _spelled(name, place, style)

    def before(self, deal: Deal, style: Style) -> str:
        """The open stage that a deal is or was in, for programs that keep the outcome elsewhere."""
        return _spelled(self.open[deal.phase], deal.phase + 1, style)


def _spelled(name: str, place: int, style: Style) -> str:
    return {
        "ordinal": f"{place}. {name}",
        "dashed": f"{place:02} - {name}",
        "pipeline": f"{name} (Sales Pipeline)",
        "upper": name.upper(),
    }.get(style.spelling, name)


@dataclass(frozen=True, kw_only=True)
class Shape:
    """
    One kind of export of one program.

    Attributes
    ----------
    columns
        Its columns, in a style.
    form
        How it is in JSON.
    id_of
        The id of the deal with a number.
    seen
        The deal as this export shows it, for example with the number of its owner.
    dirt
        What else may stand in it.
    """

    name: str
    columns: Callable[[Style], Sequence[Column]]
    containers: Sequence[str] = ("csv",)
    locales: Sequence[str] = ("plain",)
    chances: Sequence[str] = ("percent",)
    monies: Sequence[str] = ("column",)
    spellings: Sequence[str] = ("plain",)
    form: Form = PLAIN
    id_of: Callable[[int], str] = str
    seen: Callable[[Deal], Deal] = field(default=lambda deal: deal)
    dirt: Sequence[str] = ()
    # header, value of a live record (... for what it has anyway), value of a deleted one
    deleted: tuple[str, Any, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Export:
    """A written export, and what is true of it."""

    shape: Shape
    seed: str
    path: Path
    style: Style
    dirt: str
    deals: Sequence[Deal]
    headers: Mapping[str, tuple[str, ...]]
    # what a user answers, by the option of the load that was asked for
    answers: Mapping[str, Any]

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that this export tells, and that can be compared therefore."""
        return tuple(name for name in FIELDS if name in self.headers)


def make(shape: Shape, seed: str, folder: Path) -> Export:
    """The export of a shape that belongs to a seed; the same each time."""
    random = Random(seed)
    style = some_style(
        random,
        seed=seed,
        locales=shape.locales,
        containers=shape.containers,
        chances=shape.chances,
        monies=shape.monies,
        spellings=shape.spellings,
    )
    one = (style.currency,)
    several = style.money not in ("bare", "header") and random.random() < 0.5
    deals = [
        replace(deal, id=shape.id_of(deal.number))
        for deal in some_deals(
            random, ("EUR", "USD", "GBP") if several else one, cents=random.random() < 0.6
        )
    ]
    columns = list(shape.columns(style))
    headers: dict[str, tuple[str, ...]] = {}
    for column in columns:
        if column.tells:
            headers[column.tells] = (*headers.get(column.tells, ()), column.header)
    records = [{c.header: c.value(deal) for c in columns} for deal in deals]
    kinds = ("more pages",) if style.container == "envelope" and shape.form.more else shape.dirt
    dirt = random.choice(kinds) if kinds and random.random() < (0.4 if shape.dirt else 0.2) else ""
    if shape.deleted is not None:
        dirt = _with_deleted(shape, records, headers["id"][0], random) or dirt
    sheet = Sheet(records, headers)
    if dirt in DIRT:
        sheet = DIRT[dirt](sheet, random)
    path = write(shape.form, sheet, style, folder / re.sub(r"\W+", "-", seed))
    told = _told(headers, style)
    named = {deal.currency for deal in deals if deal.amount is not None}
    one_named = len(named) == 1
    return Export(
        shape=shape,
        seed=seed,
        path=path,
        style=style,
        dirt=dirt,
        deals=[_truth(shape.seen(deal), told, one_named=one_named) for deal in deals],
        headers=told,
        answers=_answers(headers, style, one=not several),
    )


def _with_deleted(shape: Shape, records: list[Record], head: str, random: Random) -> str:
    """Mark all records as live, and sometimes add copies under other ids that are deleted."""
    assert shape.deleted is not None
    header, live, gone = shape.deleted
    if live is not ...:
        for record in records:
            record[header] = live
    if random.random() > 0.3:
        return ""
    copies = random.choices(records, k=random.randint(1, 4))
    for number, copy in enumerate(copies, start=9_000_000):
        other = {head: type(copy[head])(shape.id_of(number)), header: gone}
        records.insert(random.randrange(len(records)), {**copy, **other})
    return "deleted records"


def _told(headers: Mapping[str, tuple[str, ...]], style: Style) -> dict[str, tuple[str, ...]]:
    """The fields that the columns tell, with both dates of closing where one column has them."""
    told = dict(headers)
    close = told.pop("close", ())
    if close:
        told |= {name: (*told.get(name, ()), *close) for name in ("closed", "expected_close")}
    if "amount" in told and "currency" not in told and style.money not in ("bare", "column"):
        told["currency"] = told["amount"]
    return told


def _truth(deal: Deal, told: Mapping[str, tuple[str, ...]], *, one_named: bool) -> Deal:
    """
    What an export says of a deal; nothing of what it leaves out.

    Where cells of amounts in several currencies are all that names one, a deal without an amount has none.
    """
    blank = {
        name: None for name in FIELDS if name not in told and name not in ("outcome", "probability")
    }
    if told.get("closed") and told.get("closed") == told.get("expected_close"):
        # one column for both: what was expected of a closed deal is not said
        blank["expected_close" if deal.kind != OPEN else "closed"] = None
    if told.get("currency") == told.get("amount") and deal.amount is None and not one_named:
        blank["currency"] = None
    return replace(deal, **blank)  # type: ignore[arg-type]


def _answers(headers: Mapping[str, tuple[str, ...]], style: Style, *, one: bool) -> dict[str, Any]:
    answers: dict[str, Any] = {
        "dates": style.order,
        "decimal_point": style.decimal,
        "delimiter": style.separator,
        "encoding": style.encoding,
    }
    if "id" in headers:
        answers["mapping"] = {headers["id"][0]: "id"}
    else:
        answers["id_from"] = [headers["name"][0]]
    if one:
        answers["currency"] = style.currency
    return answers
