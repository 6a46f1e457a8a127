"""The options that all metrics on history share, and what they print."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dealdb.cli.arguments import Sort, names
from dealdb.cli.commands.find import tell_if_empty
from dealdb.cli.commands.stats import By, RowOptions, Where, show_metric
from dealdb.cli.session import Parquet, Session, Xlsx
from dealdb.errors import ConfigError
from dealdb.model.decimals import number_of
from dealdb.model.fiscal import WEEKDAYS, time_zone
from dealdb.model.moments import read_moment

if TYPE_CHECKING:
    from dealdb import DealDatabase

_SHARED: dict[str, Any] = {
    "by": By,
    "where": Where,
    "as_of": Annotated[
        str | None,
        typer.Option(metavar="DATE", help="What was known at the end of this day [default: now]."),
    ],
    "pipeline": Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Stages as they mean now, or as they meant then."),
    ],
    "by_at": Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Groups at the event, at the end, or now."),
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
}
_WINDOW: dict[str, Any] = {
    "since": Annotated[
        str | None, typer.Option(metavar="DATE", help="From this day on: a date, or monday.")
    ],
    "until": Annotated[str | None, typer.Option(metavar="DATE", help="Up to the day before this.")],
}
_DAYS = ("since", "until", "as_of")
_ROWS = ("limit", "parquet", "xlsx")


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
    """

    session: Session
    options: dict[str, Any]

    def show(self, metric: str, **own: Any) -> None:
        """Print a metric, given the options that it has alone."""
        given = dict(self.options)
        rows = RowOptions(
            sort=names(given.pop("sort")),
            file=given.pop("export"),
            **{name: given.pop(name) for name in _ROWS},
        )
        rows.check(self.session)
        given["by"] = names(given["by"])
        if given["rate_day"] == "as-of":
            given["rate_day"] = "as_of"
        with self.session.open() as db:
            for name in _DAYS:
                if (day := _named_day(given.get(name), db)) is not None:
                    given[name] = day
            if isinstance(given["as_of"], str):
                given["as_of"] = read_moment(given["as_of"], "as_of")
            chosen = {name: value for name, value in {**given, **own}.items() if value is not None}
            method = getattr(db.analytics, metric)
            _check_complete(metric, method, chosen)
            result = method(**chosen)
            if not result.basis.n:
                tell_if_empty(db)
        show_metric(self.session, result, rows)


def on_history(*, window: bool = True) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """
    Give a command the shared options of metrics on history; it receives them as its first argument, a ``PastRequest``.

    Parameters
    ----------
    window
        Whether it takes ``--since`` and ``--until``.
    """
    shared = {**(_WINDOW if window else {}), **_SHARED}

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def wrapper(session: Session, **given: Any) -> None:
            options = {name: given.pop(name) for name in shared}
            function(PastRequest(session, options), **given)

        session, *own = inspect.signature(function, eval_str=True).parameters.values()
        wrapper.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [session.replace(annotation=Session), *own, *_parameters(shared)]
        )
        return wrapper

    return decorate


def _named_day(text: str | None, db: DealDatabase) -> date | None:
    """Day of ``today``, ``yesterday`` or a day of the week, which is the last one so called; None for other texts."""
    word = (text or "").strip().casefold()
    if word not in ("today", "yesterday", *WEEKDAYS):
        return None
    today = datetime.now(time_zone(db.pipeline.zone)).date()
    if word in WEEKDAYS:
        return today - timedelta(days=(today.weekday() - WEEKDAYS.index(word)) % 7)
    return today - timedelta(days=int(word == "yesterday"))


def _check_complete(metric: str, method: Callable[..., Any], chosen: Mapping[str, Any]) -> None:
    """
    Refuse a metric without what it can't do without.

    Raises
    ------
    ConfigError
        If it is not there; names the options.
    """
    parameters = inspect.signature(method).parameters.values()
    lacking = [
        f"--{each.name}"
        for each in parameters
        if each.default is each.empty and each.kind is each.KEYWORD_ONLY and each.name not in chosen
    ]
    if lacking:
        msg = f"{metric.replace('_', '-')} needs {' and '.join(lacking)}"
        raise ConfigError(msg)


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


def _parameters(options: dict[str, Any]) -> list[inspect.Parameter]:
    return [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=False if annotation.__origin__ is bool else None,
            annotation=annotation,
        )
        for name, annotation in options.items()
    ]
