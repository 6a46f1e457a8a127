"""What people write in options: lists of columns, pairs, values of parameters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated

import typer

from dealdb.cli.completion import complete_columns
from dealdb.errors import ConfigError
from dealdb.model.moments import PLAIN_DATE
from dealdb.model.pipeline import Kind, Pipeline

_STAGES_SHOWN = 8
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")

Sort = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN,...",
        help="Sort by these; -COLUMN is descending. Equals are in the order of their ids.",
        autocompletion=complete_columns,
    ),
]
Columns = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN,...",
        help="Only these columns, in this order.",
        autocompletion=complete_columns,
    ),
]
Limit = Annotated[int | None, typer.Option(metavar="N", help="At most this many deals.")]
Offset = Annotated[int, typer.Option(metavar="N", help="Leave out the first N.")]
Params = Annotated[
    list[str] | None,
    typer.Option(
        "--param", metavar="NAME=VALUE", help="Value of :NAME; several with one name are a list."
    ),
]

With = Annotated[
    list[str] | None,
    typer.Option(
        "--with",
        metavar="NAME=FILE",
        help="A table of your own that the statement may name: CSV, JSON, Parquet, XLSX ...",
    ),
]


def names(text: str | None) -> list[str] | None:
    """
    Names between commas; None stays None.

    Examples
    --------
    >>> names("owner, -amount")
    ['owner', '-amount']
    """
    return [name.strip() for name in text.split(",")] if text else None


def listed(stages: Sequence[str]) -> str:
    """
    The first names of stages; an export may bring dozens, and ``dealdb pipeline`` shows them all.

    Examples
    --------
    >>> listed(["Lead", "Won"])
    'Lead, Won'
    """
    rest = len(stages) - _STAGES_SHOWN
    return ", ".join(stages[:_STAGES_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def stage_lines(pipeline: Pipeline) -> Iterator[str]:
    """The stages, a line for each kind that has some."""
    for kind in Kind:
        if stages := pipeline.names(kind):
            yield f"{kind}: {listed(stages)}"


def pairs(option: str, form: str, texts: Sequence[str] | None) -> list[tuple[str, str]]:
    """
    Names and values of an option that takes ``NAME=VALUE``; the last equals sign parts them.

    Raises
    ------
    ConfigError
        If a text is not such a pair.

    Examples
    --------
    >>> pairs("--map", "HEADER=FIELD", ["Betrag=amount"])
    [('Betrag', 'amount')]
    """
    found = []
    for text in texts or []:
        name, equals, value = text.rpartition("=")
        if not equals or not name:
            msg = f"{option} {text!r}: it takes {form}"
            raise ConfigError(msg)
        found.append((name, value))
    return found


def seconds(option: str, text: str) -> float:
    """
    Seconds of a time such as ``10s``, ``5m`` or ``1h``.

    Raises
    ------
    ConfigError
        If it is not one, or not above 0.

    Examples
    --------
    >>> seconds("--every", "5m"), seconds("--every", "0.5")
    (300.0, 0.5)
    """
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) *(s|m|h)?", text.strip())
    each = {"m": 60, "h": 3600}.get(found[2], 1) if found else 0
    if not found or not float(found[1]):
        msg = f"{option} {text!r}: it takes a time above 0, such as 10s, 5m or 1h"
        raise ConfigError(msg)
    return float(found[1]) * each


def parameters(texts: Sequence[str] | None) -> dict[str, object] | None:
    """
    Values of ``--param`` by name, of the type that they look like; None when there are none.

    Raises
    ------
    ConfigError
        If a text is not ``NAME=VALUE``.

    Examples
    --------
    >>> parameters(["least=500", "who=Ann", "zip='01099'", "stage=won", "stage=lost"])
    {'least': 500, 'who': 'Ann', 'zip': '01099', 'stage': ['won', 'lost']}
    """
    given: dict[str, list[object]] = {}
    for text in texts or []:
        name, equals, value = text.partition("=")
        if not equals or not name:
            msg = f"--param {text!r}: it takes NAME=VALUE"
            raise ConfigError(msg)
        given.setdefault(name, []).append(_value(value))
    found = {name: values if len(values) > 1 else values[0] for name, values in given.items()}
    return found or None


def side_tables(texts: Sequence[str] | None) -> dict[str, str]:
    """
    Files of ``--with`` by the name of their table.

    Raises
    ------
    ConfigError
        If a text is not ``NAME=FILE``, or a name is given twice.

    Examples
    --------
    >>> side_tables(["quotas=quotas.csv"])
    {'quotas': 'quotas.csv'}
    """
    found: dict[str, str] = {}
    for text in texts or []:
        name, equals, file = text.partition("=")
        if not equals or not name or not file:
            msg = f"--with {text!r}: it takes NAME=FILE"
            raise ConfigError(msg)
        if name in found:
            msg = f"--with names the table {name} twice"
            raise ConfigError(msg)
        found[name] = file
    return found


def _value(text: str) -> object:
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1]
    if _NUMBER.fullmatch(text):
        return Decimal(text) if "." in text else int(text)
    if PLAIN_DATE.fullmatch(text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            return text
    return {"true": True, "false": False}.get(text, text)
