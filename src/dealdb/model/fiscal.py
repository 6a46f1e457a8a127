"""How a pipeline divides the time: its zone, its weeks, its fiscal years. What is asked for is checked here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any

from dealdb.errors import SchemaError

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
    "november", "december",
)  # fmt: skip
# weeks of the three periods of a quarter
PATTERNS = {"4-4-5": (4, 4, 5), "4-5-4": (4, 5, 4), "5-4-4": (5, 4, 4)}
FISCAL_NAMES = ("end", "start")
# what the names of IANA are made of; it also keeps paths out
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,3}")
_LAST = re.compile(r"last (\w+) of (\w+)")
_NEAREST = re.compile(r"nearest (\w+) to (?:the )?(?:end of )?(\w+)")
_FORMS = '"last saturday of january" or "nearest saturday to january"'


@dataclass(frozen=True, slots=True)
class YearEnd:
    """
    The last day of the fiscal years of whole weeks.

    Attributes
    ----------
    weekday
        1 Monday to 7 Sunday: the day of the week on which all of them end.
    month
        1 to 12: the month by whose end they end.
    nearest
        Whether it is the day nearest to the end of that month, which may lie in the next one; else the last in it.

    Examples
    --------
    >>> YearEnd.parse("last saturday of january")
    YearEnd(weekday=6, month=1, nearest=False)
    """

    weekday: int
    month: int
    nearest: bool

    @classmethod
    def parse(cls, text: str) -> YearEnd:
        """
        Rule of ``"last saturday of january"`` or ``"nearest saturday to january"``, in any case.

        Raises
        ------
        SchemaError
            If the text is neither.
        """
        words = " ".join(text.split()).casefold() if isinstance(text, str) else ""  # type: ignore[redundant-expr]  # callers may be untyped
        found = _LAST.fullmatch(words) or _NEAREST.fullmatch(words)
        if found is None or found[1] not in WEEKDAYS or found[2] not in MONTHS:
            msg = f"fiscal_year_end is {_FORMS}, with any day of the week and any month, not {str(text)[:60]!r}"
            raise SchemaError(msg, field="fiscal_year_end", expected=_FORMS)
        weekday, month = WEEKDAYS.index(found[1]) + 1, MONTHS.index(found[2]) + 1
        return cls(weekday, month, nearest=words.startswith("nearest"))

    def to_text(self) -> str:
        """
        The text that ``parse`` reads.

        Examples
        --------
        >>> YearEnd.parse("Nearest Saturday to the end of December").to_text()
        'nearest saturday to december'
        """
        weekday, month = WEEKDAYS[self.weekday - 1], MONTHS[self.month - 1]
        return f"nearest {weekday} to {month}" if self.nearest else f"last {weekday} of {month}"


def time_zone(name: str) -> tzinfo:
    """
    Zone of a name of the IANA database; UTC needs no database.

    Raises
    ------
    SchemaError
        If this machine knows no zone of that name.

    Examples
    --------
    >>> from datetime import datetime
    >>> datetime(2026, 7, 1, tzinfo=time_zone("Europe/Berlin")).isoformat()
    '2026-07-01T00:00:00+02:00'
    """
    if name == "UTC":
        return UTC
    # not at the top: few collections have one
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    checked_zone_name(name)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        msg = (
            f"zone {name!r} is not known here: use a name of the IANA database such as Europe/Berlin; "
            "where even that is unknown, the machine has no such database, and pip install tzdata brings it"
        )
        raise SchemaError(msg, field="zone", expected="a time zone such as Europe/Berlin") from None


def checked_zone_name(name: object) -> str:
    """
    Text that has the form of a zone's name, whether or not this machine knows it.

    Raises
    ------
    SchemaError
        If it has not.
    """
    if isinstance(name, str) and len(name) <= 64 and _ZONE.fullmatch(name):
        return name
    msg = f"zone is a name of the IANA database such as Europe/Berlin, not {str(name)[:60]!r}"
    raise SchemaError(msg, field="zone", expected="a time zone such as Europe/Berlin")


def checked_number(name: str, value: object, most: int) -> int:
    """
    Whole number from 1 up.

    Raises
    ------
    SchemaError
        If it is something else.

    Examples
    --------
    >>> checked_number("week_start", 7, 7)
    7
    """
    # True is an int
    if type(value) is int and 1 <= value <= most:
        return value
    msg = f"{name} is a whole number from 1 to {most}, not {str(value)[:40]!r}"
    raise SchemaError(msg, field=name, expected=f"1 to {most}")


def checked_choice(name: str, value: object, choices: tuple[str, ...]) -> str:
    """
    One of a few texts.

    Raises
    ------
    SchemaError
        If it is none of them.
    """
    if isinstance(value, str) and value in choices:
        return value
    msg = f"{name} is {' or '.join(choices)}, not {str(value)[:40]!r}"
    raise SchemaError(msg, field=name, expected=" or ".join(choices))


def checked_pattern(pattern: object, year_end: object) -> tuple[str | None, str | None]:
    """
    Pattern of weeks and the end of its years, which need each other.

    Raises
    ------
    SchemaError
        If one is unknown, or stands there without the other.

    Examples
    --------
    >>> checked_pattern("4-4-5", "Last Saturday of January")
    ('4-4-5', 'last saturday of january')
    """
    if pattern is None and year_end is None:
        return None, None
    if pattern is None or year_end is None:
        given, lacks = ("fiscal_pattern", "fiscal_year_end")[:: -1 if pattern is None else 1]
        msg = f"{given} needs {lacks}: fiscal_pattern is {' or '.join(PATTERNS)}, fiscal_year_end {_FORMS}"
        raise SchemaError(msg, field=lacks)
    chosen = checked_choice("fiscal_pattern", pattern, tuple(PATTERNS))
    return chosen, YearEnd.parse(str(year_end)).to_text()


def checked_names(renamed: object) -> dict[str, str]:
    """
    Old names of stages with the new ones.

    Raises
    ------
    SchemaError
        If it is no such mapping, or following it from name to name never ends.

    Examples
    --------
    >>> checked_names({"Demo": "Demo call"})
    {'Demo': 'Demo call'}
    """
    try:
        names: Any = dict(renamed)  # type: ignore[call-overload]  # whatever it is
    except (TypeError, ValueError):
        names = {"": ""}
    if not all(isinstance(name, str) and name for pair in names.items() for name in pair):
        msg = (
            'renamed is a mapping from old names of stages to new ones, like {"Demo": "Demo call"}'
        )
        raise SchemaError(msg, field="stage")
    checked: dict[str, str] = names
    new_names(checked)
    return checked


def new_names(renamed: Mapping[str, str]) -> dict[str, str]:
    """
    The name of today of each old one: a stage may have been renamed more than once.

    Raises
    ------
    SchemaError
        If a name comes back to itself.

    Examples
    --------
    >>> new_names({"Demo": "Demo call", "Demo call": "Call"})
    {'Demo': 'Call', 'Demo call': 'Call'}
    """
    found: dict[str, str] = {}
    for first in renamed:
        path, name = [], first
        while name in renamed and name not in found:
            path.append(name)
            # it stands for itself until the end of the path is known
            found[name] = name
            name = renamed[name]
        last = found.get(name, name)
        if name in path or last == first:
            msg = f"renamed goes round in a circle: {first!r} comes back to itself"
            raise SchemaError(msg, field="stage")
        found |= dict.fromkeys(path, last)
    return found
