"""The options that all metrics on history share, and what they print."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dealdb.answers.answer import answer_of
from dealdb.answers.day_words import (
    day_named,
    is_word,
    read_named_day,
    read_named_moment,
)
from dealdb.cli.arguments import Sort, names
from dealdb.cli.commands.find import tell_if_empty
from dealdb.cli.commands.stats import By, RowOptions, Where, show_metric
from dealdb.cli.output.pictures import AsChart, ChartOptions, Plot
from dealdb.cli.output.streams import Output
from dealdb.cli.registry import options_of
from dealdb.cli.session import Parquet, Session, Xlsx
from dealdb.errors import ConfigError
from dealdb.model.decimals import number_of
from dealdb.model.fiscal import time_zone

if TYPE_CHECKING:
    from dealdb.analytics.result import MetricResult
    from dealdb.database import DealDatabase

_SHARED: dict[str, Any] = {
    "by": By,
    "where": Where,
    "as_of": Annotated[
        str | None,
        typer.Option(
            metavar="DATE",
            help="As it stood at the end of this day, e.g. yesterday [default: today].",
        ),
    ],
    "pipeline": Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="now: stages mean what they mean today; then: what they meant at --as-of [default: now].",
        ),
    ],
    "by_at": Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="--by goes by the value at the event, at the end (--as-of) or now, e.g. the owner then or now.",
        ),
    ],
    "to": Annotated[
        str | None,
        typer.Option(metavar="CURRENCY", help="Convert money, by the rates of dealdb rates."),
    ],
    "rate_day": Annotated[
        str | None,
        typer.Option(
            metavar="DAY",
            help="With --to: event (closing day; open deals: --as-of), as-of, or a date [default: event].",
        ),
    ],
    "rates_known": Annotated[
        str | None,
        typer.Option(metavar="DATE", help="With --to: by the rates known then [default: now]."),
    ],
    "assume": Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What loaded deals were before: birth, backfill or none [default: birth].",
        ),
    ],
    "deals": Annotated[
        bool,
        typer.Option("--deals", help="A line for each deal, with what it adds to the figures."),
    ],
    "sort": Sort,
    "limit": Annotated[int | None, typer.Option(metavar="N", help="At most this many rows.")],
    "parquet": Parquet,
    "xlsx": Xlsx,
    "export": Annotated[
        str | None,
        typer.Option("--export", metavar="FILE", help="Write the rows as export does."),
    ],
    "plot": Plot,
    "chart": AsChart,
}
_WINDOW: dict[str, Any] = {
    "within": Annotated[
        str | None,
        typer.Option(
            "--in",
            metavar="PERIOD",
            help="--since and --until of a period: this-quarter, last-month, 2026-Q4, 2026-11, FY2027-Q1.",
        ),
    ],
    "since": Annotated[
        str | None,
        typer.Option(metavar="DATE", help="From this day on: 2026-10-01, monday, yesterday."),
    ],
    "until": Annotated[
        str | None, typer.Option(metavar="DATE", help="Up to the day before this one.")
    ],
}
_ROWS = ("limit", "parquet", "xlsx")
# options of metrics that are days, of whichever command
_DAYS = ("since", "until", "known")


@dataclass(frozen=True)
class PastRequest:
    """
    What was asked of a metric.

    Attributes
    ----------
    session
        Of this run.
    options
        Those that all metrics on history share, as they were given.
    default
        The window where none is given: a day for ``since``, or a period; None for all time.
    needs
        Which ends of the window have to be given where one is.
    """

    session: Session
    options: dict[str, Any]
    default: str | None = None
    needs: Sequence[str] = ()

    def show(self, metric: str, **own: Any) -> None:
        """Print a metric, given the options that it has alone."""
        given = dict(self.options)
        rows = RowOptions(
            sort=names(given.pop("sort")),
            file=given.pop("export"),
            chart=ChartOptions(file=given.pop("plot"), is_text=given.pop("chart")),
            **{name: given.pop(name) for name in _ROWS},
        )
        rows.check(self.session)
        given["by"] = names(given["by"])
        if given["rate_day"] == "as-of":
            given["rate_day"] = "as_of"
        asked = {name: value for name, value in {**given, **own}.items() if value is not None}
        self._check_window(asked)
        with self.session.open() as db:
            chosen = self._with_dates(asked, db)
            result = getattr(db.analytics, metric)(**chosen)
            if not result.basis.n:
                tell_if_empty(db)
            is_read = self.session.output in (Output.TABLE, Output.MD)
            if is_read and chosen.get("deals") and not (rows.file or rows.parquet or rows.xlsx):
                result = _with_names(result, db)
        show_metric(
            self.session,
            result,
            rows,
            answer=answer_of(result, chosen) if is_read else None,
            grid=_grid(metric, chosen),
        )

    def _check_window(self, asked: Mapping[str, Any]) -> None:
        bounds = [name for name in ("since", "until") if name in asked]
        if "within" in asked and bounds:
            msg = f"--in is short for --since and --until: leave out --{bounds[0]}, or --in"
            raise ConfigError(msg)
        lacking = [name for name in self.needs if name not in asked]
        if bounds and lacking:
            msg = f"--{bounds[0]} needs --{lacking[0]} here; --in PERIOD is both, such as --in this-quarter"
            raise ConfigError(msg)

    def _with_dates(self, asked: dict[str, Any], db: DealDatabase) -> dict[str, Any]:
        """The options with days in place of words, and with a window where the metric has one by itself."""

        def today() -> date:
            return datetime.now(time_zone(db.pipeline.zone)).date()

        chosen = dict(asked)
        if "as_of" in chosen:
            chosen["as_of"] = read_named_moment(chosen["as_of"], "as_of", today)
        as_of = chosen.get("as_of")
        here = as_of if isinstance(as_of, date) and not isinstance(as_of, datetime) else None

        def standing() -> date:
            return here or today()

        for name in _DAYS:
            if name in chosen:
                chosen[name] = read_named_day(chosen[name], name, standing)
        if "quota_period" in chosen:
            quarter = chosen.pop("quota_period")
            chosen["period"] = db.analytics.period(quarter, today=standing())[0]
        if len(due := chosen.get("due", ())) == 1:
            chosen["due"] = db.analytics.period(due[0], today=standing())[1:]
        elif due:
            chosen["due"] = [read_named_day(day, "due", standing) for day in due]
        has_window = "since" in chosen or "until" in chosen
        within = chosen.pop("within", None) or (None if has_window else self.default)
        if within is not None and is_word(within):
            chosen["since"] = day_named(within, standing())
        elif within is not None:
            chosen["since"], chosen["until"] = db.analytics.period(within, today=standing())[1:]
        return chosen


def on_history(
    *, window: bool = True, default: str | None = None, needs: Sequence[str] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """
    Give a command the shared options of metrics on history; it receives them as its first argument, a ``PastRequest``.

    Parameters
    ----------
    window
        Whether it takes ``--since``, ``--until`` and ``--in``.
    default
        The window where none is given, such as ``monday`` or ``this-quarter``.
    needs
        Which of ``since`` and ``until`` have to be given where one of them is.
    """
    shared = {**(_WINDOW if window else {}), **_SHARED}

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def wrapper(session: Session, **given: Any) -> None:
            options = {name: given.pop(name) for name in shared}
            function(PastRequest(session, options, default, needs), **given)

        session, *own = inspect.signature(function, eval_str=True).parameters.values()
        wrapper.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [session.replace(annotation=Session), *own, *options_of(shared)]
        )
        return wrapper

    return decorate


def number(option: str, text: str | None) -> Decimal | None:
    """
    Number of an option; None stays None.

    Raises
    ------
    ConfigError
        If the text is none.
    """
    found = None if text is None else number_of(text)
    if text is not None and found is None:
        msg = f"{option} takes a number, not {text[:60]!r}"
        raise ConfigError(msg)
    return found


def _with_names(result: MetricResult, db: DealDatabase) -> MetricResult:
    """Lines of deals with their names and whose they are now; what was deleted has neither."""
    # columns are put in place, and the result stays as it is
    lines = result.frame.clone()
    added = [name for name in ("name", "owner") if name in db.schema and name not in lines.columns]
    if "id" not in lines.columns or not added:
        return result
    known = db.query.frame(["id", *added])
    found = lines.select("id").join(known, on="id", how="left", maintain_order="left")
    for name in reversed([name for name in added if found[name].null_count() < found.height]):
        # the groups have the owner of then
        column = found[name].alias("owner now" if name == "owner" else name)
        lines = lines.insert_column(lines.columns.index("id") + 1, column)
    return replace(result, frame=lines)


def _grid(metric: str, chosen: Mapping[str, Any]) -> str | None:
    """What a table for people has a column for, in place of a row for each."""
    if metric == "cohorts":
        return str(chosen.get("measure", "won_n"))
    by = chosen.get("by") or []
    return by[0] if metric == "waterfall" and len(by) == 1 else None
