"""
``python -m browser.fixed_day 2026-11-27 board ...``: the program ``dealdb`` on a day of its own.

For pictures: what is overdue, and how long ago something was, is the same whenever they are made.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from datetime import UTC, date, datetime, time, tzinfo

import dealdb

NOON = time(12)


class _Kind(type):
    """Of a class of which all datetimes are: most are not made by it."""

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, datetime)


class FixedDay(datetime, metaclass=_Kind):
    """A datetime whose present moment is noon of a day."""

    fixed = datetime.max.replace(tzinfo=UTC)

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return cls.fixed.astimezone(tz)


def main() -> None:
    FixedDay.fixed = datetime.combine(date.fromisoformat(sys.argv.pop(1)), NOON, UTC)
    for found in pkgutil.walk_packages(dealdb.__path__, "dealdb."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    for name, module in list(sys.modules.items()):
        if name.startswith("dealdb.") and getattr(module, "datetime", None) is datetime:
            module.datetime = FixedDay  # type: ignore[attr-defined]
    from dealdb.__main__ import run

    run()


if __name__ == "__main__":
    main()
