"""
The plainest filters, columns compared with constants and joined by AND, read without the SQL parser.

Importing the parser is a quarter of what a ``dealdb find`` of such a filter would take. What is not certainly one, or
has a fault, is left to the parser, which also says what is wrong. A test holds both to the same expressions.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import NamedTuple

import polars as pl

from dealdb.model.names import find_name
from dealdb.model.schema import Schema
from dealdb.query.filters.comparisons import all_of, compare
from dealdb.query.filters.operands import Unfit, column, computed, constant

# longer ones are not typed at a prompt, and the parser has bounds of its own
MAX_SIMPLE_LENGTH = 1_000
# of the names that a deal can have, those that mean nothing else to the parser
_NAMES = frozenset(field.name for field in Schema.standard().fields)
_BLANK = " \t\n"
# printable ASCII without quote and backslash
_TEXT = r"'[ -&(-\[\]-~]*'"
_NUMBER = r"[0-9]{1,18}(?:\.[0-9]{1,18})?"
_SIGN = "=|<>|!=|<=|>=|<|>"
_TERM = re.compile(
    rf"[{_BLANK}]*([a-z_]+)[{_BLANK}]*({_SIGN})[{_BLANK}]*({_TEXT}|{_NUMBER})", re.IGNORECASE
)
_AND = re.compile(rf"[{_BLANK}]+and(?=[{_BLANK}])", re.IGNORECASE)


class Term(NamedTuple):
    """One comparison: the column's name as it is written, the sign, and the constant."""

    name: str
    sign: str
    value: str | Decimal


def plain_terms(text: str) -> list[Term] | None:
    """
    Terms of a filter, or None where it takes the parser to read it.

    Examples
    --------
    >>> plain_terms("stage = 'won' AND amount > 5")
    [Term(name='stage', sign='=', value='won'), Term(name='amount', sign='>', value=Decimal('5'))]
    >>> plain_terms("lower(stage) = 'won'") is None
    True
    """
    if len(text) > MAX_SIMPLE_LENGTH:
        return None
    terms, at = list[Term](), 0
    while term := _TERM.match(text, at):
        name, sign, value = term.groups()
        if name.lower() not in _NAMES:
            return None
        quoted = value.startswith("'")
        sign = "<>" if sign == "!=" else sign
        terms.append(Term(name, sign, value[1:-1] if quoted else Decimal(value)))
        if not text[term.end() :].strip(_BLANK):
            return terms
        joint = _AND.match(text, term.end())
        if joint is None:
            return None
        at = joint.end()
    return None


def plain_condition(text: str, schema: pl.Schema) -> pl.Expr | None:
    """
    Boolean expression of a filter, or None where it takes the parser to read it.

    Examples
    --------
    >>> print(plain_condition("n = 5", pl.Schema({"n": pl.Int64()})))
    None
    """
    terms = plain_terms(text)
    if terms is None:
        return None
    try:
        return all_of([_compared(term, schema) for term in terms])
    except Unfit:
        return None


def _compared(term: Term, schema: pl.Schema) -> pl.Expr:
    known = find_name(term.name, schema)
    if known is None:
        raise Unfit(term.name)
    return compare(
        computed(column(known), schema[known], 0, known), term.sign, constant(term.value)
    )
