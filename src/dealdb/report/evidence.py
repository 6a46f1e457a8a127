"""``Evidence``: a table of figures with the command that gives the same ones; ``Inquiry``: what asks for it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from dealdb.answers.answer import answer_of
from dealdb.answers.labels import in_labels
from dealdb.answers.people import basis_in_words, counts_in_words
from dealdb.errors import MissingExtra, QueryError, SchemaError

if TYPE_CHECKING:
    from dealdb.analytics import Basis
    from dealdb.analytics.result import MetricResult
    from dealdb.charts import Chart
    from dealdb.view import DealView

# metrics of the present are those of `dealdb stats`; the others have a command each
_STATS = ("summary", "pipeline", "win_rate", "leaderboard")
# the argument of a command that has no name
_PLACED = {"attainment": "period"}

# of names in sentences and pictures
_LONGEST = 120
_ENDLESS = re.compile(rf"\S{{{2 * _LONGEST},}}")

# what a figure means, in a sentence; the page of metrics has the rest under the same heading
DEFINITIONS: dict[str, tuple[str, str]] = {
    "summary": (
        "Open deals are in a stage that is neither won nor lost; their weighted value is the amount times the chance "
        "of the deal, or else of its stage.",
        "summary",
    ),
    "pipeline": (
        "Open deals by the stage in which they are now; the weighted value is the amount times the chance of the deal, "
        "or else of its stage.",
        "pipeline",
    ),
    "win_rate": (
        "Won deals among all deals that were won or lost in the period, by their closing date.",
        "win-rate",
    ),
    "waterfall": (
        "From the open value of the first day to that of the last: each deal counts once, by what became of it, and "
        "the steps add up exactly.",
        "waterfall",
    ),
    "funnel": (
        "Deals created in the period that reached each stage; a stage that was skipped counts as passed.",
        "funnel",
    ),
    "forecast": (
        "What is won in the period, and open deals by the month in which they are expected to close, each times its "
        "chance; pipeline is the whole value of those that are neither committed nor best case.",
        "forecast",
    ),
    "simulate": (
        "The period played through 100,000 times: P10 is the value that 9 of 10 outcomes exceed, P50 the middle, P90 "
        "the value that 1 of 10 exceeds.",
        "simulate",
    ),
    "ageing": ("Open deals by the days for which they have been in their stage.", "ageing"),
    "rotting": (
        "Open deals that nobody has changed for longer than their stage allows.",
        "rotting",
    ),
    "leaderboard": (
        "What each owner won and lost in the period: a deal counts for the one who had it when it closed; open deals "
        "are those of now.",
        "leaderboard-at-closing",
    ),
    "attainment": (
        "What each owner won in the period against the quota; 100 % against the days gone is just what they ask for.",
        "attainment",
    ),
    "losses": ("Lost deals of the period by the reason that was given.", "losses"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """
    A table that figures of the report are read from.

    Attributes
    ----------
    name
        Of its metric; ``deals`` for a list of deals.
    command
        What gives the same table on the command line, as its words.
    frame
        The rows; None where they can't be had.
    why
        Why they can't.
    answer
        What it says, in sentences.
    basis
        What it rests on, in words.
    currency
        The one currency of its money.
    remarks, warnings
        What to know before believing it.
    chart
        Of it, where there is one.
    """

    name: str
    command: tuple[str, ...]
    frame: pl.DataFrame | None = None
    why: str = ""
    answer: str = ""
    basis: str = ""
    currency: str | None = None
    remarks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    chart: Chart | None = None

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows; none where they can't be had."""
        return [] if self.frame is None else self.frame.to_dicts()

    @property
    def typed(self) -> str:
        """The command as one types it."""
        return " ".join(_quoted(word) for word in ("dealdb", *self.command))

    @property
    def definition(self) -> tuple[str, str] | None:
        """What its figures mean, and the heading of the page of metrics that says more."""
        return DEFINITIONS.get(self.name)

    def money_in(self, row: Mapping[str, Any]) -> str | None:
        """The currency of a row's money."""
        return row.get("currency") if "currency" in row else self.currency


@dataclass(frozen=True, kw_only=True)
class Inquiry:
    """
    What asks the deals of one commit, and knows how one asks the same on the command line.

    Attributes
    ----------
    view
        The deals.
    day
        The day that the report is of.
    as_of
        The same where it is not today.
    where, to
        As for metrics.
    flags
        Further options of each command, such as the collection.
    asked
        All evidence so far, in the order in which it was asked for.
    """

    view: DealView
    day: date
    as_of: date | None = None
    where: str | None = None
    to: str | None = None
    flags: tuple[str, ...] = ()
    asked: list[Evidence] = field(default_factory=list)

    def metric(self, name: str, **options: Any) -> Evidence:
        """A metric with its options, as its method takes them; ``where`` adds to the filter of the report."""
        given = {key: value for key, value in options.items() if value is not None}
        shared = {"where": self.within(given.pop("where", None)), "to": self.to}
        given |= {key: value for key, value in shared.items() if value is not None}
        command = self._command(name, given)
        try:
            result = getattr(self.view.analytics, name)(**given)
            found = _evidence(name, command, result, given)
        except (QueryError, SchemaError, MissingExtra) as problem:
            found = Evidence(name=name, command=command, why=str(problem))
        self.asked.append(found)
        return found

    def deals(
        self,
        where: str,
        columns: Sequence[str] | None = None,
        *,
        sort: str | None = None,
        limit: int | None = None,
    ) -> Evidence:
        """Deals that a filter keeps besides that of the report."""
        kept = self.within(where)
        known = [name for name in columns or () if name in ("id", *self.view.schema)]
        by = sort if sort is None or sort.lstrip("-") in self.view.schema else None
        command = (
            *("find", str(kept)),
            *(("--sort", by) if by else ()),
            *(("--limit", str(limit)) if limit is not None else ()),
            *(("--columns", ",".join(known)) if known else ()),
            *self._moment("--at"),
            *self.flags,
        )
        return self._listed(
            command,
            lambda: self.view.query.find(kept, sort=by, limit=limit, columns=known or None),
        )

    def sql(self, statement: str) -> Evidence:
        """What a SELECT gives."""
        command = ("sql", statement, *self._moment("--at"), *self.flags)
        return self._listed(command, lambda: self.view.query.sql(statement))

    def _listed(self, command: tuple[str, ...], ask: Callable[[], pl.DataFrame]) -> Evidence:
        try:
            frame = ask()
            found = Evidence(name="deals", command=command, frame=frame, currency=_only(frame))
        except (QueryError, SchemaError, MissingExtra) as problem:
            found = Evidence(name="deals", command=command, why=str(problem))
        self.asked.append(found)
        return found

    def within(self, where: str | None) -> str | None:
        """A filter together with that of the report."""
        if where is None or self.where is None:
            return where or self.where
        # a comment at its end would take in what follows
        end = "\n" if "--" in self.where else ""
        return f"({self.where}{end}) AND ({where})"

    def _command(self, name: str, options: Mapping[str, Any]) -> tuple[str, ...]:
        # by the owner of then, it has a command of its own
        is_stats = name in _STATS and options.get("at") != "closing"
        placed = _PLACED.get(name)
        shown = name.replace("_", "-")
        words = ["stats", shown] if is_stats else [shown]
        for key, value in options.items():
            if key == "at":
                continue
            if key == placed:
                words.append(str(value))
            elif value is True:
                words.append(f"--{key}")
            else:
                words += [f"--{key.replace('_', '-')}", _word(value)]
        return (*words, *self._moment("--at" if is_stats else "--as-of"), *self.flags)

    def _moment(self, option: str) -> tuple[str, ...]:
        if self.as_of is None:
            return ()
        return (
            option,
            self.as_of.isoformat(),
            *(("--time", "event") if option == "--at" else ()),
        )


def _with_own_notes(chart: Chart, basis: Basis) -> Chart:
    """A chart without the notes of its basis: the report says them beside it, and what holds for all of it once."""
    said = {*basis.remarks, *basis.warnings}
    notes = [note for note in chart.notes if note not in said]
    # a name of pages would be in the picture several times, for those who hear it
    is_long = pl.col(pl.String).str.len_chars() > _LONGEST
    cut = pl.col(pl.String).str.head(_LONGEST) + "\N{HORIZONTAL ELLIPSIS}"
    marks = chart.marks.with_columns(pl.when(is_long).then(cut).otherwise(pl.col(pl.String)))
    return replace(chart, notes=notes, marks=marks)


def bounded(text: str) -> str:
    """
    Sentences whose names are not longer than anybody reads.

    Examples
    --------
    >>> bounded(f"Most is with {'x' * 500}.") == f"Most is with {'x' * 120}{chr(8230)}"
    True
    """
    return _ENDLESS.sub(lambda found: found[0][:_LONGEST] + "\N{HORIZONTAL ELLIPSIS}", text)


def _only(frame: pl.DataFrame) -> str | None:
    """The one currency of some deals; None where there are several, or deals without one."""
    if "currency" not in frame.columns or frame["currency"].n_unique() != 1:
        return None
    found = frame["currency"][0]
    return None if found is None else str(found)


def _quoted(word: str) -> str:
    """A word for a shell, in double quotes where it has single ones and nothing that a shell would read."""
    if "'" in word and not any(mark in word for mark in '"$`\\!\n'):
        return f'"{word}"'
    return shlex.quote(word)


def _word(value: Any) -> str:
    if isinstance(value, str | date | datetime):
        return str(value)
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


# an option of Python, before that of the command line
_IN_PYTHON = re.compile(r"\w+='\w+' \((--[\w ]+)\)")
_FIELD = re.compile(r"'(created|closed)'")
_DAYS = {"created": "day of creation", "closed": "its day of closing"}


def _for_readers(remark: str) -> str:
    """
    A remark of a metric for those who see a report and its commands.

    Examples
    --------
    >>> _for_readers("loaded without 'created': assume='none' (--assume none) leaves them out")
    'loaded without a day of creation: --assume none leaves them out'
    """
    text = _IN_PYTHON.sub(r"\1", remark).replace("without 'created'", "without a day of creation")
    return _FIELD.sub(lambda found: _DAYS[found[1]], text)


def _evidence(
    name: str, command: tuple[str, ...], result: MetricResult, options: Mapping[str, Any]
) -> Evidence:
    basis = result.basis
    is_lines = bool(options.get("deals"))
    return Evidence(
        name=name,
        command=command,
        frame=result.frame,
        answer=bounded(answer_of(result, options) or ""),
        basis=basis_in_words(basis),
        # of money that is in several, each row says which
        currency=None if basis.currency == "mixed" else basis.currency,
        remarks=tuple(_for_readers(counts_in_words(each)) for each in basis.remarks),
        warnings=tuple(counts_in_words(in_labels(name, each)) for each in basis.warnings),
        chart=None if is_lines or not len(result) else _with_own_notes(result.chart(), basis),
    )
