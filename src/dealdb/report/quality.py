"""What would mislead: deals whose values can't be right, or are missing, with the command that lists them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from dealdb.analytics.options import NONE
from dealdb.answers.asked import counted
from dealdb.model.decimals import EXACT
from dealdb.model.pipeline import Kind
from dealdb.model.schema import FieldType
from dealdb.report.evidence import Evidence, Inquiry
from dealdb.report.parts import QualityNote

# an open deal this many times as large as the middle of those that were won is likely a slip of the keyboard
_TIMES = 10
# of fewer wins nobody knows what is usual
_LEAST = 20


@dataclass(frozen=True, slots=True)
class _Check:
    """A condition, the fields that it needs, and what to say of one and of many deals for which it holds."""

    where: str
    needs: tuple[str, ...]
    one: str
    many: str
    effect: str
    effect_of_one: str = ""


def quoted(names: list[str]) -> str:
    """
    Texts as a list of SQL.

    Examples
    --------
    >>> quoted(["Won", "Bob's"])
    "('Won', 'Bob''s')"
    """
    texts = ", ".join("'" + name.replace("'", "''") + "'" for name in names)
    return f"({texts})"


def kept_by_kind(inquiry: Inquiry, kind: Kind) -> str:
    """The filter for deals that are open, won or lost."""
    pipeline = inquiry.view.pipeline
    if kind is not Kind.OPEN:
        names = pipeline.names(kind)
        return f"stage IN {quoted(names)}" if names else "FALSE"
    closed = [*pipeline.names(Kind.WON), *pipeline.names(Kind.LOST)]
    return f"(stage IS NULL OR stage NOT IN {quoted(closed)})" if closed else "TRUE"


def quality_notes(inquiry: Inquiry, summary: Evidence) -> list[QualityNote]:
    """
    All that would mislead, as far as rules can find it.

    Parameters
    ----------
    inquiry
        Of the report.
    summary
        The main figures of all deals, which say how large a deal usually is.
    """
    known = {"id", *inquiry.view.schema}
    # where others have a currency, to have none is told
    without = NONE if any(_currencies(inquiry)) else None
    checks = _checks(inquiry, summary, has_currencies=without is not None)
    found = [
        # without stages that are won or lost, all deals are open
        _note(inquiry.deals(check.where.removeprefix("TRUE AND ")), check, without)
        for check in checks
        if known.issuperset(check.needs)
    ]
    found += _duplicates(inquiry, known, without)
    return [note for note in found if note is not None]


def _note(evidence: Evidence, check: _Check, without: str | None) -> QualityNote | None:
    frame = evidence.frame
    if frame is None or frame.is_empty():
        return None
    return QualityNote(
        text=counted(frame.height, check.one, check.many),
        effect=check.effect_of_one if frame.height == 1 and check.effect_of_one else check.effect,
        evidence=evidence,
        sums=_sums(frame, without),
    )


def _sums(frame: pl.DataFrame, without: str | None) -> dict[str | None, Decimal]:
    found: dict[str | None, Decimal] = {}
    if not isinstance(frame.schema.get("amount"), pl.Decimal):
        return found
    currencies = frame["currency"] if "currency" in frame.columns else [None] * frame.height
    for currency, amount in zip(currencies, frame["amount"], strict=True):
        if amount:
            own = without if currency is None else currency
            found[own] = EXACT.add(found.get(own, Decimal(0)), amount)
    return found


def _checks(inquiry: Inquiry, summary: Evidence, *, has_currencies: bool) -> Iterator[_Check]:
    day = f"DATE '{inquiry.day}'"
    is_open, is_won, is_lost = (kept_by_kind(inquiry, kind) for kind in Kind)
    is_closed = f"({is_won} OR {is_lost})"
    yield _Check(
        f"{is_open} AND expected_close < {day}",
        ("stage", "expected_close"),
        "open deal is overdue: the day on which it was to close is past",
        "open deals are overdue: the day on which they were to close is past",
        "The forecast counts those that were due in this quarter and leaves out older ones; a new date, or a loss, "
        "would make it right.",
        "The forecast counts it only if it was due in this quarter; a new date, or a loss, would make it right.",
    )
    yield _Check(
        f"{is_open} AND amount IS NULL",
        ("stage", "amount"),
        "open deal has no amount",
        "open deals have no amount",
        "They count as 0 in the pipeline and in the forecast, which are too low therefore.",
        "It counts as 0 in the pipeline and in the forecast, which are too low therefore.",
    )
    yield _Check(
        f"{is_won} AND amount IS NULL",
        ("stage", "amount"),
        "won deal has no amount",
        "won deals have no amount",
        "They are missing from the won value, and from the mean size of a deal.",
        "It is missing from the won value, and from the mean size of a deal.",
    )
    yield _Check(
        f"{is_lost} AND amount = 0",
        ("stage", "amount"),
        "lost deal has an amount of 0",
        "lost deals have an amount of 0",
        "The value that was lost is too low therefore, unless they were worth nothing.",
    )
    yield _Check(
        f"{is_open} AND expected_close IS NULL",
        ("stage", "expected_close"),
        "open deal has no day on which it is to close",
        "open deals have no day on which they are to close",
        "They are in no period of the forecast.",
        "It is in no period of the forecast.",
    )
    yield _Check(
        f"{is_closed} AND closed IS NULL",
        ("stage", "closed"),
        "won or lost deal has no closing day",
        "won or lost deals have no closing day",
        "They are in no week, month or quarter: won and lost values of periods are too low.",
        "It is in no week, month or quarter: won and lost values of periods are too low.",
    )
    yield _Check(
        "closed < created",
        ("closed", "created"),
        "deal was closed before it was created",
        "deals were closed before they were created",
        "They make the sales cycle look shorter than it is.",
        "It makes the sales cycle look shorter than it is.",
    )
    yield _Check(
        f"created > {day}",
        ("created",),
        "deal was created on a day that is still to come",
        "deals were created on a day that is still to come",
        "They are among the deals of their stage, but not among the new ones of any period up to now.",
        "It is among the deals of its stage, but not among the new ones of any period up to now.",
    )
    yield _Check(
        f"{is_closed} AND closed > {day}",
        ("stage", "closed"),
        "deal was won or lost on a day that is still to come",
        "deals were won or lost on a day that is still to come",
        "They are neither open nor won or lost in any period up to now.",
        "It is neither open nor won or lost in any period up to now.",
    )
    yield _Check(
        "amount < 0",
        ("amount",),
        "deal has a negative amount",
        "deals have a negative amount",
        "They lower each sum that they are in.",
        "It lowers each sum that it is in.",
    )
    yield _Check(
        "stage IS NULL",
        ("stage",),
        "deal has no stage",
        "deals have no stage",
        "They count as open.",
        "It counts as open.",
    )
    if stages := [stage.name for stage in inquiry.view.pipeline]:
        yield _Check(
            f"stage NOT IN {quoted(stages)}",
            ("stage",),
            "deal is in a stage that the pipeline does not have",
            "deals are in a stage that the pipeline does not have",
            "They count as open, and have no chance unless they say one.",
            "It counts as open, and has no chance unless it says one.",
        )
    if has_currencies:
        yield _Check(
            "amount IS NOT NULL AND currency IS NULL",
            ("amount", "currency"),
            "deal has an amount and no currency",
            "deals have an amount and no currency",
            "Their money is not added to that of the others.",
            "Its money is not added to that of the others.",
        )
    yield from _outliers(inquiry, summary, is_open)


def _currencies(inquiry: Inquiry) -> list[str | None]:
    if "currency" not in inquiry.view.schema:
        return []
    return (
        inquiry.view.query.find(inquiry.where, columns=["currency"])["currency"].unique().to_list()
    )


def _outliers(inquiry: Inquiry, summary: Evidence, is_open: str) -> Iterator[_Check]:
    """Open deals that are much larger than what is usual, in each currency by itself."""
    # what is usual is converted, and amounts are not: those of other currencies can't be compared
    in_several = inquiry.to is not None and "currency" in inquiry.view.schema
    for row in summary.rows:
        if row.get("median_size") is None or row["sized_n"] < _LEAST:
            continue
        own = summary.money_in(row)
        same = f" AND {_in_currency(str(own))}" if in_several or "currency" in row else ""
        bound = _plain(row["median_size"] * _TIMES)
        yield _Check(
            f"{is_open} AND amount > {bound}{same}",
            ("stage", "amount"),
            f"open deal is more than {_TIMES} times as large as the middle one of those that were won",
            f"open deals are more than {_TIMES} times as large as the middle one of those that were won",
            "If a digit too many was typed, the pipeline is much too high.",
        )


def _in_currency(currency: str) -> str:
    # as results call what is missing
    return "currency IS NULL" if currency == NONE else f"currency IN {quoted([currency])}"


def _plain(number: float | Decimal) -> str:
    return f"{number:.2f}"


def _duplicates(
    inquiry: Inquiry, known: set[str], without: str | None
) -> Iterator[QualityNote | None]:
    """Deals with the name, company and amount of another, in the same currency."""
    if not known.issuperset(("name", "company", "amount")):
        return
    schema = inquiry.view.schema
    if not all(schema[name].type is FieldType.TEXT for name in ("name", "company")):
        return
    same = ["lower(trim(name))", "lower(trim(company))", "amount"]
    same += ["currency"] if "currency" in known else []
    where = inquiry.within("name IS NOT NULL AND company IS NOT NULL AND amount IS NOT NULL")
    found = inquiry.sql(
        # the filter is that of the user, and the sandbox runs nothing but reads
        f"SELECT * FROM deals WHERE {where} "  # noqa: S608  # nosec B608
        f"QUALIFY count(*) OVER (PARTITION BY {', '.join(same)}) > 1 "
        "ORDER BY amount DESC, company, id"
    )
    yield _note(
        found,
        _Check(
            "",
            (),
            "deal has the name, company and amount of another",
            "deals have the name, company and amount of another, and may be there twice",
            "What is there twice counts twice in every sum.",
        ),
        without,
    )
