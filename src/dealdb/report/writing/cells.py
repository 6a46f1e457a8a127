"""Values of a report as people read them, in the language of the reader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from dealdb.analytics.drawing.figures import group_columns
from dealdb.analytics.drawing.movement import TAKES
from dealdb.analytics.options import NONE
from dealdb.answers.asked import counted, days_between, money, speaking
from dealdb.answers.labels import labels_of
from dealdb.answers.people import form_of, words_of
from dealdb.charts import Unit
from dealdb.database import DEFAULT_COLLECTION
from dealdb.formats.cells import is_number
from dealdb.formats.controls import visible
from dealdb.formats.locale import Locale
from dealdb.model.fiscal import time_zone
from dealdb.model.moments import as_utc
from dealdb.report.contents import ReportContents
from dealdb.report.evidence import Evidence
from dealdb.report.parts import Cell, Headline, ReportTable, ThenAndNow

# where the page of metrics is, for those who have the sources
METRICS = "docs/metrics.md"
NO_VALUE = "\N{EN DASH}"
_LONGEST = 80
# money that is no sum
_MEANS = ("mean_size", "median_size", "needed_per_day")
# steps of a waterfall that are made of amounts, and of days
_AMOUNTS, _DAYS = ("up", "down", "fx"), ("pulled_in", "pushed_out")
# what lists of deals call their columns
_DEALS = {"id": "deal", "expected_close": "expected to close"}


def text_of(value: Any, *, metric: str, key: str, locale: Locale, zone: str = "UTC") -> str:
    r"""
    A value of a table, moments as the clocks of the zone show them.

    Examples
    --------
    >>> from dealdb.formats.locale import PLAIN
    >>> text_of(0.25, metric="win_rate", key="win_rate", locale=PLAIN)
    '25.0 %'
    >>> text_of("a\nb\u202e", metric="deals", key="name", locale=PLAIN)
    'a b\\u202e'
    """
    if value is None:
        return NO_VALUE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        shown = as_utc(value).astimezone(time_zone(zone))
        day = locale.day(shown.date())
        return f"{day} {shown:%H:%M}" if _has_time(shown) else day
    if isinstance(value, date):
        return locale.day(value)
    if isinstance(value, str):
        return clipped(words_of(metric, key, value))
    if isinstance(value, int):
        return locale.number(value)
    form = form_of(metric, key, is_money=isinstance(value, Decimal))
    if form.percent:
        return locale.share(value)
    return locale.number(value, form.digits)


def _has_time(value: datetime) -> bool:
    return bool(value.hour or value.minute or value.second)


def clipped(text: str) -> str:
    """A text on one line, cut where it is long."""
    line = visible(" ".join(text.split()))
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "\N{HORIZONTAL ELLIPSIS}"


def more_rows(number: int, locale: Locale) -> str:
    """Rows that a table does not show."""
    with speaking(locale):
        return counted(number, "more row")


def headings(table: ReportTable) -> list[tuple[str, bool]]:
    """What the columns are called, and whether they have numbers, those from elsewhere behind the deal's id."""
    frame = table.frame
    names = {**labels_of(table.evidence.name, frame.columns), **table.labels}
    found: list[tuple[str, bool]] = []
    for key in table.keys:
        numbers = frame[key].drop_nulls().head(1).to_list()
        is_money = key in _MEANS or (bool(numbers) and isinstance(numbers[0], Decimal))
        own = _DEALS.get(key, names[key]) if table.evidence.name == "deals" else names[key]
        unit = f" ({table.evidence.currency})" if is_money and table.evidence.currency else ""
        found.append((own + unit, frame.schema[key].is_numeric()))
        if key == "id":
            found += [(name, False) for name in table.beside]
    return found


def rows_of(table: ReportTable, locale: Locale, zone: str) -> list[list[str]]:
    """The cells of a table, as texts."""
    frame = table.frame
    groups = group_columns(table.evidence.name, frame.columns)
    found = []
    for place, number in enumerate(table.rows):
        row = frame.row(number, named=True)
        cells = []
        for key in table.keys:
            if key in groups and is_number(row[key]):
                cells.append(locale.name(row[key]))
                continue
            value = _written(row, key)
            shown = text_of(value, metric=table.evidence.name, key=key, locale=locale, zone=zone)
            cells.append(_signed(shown, value, row["bucket"]) if is_step(table, key) else shown)
            if key == "id":
                cells += [
                    text_of(values[place], metric="deals", key=name, locale=locale)
                    for name, values in table.beside.items()
                ]
        found.append(cells)
    return found


def is_step(table: ReportTable, key: str) -> bool:
    """Whether a column has the steps of a waterfall, which add up where each has its sign."""
    return table.evidence.name == "waterfall" and key == "value" and "id" not in table.keys


def _signed(shown: str, value: Any, bucket: str) -> str:
    if not value or bucket in ("start", "end"):
        return shown
    # what was given back, and rates that fell, have their own sign
    is_less = (bucket in TAKES) != (value < 0)
    sign = "\N{MINUS SIGN}" if is_less else "+"
    return sign + shown.lstrip("-\N{MINUS SIGN}")


def _written(row: Mapping[str, Any], key: str) -> Any:
    """A value of a line; what a deal went from and to is a text there, whatever it was."""
    value, bucket = row[key], row.get("bucket")
    if key not in ("from", "to") or not isinstance(value, str):
        return value
    if bucket in _AMOUNTS:
        return Decimal(value)
    return date.fromisoformat(value) if bucket in _DAYS else value


def headline_text(
    cell: Cell | None, unit: Unit, locale: Locale, *, currency: str | None, is_one: bool
) -> str:
    """A figure at the top: money with its currency, what is no money only where it is not the only one."""
    value = None if cell is None else cell.value
    if value is None:
        return "none" if unit is not Unit.SHARE else NO_VALUE
    if unit is Unit.MONEY:
        return money(value, currency)
    shown = locale.share(value) if unit is Unit.SHARE else locale.number(value)
    if is_one or currency is None:
        return shown
    return f"{shown} {'without a currency' if currency == NONE else f'in {currency}'}"


def headline_lines(headline: Headline, locale: Locale) -> list[tuple[str, str, str]]:
    """A figure at the top: what it is, what it was and how it has changed, for each currency."""

    def text(cell: Cell | None, pair: ThenAndNow) -> str:
        is_one = len(headline.values) == 1
        return headline_text(cell, headline.unit, locale, currency=pair.currency, is_one=is_one)

    return [
        (
            text(pair.now, pair),
            text(pair.before, pair) if headline.than else "",
            change_text(pair, headline, locale),
        )
        for pair in headline.values
    ]


def change_text(pair: ThenAndNow, headline: Headline, locale: Locale) -> str:
    """How a figure has changed, with its sign; empty where it has not, or nobody knows."""
    now, before = (None if each is None else each.value for each in (pair.now, pair.before))
    if not is_number(now) or not is_number(before):
        return ""
    change = now - before  # type: ignore[operator]  # both are numbers
    sign = "+" if change > 0 else "\N{MINUS SIGN}" if change < 0 else "\N{PLUS-MINUS SIGN}"
    size = abs(change)
    if headline.unit is Unit.SHARE:
        return f"{sign}{locale.number(size * 100, 1)} points"
    return f"{sign}{locale.number(size, 2 if headline.unit is Unit.MONEY else None)}"


def moment_text(contents: ReportContents, locale: Locale) -> str:
    """When the deals of a report were looked at."""
    moment = contents.moment
    if isinstance(moment, datetime):
        shown = as_utc(moment).astimezone(time_zone(contents.zone))
        return f"{locale.day(shown.date())} {shown:%H:%M} {contents.zone}"
    return f"the end of {locale.day(moment)}"


def zone_sentence(contents: ReportContents) -> str:
    """Whose clocks show the moments of the report."""
    return f"Days and times are those of {contents.zone}."


@dataclass(frozen=True, slots=True)
class FigureSource:
    """What figures mean; what they rest on, with the commands that give them."""

    meaning: str
    grounds: Mapping[str, Sequence[str]]


def sources_of(evidence: Sequence[Evidence]) -> list[FigureSource]:
    """What some figures mean and rest on, each metric once."""
    found: dict[str, dict[str, list[str]]] = {}
    for each in evidence:
        meaning = (
            f"{each.definition[0]} ({METRICS}#{each.definition[1]})" if each.definition else ""
        )
        # of nothing, what it rests on says nothing
        has_rows = each.frame is not None and not each.frame.is_empty()
        rests = f"Rests on {each.basis}." if each.basis and has_rows else ""
        found.setdefault(meaning, {}).setdefault(rests, []).append(each.typed)
    return [FigureSource(meaning, grounds) for meaning, grounds in found.items()]


def title_of(contents: ReportContents) -> str:
    """The days, the collection and the deals of a report."""
    period = days_between(contents.span.since, contents.span.until)
    # the only one that most have is not worth a word
    is_usual = contents.collection == DEFAULT_COLLECTION
    deals = "" if is_usual else f", collection {contents.collection}"
    which = f", only deals with {contents.where}" if contents.where else ""
    return f"{period[:1].upper()}{period[1:]}{deals}{which}."


def top_of(contents: ReportContents) -> list[Evidence]:
    """What the figures at the top are read from."""
    cells = [
        cell
        for headline in contents.headlines
        for pair in headline.values
        for cell in (pair.now, pair.before)
        if cell is not None
    ]
    return list({cell.evidence.command: cell.evidence for cell in cells}.values())
