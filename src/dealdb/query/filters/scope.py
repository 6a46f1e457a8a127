"""What the names in one filter mean, and how a part of it that filters don't know is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

import polars as pl
from sqlglot import exp

from dealdb.errors import QueryError
from dealdb.model.fiscal import time_zone
from dealdb.query.filters.functions import FUNCTIONS
from dealdb.query.filters.parser import start_of
from dealdb.query.messages import fault

# a name of a company or a stage, without blanks
_WORD = re.compile(r"[\w&./-]+")


@dataclass(frozen=True, slots=True)
class FilterScope:
    """
    What names and relative dates mean in one filter.

    Its text, columns and parameters, the moment (UTC), and the zone in which that is today.
    """

    text: str
    schema: pl.Schema
    now: datetime
    params: Mapping[str, object] = field(default_factory=dict)
    zone: str = "UTC"

    @property
    def today(self) -> date:
        """The day that it is."""
        return self.now.astimezone(time_zone(self.zone)).date()


_KNOWN = f"filters know {', '.join(f'{name}()' for name in FUNCTIONS)}"
_REFUSALS: tuple[tuple[tuple[type[exp.Expr], ...], str], ...] = (
    ((exp.Subquery, exp.Select, exp.Exists), "a subquery isn't part of filters; sql() has them"),
    ((exp.Window,), "a window function isn't part of filters; sql() has them"),
    ((exp.Star,), "'*' isn't a column; name one"),
    ((exp.Case, exp.If), "CASE isn't part of filters; use AND, OR or coalesce()"),
    ((exp.Tuple, exp.Array, exp.Struct), "a list of values can only follow IN"),
    ((exp.TryCast,), "TRY_CAST isn't part of filters"),
    ((exp.RegexpLike, exp.SimilarTo, exp.Glob), "write a pattern with LIKE or ILIKE"),
    ((exp.DPipe,), "|| isn't part of filters"),
    ((exp.Mod, exp.IntDiv, exp.Pow), "arithmetic in filters is + - * /"),
    ((exp.RawString, exp.ByteString, exp.National), "write text in single quotes: 'won'"),
)


def refused(node: exp.Expr, scope: FilterScope) -> QueryError:
    """Error for a node that filters don't know; says what they have instead, where there is such a thing."""
    message = next((words for kinds, words in _REFUSALS if isinstance(node, kinds)), "")
    if not message and isinstance(node, exp.Anonymous):
        message = f"no function {str(node.this)[:40]}(); {_KNOWN}"
    if not message and isinstance(node, exp.Func):
        message = f"no function {node.sql_name().lower()}() in this form; {_KNOWN}"
    return fault(message or "filters don't know this operator", scope.text, start_of(node))


def quotes_hint(node: exp.Expr, scope: FilterScope, at: int) -> str:
    """
    End of a message for a name that is no column: what is compared with a column is most likely a text.

    Many programs take a text in double quotes, or in none. One such as ``Kan-code`` looks like a difference.
    """
    found = _WORD.match(scope.text, at)
    word, part = found[0] if found else str(node.name), node
    while word != part.name and isinstance(part.parent, exp.Sub | exp.Div):
        part = part.parent
    return "" if part.arg_key == "this" else f"; write a text in single quotes: '{word[:80]}'"


def only(node: exp.Expr, scope: FilterScope, *known: str) -> None:
    """Refuse a node with a clause that isn't handled: ``trim(LEADING ...)``, ``BETWEEN SYMMETRIC`` ..."""
    extra = [name for name, value in node.args.items() if value and name not in known]
    if extra:
        raise refused(node, scope)
