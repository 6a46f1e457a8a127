"""The options that metrics share: groups, a window on the closing date, and named choices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from operator import index
from typing import TypeAlias

import polars as pl

from dealdb.errors import QueryError
from dealdb.model.columns import is_text
from dealdb.model.decimals import number_of
from dealdb.model.fiscal import time_zone
from dealdb.model.moments import read_day
from dealdb.model.names import unknown

# what deals without a value are grouped under
NONE = "(none)"

By: TypeAlias = str | Sequence[str] | None
Day: TypeAlias = date | str | None


@dataclass(frozen=True, slots=True)
class Window:
    """
    Days from ``since`` to the day before ``until``; None leaves that side open.

    Examples
    --------
    >>> quarter = Window.of("2026-01-01", "2026-04-01")
    >>> quarter.until
    datetime.date(2026, 4, 1)
    """

    since: date | None = None
    until: date | None = None

    @classmethod
    def of(cls, since: Day, until: Day) -> Window:
        """
        Window from dates or ISO texts.

        Raises
        ------
        QueryError
            If one is not a date, or they are the wrong way round.
        """
        window = cls(day_of("since", since), day_of("until", until))
        if window.since and window.until and window.since > window.until:
            msg = f"since={window.since} is after until={window.until}: swap them"
            raise QueryError(msg)
        return window

    def __bool__(self) -> bool:
        return self.since is not None or self.until is not None

    def holds(self, day: str) -> pl.Expr:
        """True where the day of that column is inside; an unbounded window holds deals without one, too."""
        inside = pl.lit(value=True)
        if self.since is not None:
            inside = inside & (pl.col(day) >= self.since)
        if self.until is not None:
            inside = inside & (pl.col(day) < self.until)
        return inside.fill_null(value=False)


def day_of(option: str, value: Day) -> date | None:
    """
    Date of an option that is given as a date or as ISO text.

    Raises
    ------
    QueryError
        If it is neither; a datetime is refused, as its day depends on a time zone.

    Examples
    --------
    >>> day_of("since", "2026-01-31")
    datetime.date(2026, 1, 31)
    """
    if isinstance(value, str):
        return read_day(value, option)
    if value is None or type(value) is date:
        return value
    msg = f"{option} is a date or a text like 2026-01-31, not a {type(value).__name__}"
    raise QueryError(msg)


def as_of_day(value: Day, zone: str = "UTC") -> date:
    """
    Day on which open deals are judged; today in a time zone by default.

    Raises
    ------
    QueryError
        If it is not a date.
    SchemaError
        If this machine doesn't know the zone.
    """
    return day_of("as_of", value) or datetime.now(time_zone(zone)).date()


def choice(option: str, value: str, allowed: Iterable[str]) -> str:
    """
    The value of an option that has a few named ones.

    Raises
    ------
    QueryError
        If it is none of them.

    Examples
    --------
    >>> choice("period", "week", ["day", "week"])
    'week'
    """
    names = list(allowed)
    if value not in names:
        msg = f"{option}={str(value)[:40]!r} is not a choice: use {' or '.join(names)}"
        raise QueryError(msg)
    return value


def whole_number(option: str, value: int, *, least: int, most: int) -> int:
    """
    The value of an option that is a whole number; True is not one.

    Raises
    ------
    QueryError
        If it is something else, or out of range.

    Examples
    --------
    >>> whole_number("k", 5, least=1, most=9)
    5
    """
    try:
        number = None if isinstance(value, bool) else index(value)
    except TypeError:
        number = None
    if number is None or not least <= number <= most:
        shown = value if number is not None else f"a value of type {type(value).__name__}"
        msg = f"{option} is a whole number from {least} to {most}, not {shown}"
        raise QueryError(msg)
    return number


def share(option: str, value: float, allowed: str, *, is_open: bool = True) -> float:
    """
    The value of an option that is a number from 0 to below 1.

    Parameters
    ----------
    option
        Its name.
    value
        As given.
    allowed
        What is allowed, for the message.
    is_open
        Whether 0 itself is outside.

    Raises
    ------
    QueryError
        If it is something else, or out of range.

    Examples
    --------
    >>> share("level", 0.95, "a share between 0 and 1")
    0.95
    """
    number = number_of(value)
    if number is None or not 0 <= number < 1 or (is_open and number == 0):
        msg = f"{option} is {allowed}, not {str(value)[:40]}"
        raise QueryError(msg)
    return float(value)


def column_names(by: By) -> list[str]:
    """
    The columns of ``by`` as a list.

    Raises
    ------
    QueryError
        If it is neither a text nor several.

    Examples
    --------
    >>> column_names("owner"), column_names(None)
    (['owner'], [])
    """
    if by is None:
        return []
    if isinstance(by, str):
        return [by]
    if isinstance(by, bytes) or not isinstance(by, Iterable):  # type: ignore[redundant-expr]  # callers may be untyped
        msg = f"by is a column or a list of columns, not a value of type {type(by).__name__}"
        raise QueryError(msg)
    return list(by)


def group_columns(by: By, columns: Sequence[str], *, taken: Iterable[str]) -> list[str]:
    """
    Columns to group by.

    Parameters
    ----------
    by
        A column, a list of columns, or None.
    columns
        Columns that deals have.
    taken
        Columns of the result, which no group may be called by.

    Raises
    ------
    QueryError
        If a column doesn't exist, is given twice, or has the name of a figure.

    Examples
    --------
    >>> group_columns("owner", ["id", "owner"], taken=["n"])
    ['owner']
    """
    keys = column_names(by)
    for key in keys:
        if key not in columns:
            msg = f"by: {unknown('column', str(key), columns)}"
            raise QueryError(msg)
    if len(set(keys)) < len(keys):
        msg = f"by names a column twice: {', '.join(keys)}"
        raise QueryError(msg)
    clash = sorted(set(keys) & set(taken))
    if clash:
        msg = f"by={clash[0]!r} has the name of a figure of the result; group by another column"
        raise QueryError(msg)
    return keys


def label_of_none(group: pl.Series) -> str:
    """
    Name of the group of deals without a value: "(none)", where no deal has that as its value.

    Examples
    --------
    >>> label_of_none(pl.Series("owner", ["Ann", None]))
    '(none)'
    >>> label_of_none(pl.Series("owner", ["(none)", None]))
    '(no owner)'
    """
    label = NONE
    if not is_text(group.dtype) or not (group == label).any():
        return label
    values, label = set(group.cast(pl.String)), f"(no {group.name})"
    while label in values:
        label = f"({label})"
    return label


def named_groups(table: pl.DataFrame, keys: Iterable[str]) -> list[pl.Expr]:
    """Columns of groups, whose missing values have a name where they are texts; see ``label_of_none``."""
    return [
        pl.col(key).fill_null(label_of_none(table[key]))
        if is_text(table.schema[key])
        else pl.col(key)
        for key in keys
    ]
