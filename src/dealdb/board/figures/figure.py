"""``Figure``: a metric with its options as texts, as an address of the board and a command line have them."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from dealdb.analytics import Analytics
from dealdb.answers.day_words import (
    day_named,
    is_word,
    read_named_day,
    read_named_moment,
)
from dealdb.board.figures.catalogue import ENTRIES
from dealdb.errors import NotYetKnown, QueryError
from dealdb.model.decimals import number_of
from dealdb.model.fiscal import time_zone
from dealdb.model.names import unknown

if TYPE_CHECKING:
    from dealdb.analytics import MetricResult
    from dealdb.database import DealDatabase

# options of all metrics on history, besides those that their methods name
SHARED = (
    "where", "as_of", "pipeline", "by_at", "assume", "to", "rate_day", "rates_known",
)  # fmt: skip
# metrics of dealdb stats; of the two that are also commands of their own, what makes them those of stats
_STATS = (
    "summary",
    "pipeline",
    "win_rate",
    "deal_size",
    "sales_cycle",
    "velocity",
    "concentration",
)
_HISTORY_IF = {"leaderboard": ("at", "closing"), "trend": ("events", True)}
_WINDOWS = {
    "waterfall": "monday",
    **dict.fromkeys(("slippage", "coverage", "forecast", "simulate"), "this-quarter"),
}
_LISTS = ("by", "due", "days_before", "buckets")
_FLAGS = ("closed", "visits", "net", "fx", "fold", "events", "few", "posterior")
_WHOLE = (
    "k", "periods", "least", "months", "days", "rot_days", "horizon_days", "seed", "n", "fiscal_year_start",
)  # fmt: skip
_NUMBERS = ("target", "win_rate", "rho", "level")
_DAYS = ("since", "until", "known")
_YES = {"yes": True, "no": False, "true": True, "false": False, "1": True, "0": False}
# names of the command line where they are others, and what a command has without a name
_AS_OPTION = {
    "by_period": "period", "horizon_days": "horizon", "rot_days": "days", "k": "top", "n": "runs",
}  # fmt: skip
# options that no command has
_ONLY_PYTHON = ("posterior", "level", "buckets", "fiscal_year_start", "ignore_actors")
_NOT_OF = {
    "win_loss": ("events",),
    "ramp": ("events",),
    "time_to_close": ("n", "seed"),
    "calibration": ("seed",),
    "seasonality": ("seed",),
}
# metrics with a row for each length of time
_MOVING = ("survival",)
_PLACED = {"attainment": "period", "survival": "stage"}


@dataclass(frozen=True, slots=True)
class Figure:
    """
    A metric and its options.

    Parameters
    ----------
    metric
        Name of its method.
    options
        Texts by name: those of the method, and ``in``, a period such as ``this-quarter`` for ``since`` and ``until``.

    Examples
    --------
    >>> figure = Figure.of("win-rate?by=owner&where=amount > 5")
    >>> figure.metric, figure.text(), figure.command()
    ('win_rate', 'win-rate?by=owner&where=amount+%3E+5', "dealdb stats win-rate --by owner --where 'amount > 5'")
    """

    metric: str
    options: Mapping[str, str]

    @classmethod
    def of(cls, text: str) -> Figure:
        """
        The figure of a text such as ``win-rate?by=owner``.

        Raises
        ------
        QueryError
            If there is no such metric.
        """
        name, _, query = text.partition("?")
        return cls.asked(name, parse_qsl(query, keep_blank_values=True))

    @classmethod
    def asked(cls, name: str, options: Sequence[tuple[str, str]]) -> Figure:
        """
        The figure of a name and the options of an address; an option without a value counts as not given.

        Raises
        ------
        QueryError
            If there is no such metric.
        """
        metric = name.replace("-", "_")
        if metric not in ENTRIES:
            raise QueryError(unknown("metric", name, [each.replace("_", "-") for each in ENTRIES]))
        return cls(metric, {key: value.strip() for key, value in options if value.strip()})

    @property
    def name(self) -> str:
        """As addresses and commands have it."""
        return self.metric.replace("_", "-")

    def text(self) -> str:
        """The figure as ``of`` reads it."""
        return f"{self.name}?{urlencode(self.options)}" if self.options else self.name

    def path(self, ending: str = "") -> str:
        """Path of its page, below the board's address."""
        query = f"?{urlencode(self.options)}" if self.options else ""
        return f"/figures/{self.name}{ending}{query}"

    def having(self, **options: str) -> Figure:
        """The same with further options."""
        return Figure(self.metric, {**self.options, **options})

    def fixed(self, today: date) -> Figure:
        """The same as of this day, where its rows are others a day later and could not be found again."""
        if self.metric not in _MOVING or "as_of" in self.options:
            return self
        return self.having(as_of=str(today))

    def arguments(self, db: DealDatabase) -> dict[str, Any]:
        """
        The options as its method takes them: days in place of words, and the window that the command has by itself.

        Raises
        ------
        QueryError
            If the metric takes no such option, or the value is none.
        """
        options = dict(self.options)
        self._check_names()
        today = datetime.now(time_zone(db.pipeline.zone)).date()
        given: dict[str, Any] = {}
        if "as_of" in options:
            given["as_of"] = read_named_moment(options.pop("as_of"), "as_of", lambda: today)
        as_of = given.get("as_of")
        here = as_of if isinstance(as_of, date) and not isinstance(as_of, datetime) else today
        has_window = "since" in options or "until" in options
        within = options.pop("in", None) or (None if has_window else _WINDOWS.get(self.metric))
        if self.metric == "attainment":
            options["period"] = db.analytics.period(
                options.get("period", "this-quarter"), today=here
            )[0]
        for name, value in options.items():
            given[name] = self._read(name, value, here)
        if len(due := given.get("due", ())) == 1:
            given["due"] = db.analytics.period(due[0], today=here)[1:]
        elif due:
            given["due"] = [read_named_day(day, "due", lambda: here) for day in due]
        if within is not None and is_word(within):
            given["since"] = day_named(within, here)
        elif within is not None:
            given["since"], given["until"] = db.analytics.period(within, today=here)[1:]
        return given

    def result(self, db: DealDatabase, **more: Any) -> MetricResult:
        """
        Its figures.

        Raises
        ------
        QueryError
            If an option can't be understood.
        StoreError
            If the server can't be reached.
        """
        given = self.arguments(db) | more
        for name, each in self._parameters().items():
            if each.default is each.empty and name not in given:
                msg = f"{self.name} needs {name}: add {name}= to the address, or fill in the form"
                raise NotYetKnown(msg)
        result: MetricResult = getattr(db.analytics, self.metric)(**given)
        return result

    def command(self) -> str:
        """The command that prints the same figures."""
        words = ["dealdb", *(("stats",) if self._is_of_stats else ()), self.name]
        placed = _PLACED.get(self.metric)
        if placed is not None and placed in self.options:
            words.append(self.options[placed])
        for name, value in self.options.items():
            if name not in (placed, "at", "events"):
                words += self._option(name, value)
        return shlex.join(words)

    def _option(self, name: str, value: str) -> list[str]:
        option = f"--{_AS_OPTION.get(name, name).replace('_', '-')}"
        if name == "net":
            return [] if _YES.get(value, True) else ["--gross"]
        if name in _FLAGS:
            return [option] if _YES.get(value, True) else []
        return [option, value]

    @property
    def _is_of_stats(self) -> bool:
        if self.metric not in _HISTORY_IF:
            return self.metric in _STATS
        option, wanted = _HISTORY_IF[self.metric]
        has = self.options.get(option, "")
        return _YES.get(has, has) != wanted

    def _check_names(self) -> None:
        known = self.known_options()
        for name in self.options:
            if name not in known:
                raise QueryError(unknown(f"option of {self.name}", name, known))

    def known_options(self) -> list[str]:
        """Names of the options that its command takes, too."""
        without = (*_ONLY_PYTHON, *_NOT_OF.get(self.metric, ()))
        known = {name for name in self._parameters() if name not in without}
        if self._takes_more() and not self._is_of_stats:
            known |= {*SHARED}
        if {"since", "until"} <= known and not self._is_of_stats:
            known.add("in")
        return sorted(known)

    def _parameters(self) -> dict[str, inspect.Parameter]:
        found = inspect.signature(getattr(Analytics, self.metric)).parameters
        return {
            name: each
            for name, each in found.items()
            if name not in ("self", "deals") and each.kind is not each.VAR_KEYWORD
        }

    def _takes_more(self) -> bool:
        found = inspect.signature(getattr(Analytics, self.metric)).parameters
        return any(each.kind is each.VAR_KEYWORD for each in found.values())

    def _read(self, name: str, value: str, here: date) -> Any:
        if name in _LISTS:
            found = [each.strip() for each in value.split(",") if each.strip()]
            return (
                [_whole(name, each) for each in found]
                if name in ("days_before", "buckets")
                else found
            )
        if name in _FLAGS:
            if value not in _YES:
                msg = f"{name} is yes or no, not {value[:40]!r}"
                raise QueryError(msg)
            return _YES[value]
        if name in _WHOLE:
            return _whole(name, value)
        if name in _NUMBERS:
            number = number_of(value)
            if number is None:
                msg = f"{name} is a number, not {value[:40]!r}"
                raise QueryError(msg)
            return float(number) if name in ("rho", "level") else number
        if name in _DAYS:
            return read_named_day(value, name, lambda: here)
        return "as_of" if (name, value) == ("rate_day", "as-of") else value


def _whole(name: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        msg = f"{name} is a whole number, not {value[:40]!r}"
        raise QueryError(msg) from None
