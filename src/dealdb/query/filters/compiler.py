"""
Tree of a filter to a Polars expression, by an allow-list of node types: what is not listed is refused by name.

Nothing of the text is ever executed or spliced anywhere; its values become literals of expressions.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal, InvalidOperation

import polars as pl
from sqlglot import exp

from dealdb.model.names import find_name, unknown
from dealdb.model.schema import MAX_DECIMAL_DIGITS
from dealdb.query.filters.comparisons import all_of, any_of, compare, contained, like, member_of
from dealdb.query.filters.constants import MANY, given_constant
from dealdb.query.filters.functions import FUNCTIONS, arithmetic, negated, to_date, to_datetime
from dealdb.query.filters.operands import (
    UNITS,
    Operand,
    OperandKind,
    Span,
    Unfit,
    column,
    computed,
    constant,
    described,
    expr_of,
)
from dealdb.query.filters.parser import start_of
from dealdb.query.filters.scope import FilterScope, only, quotes_hint, refused
from dealdb.query.messages import MOMENTS, fault

# exponents far beyond those of binary floats are refused: 1e999999999 would be a number of a billion digits
MIN_EXPONENT, MAX_EXPONENT = -400, 308
MAX_SPAN_DIGITS = 6


def condition(node: exp.Expr, scope: FilterScope) -> pl.Expr:
    """
    Boolean expression of a tree.

    Raises
    ------
    QueryError
        If the tree has anything that filters don't know, or isn't a condition.
    """
    operand = evaluate(node, scope)
    if operand.kind not in (OperandKind.BOOL, OperandKind.NULL):
        msg = f"{described(operand)}, not a condition; write one such as amount > 0"
        raise fault(msg, scope.text, start_of(node))
    return expr_of(operand)


def evaluate(node: exp.Expr, scope: FilterScope) -> Operand:
    """
    Operand of a tree.

    Raises
    ------
    QueryError
        If the tree has anything that filters don't know.
    """
    handler = _HANDLERS.get(type(node))
    if handler is None:
        raise refused(node, scope)
    try:
        return handler(node, scope)
    except Unfit as problem:
        at = start_of(node) if problem.at is None else problem.at
        raise fault(str(problem), scope.text, at) from None


def _operand(node: exp.Expr, scope: FilterScope) -> Operand:
    """Operand of an operator; conditions need parentheses there, as SQL dialects group them differently."""
    if isinstance(node, _CONDITIONS):
        msg = "put parentheses around the condition that begins here"
        raise fault(msg, scope.text, start_of(node))
    return evaluate(node, scope)


def _boolean(expr: pl.Expr, at: int) -> Operand:
    return computed(expr, pl.Boolean(), at)


def _column(node: exp.Expr, scope: FilterScope) -> Operand:
    identifier = node.this
    if not isinstance(identifier, exp.Identifier):
        raise refused(node, scope)
    name, at = str(identifier.this), start_of(node)
    if node.args.get("table"):
        hint = quotes_hint(node, scope, at)
        msg = f"write {name[:80]} alone: a filter has the columns of one table{hint}"
        raise fault(msg, scope.text, at)
    found = find_name(name, scope.schema)
    if found is not None:
        return computed(column(found), scope.schema[found], at, found)
    if not identifier.args.get("quoted") and name.lower() in MOMENTS:
        return constant(scope.today if name.lower() == "today" else scope.now, at)
    message = unknown("column", name, scope.schema)
    hint = "" if "did you mean" in message else quotes_hint(node, scope, at)
    raise fault(message + hint, scope.text, at)


def _literal(node: exp.Expr, scope: FilterScope) -> Operand:
    at = start_of(node)
    if node.is_string:
        return constant(str(node.this), at)
    try:
        number = Decimal(str(node.this))
    except InvalidOperation:
        raise fault("this is not a number", scope.text, at) from None
    return constant(_bounded(number, scope, at), at)


def _bounded(number: Decimal, scope: FilterScope, at: int) -> Decimal:
    if len(number.as_tuple().digits) > MAX_DECIMAL_DIGITS:
        raise fault(f"a number has at most {MAX_DECIMAL_DIGITS} digits", scope.text, at)
    if number and not MIN_EXPONENT <= number.adjusted() <= MAX_EXPONENT:
        msg = f"an exponent is from {MIN_EXPONENT} to {MAX_EXPONENT}"
        raise fault(msg, scope.text, at)
    return number


def _parameter(node: exp.Expr, scope: FilterScope) -> Operand:
    value, at = _given(node, scope), _place_of(node, scope)
    if isinstance(value, MANY):
        msg = "write a list after IN, without parentheses: stage IN :stages"
        raise fault(msg, scope.text, at)
    return _constant_for(value, scope, at)


def _constant_for(value: object, scope: FilterScope, at: int) -> Operand:
    try:
        known = given_constant(value)
    except Unfit as problem:
        raise fault(f"this parameter: {problem}", scope.text, at) from None
    return constant(_bounded(known, scope, at) if isinstance(known, Decimal) else known, at)


def _given(node: exp.Expr, scope: FilterScope) -> object:
    name = str(node.this)
    if name not in scope.params:
        msg = f"the parameter :{name[:80]} has no value; give it in params"
        raise fault(msg, scope.text, _place_of(node, scope))
    return scope.params[name]


def _place_of(node: exp.Expr, scope: FilterScope) -> int:
    # the parser keeps no place for parameters
    place = re.search(rf":\s*{re.escape(str(node.this))}(?!\w)", scope.text)
    return place.start() if place else 0


def _compared(sign: str) -> Handler:
    def handle(node: exp.Expr, scope: FilterScope) -> Operand:
        left, right = _operand(node.this, scope), _operand(node.expression, scope)
        return _boolean(compare(left, sign, right), left.at)

    return handle


def _calculated(sign: str) -> Handler:
    def handle(node: exp.Expr, scope: FilterScope) -> Operand:
        return arithmetic(_operand(node.this, scope), sign, _operand(node.expression, scope))

    return handle


def _chained(join: Callable[[list[pl.Expr]], pl.Expr]) -> Handler:
    def handle(node: exp.Expr, scope: FilterScope) -> Operand:
        # a AND b AND c leans to the left, one level a term: unrolled, not recursed into
        terms: list[exp.Expr] = []
        rest = node
        while type(rest) is type(node):
            terms.append(rest.expression)
            rest = rest.this
        terms.append(rest)
        return _boolean(join([condition(term, scope) for term in reversed(terms)]), start_of(node))

    return handle


def _not(node: exp.Expr, scope: FilterScope) -> Operand:
    return _boolean(~condition(node.this, scope), start_of(node))


def _paren(node: exp.Expr, scope: FilterScope) -> Operand:
    return evaluate(node.this, scope)


def _neg(node: exp.Expr, scope: FilterScope) -> Operand:
    return negated(_operand(node.this, scope))


def _in(node: exp.Expr, scope: FilterScope) -> Operand:
    if node.args.get("query"):
        raise fault("a subquery isn't part of filters; sql() has them", scope.text, start_of(node))
    if node.args.get("field"):
        only(node, scope, "this", "field")
        members = node.args["field"]
        if isinstance(members, exp.Placeholder) and isinstance(_given(members, scope), MANY):
            return _in_given(node, scope)
        several = evaluate(members, scope)
        return _boolean(contained(_operand(node.this, scope), several), start_of(node))
    only(node, scope, "this", "expressions")
    if not node.expressions:
        msg = "IN needs values: write x IN ('a', 'b')"
        raise fault(msg, scope.text, start_of(node))
    item = _operand(node.this, scope)
    return _boolean(member_of(item, [_operand(m, scope) for m in node.expressions]), item.at)


def _in_given(node: exp.Expr, scope: FilterScope) -> Operand:
    """``x IN :names``, where the parameter is a list."""
    parameter, item = node.args["field"], _operand(node.this, scope)
    at = _place_of(parameter, scope)
    values = _given(parameter, scope)
    members = [_constant_for(value, scope, at) for value in values]  # type: ignore[attr-defined]  # a list here
    return _boolean(member_of(item, members), item.at)


def _between(node: exp.Expr, scope: FilterScope) -> Operand:
    only(node, scope, "this", "low", "high")
    item = _operand(node.this, scope)
    low, high = _operand(node.args["low"], scope), _operand(node.args["high"], scope)
    return _boolean(compare(item, ">=", low) & compare(item, "<=", high), item.at)


def _is(node: exp.Expr, scope: FilterScope) -> Operand:
    item, what = _operand(node.this, scope), node.expression
    if isinstance(what, exp.Null):
        return _boolean(expr_of(item).is_null(), item.at)
    if not isinstance(what, exp.Boolean):
        raise refused(node, scope)
    return _boolean(compare(item, "is not distinct from", evaluate(what, scope)), item.at)


def _like(node: exp.Expr, scope: FilterScope) -> Operand:
    return _pattern(node, scope, escape=None)


def _escape(node: exp.Expr, scope: FilterScope) -> Operand:
    mark = node.expression
    inner = node.this
    if not isinstance(inner, exp.Like | exp.ILike):
        raise refused(node, scope)
    if not (isinstance(mark, exp.Literal) and mark.is_string and len(str(mark.this)) == 1):
        raise fault("ESCAPE takes one character in quotes", scope.text, start_of(mark))
    return _pattern(inner, scope, escape=str(mark.this))


def _pattern(node: exp.Expr, scope: FilterScope, *, escape: str | None) -> Operand:
    only(node, scope, "this", "expression", "negate")
    item, pattern = _operand(node.this, scope), _operand(node.expression, scope)
    matched = like(item, pattern, escape, fold_case=isinstance(node, exp.ILike))
    return _boolean(~matched if node.args.get("negate") else matched, item.at)


def _interval(node: exp.Expr, scope: FilterScope) -> Operand:
    unit = node.args.get("unit")
    size, name = str(node.name), str(unit.name).lower() if unit else ""
    # the parser keeps no place for spans
    place = re.search(rf"(?<![\w.]){re.escape(size)}(?![\d.])", scope.text)
    at = place.start() if place else start_of(node)
    if not (isinstance(node.this, exp.Literal) and size.isdecimal() and name in UNITS):
        msg = "write a span such as 30d, 4w, 3mo, 1y or INTERVAL 3 MONTH"
        raise fault(msg, scope.text, at)
    if len(size) > MAX_SPAN_DIGITS:
        raise fault("this span is too long", scope.text, at)
    return constant(Span(*(int(size) * part for part in UNITS[name])), at)


_DATE_TYPES = {"DATE": to_date, "TIMESTAMP": to_datetime, "TIMESTAMPNTZ": to_datetime}
_DATE_TYPES["TIMESTAMPTZ"] = to_datetime


def _cast(node: exp.Expr, scope: FilterScope) -> Operand:
    only(node, scope, "this", "to")
    target = str(node.args["to"].this.value)
    convert = _DATE_TYPES.get(target)
    if convert is None:
        msg = f"a cast to {target} isn't part of filters; DATE and TIMESTAMP are"
        raise fault(msg, scope.text, start_of(node))
    return convert([_operand(node.this, scope)])


def _called(name: str) -> Handler:
    def handle(node: exp.Expr, scope: FilterScope) -> Operand:
        only(node, scope, "this", "expression", "expressions")
        function, fewest, most = FUNCTIONS[name]
        given = [node.this, node.args.get("expression"), *node.expressions]
        arguments = [_operand(argument, scope) for argument in given if argument is not None]
        if not fewest <= len(arguments) <= most:
            msg = f"{name}() takes {fewest} argument{'s' if fewest > 1 else ''}"
            raise fault(msg, scope.text, start_of(node))
        return replace(function(arguments), at=start_of(node))

    return handle


def _anonymous(node: exp.Expr, scope: FilterScope) -> Operand:
    if str(node.this).lower() == "now" and not node.expressions:
        return constant(scope.now, start_of(node))
    raise refused(node, scope)


def _today(node: exp.Expr, scope: FilterScope) -> Operand:
    only(node, scope)
    return constant(scope.today, start_of(node))


def _now(node: exp.Expr, scope: FilterScope) -> Operand:
    only(node, scope)
    return constant(scope.now, start_of(node))


def _null(node: exp.Expr, scope: FilterScope) -> Operand:  # noqa: ARG001  # the shape of a handler
    return constant(None, start_of(node))


def _truth(node: exp.Expr, scope: FilterScope) -> Operand:  # noqa: ARG001  # the shape of a handler
    return constant(bool(node.this), start_of(node))


Handler = Callable[[exp.Expr, FilterScope], Operand]
_HANDLERS: dict[type[exp.Expr], Handler] = {
    exp.Column: _column,
    exp.Literal: _literal,
    exp.Placeholder: _parameter,
    exp.Null: _null,
    exp.Boolean: _truth,
    exp.Paren: _paren,
    exp.And: _chained(all_of),
    exp.Or: _chained(any_of),
    exp.Not: _not,
    exp.EQ: _compared("="),
    exp.NEQ: _compared("<>"),
    exp.LT: _compared("<"),
    exp.LTE: _compared("<="),
    exp.GT: _compared(">"),
    exp.GTE: _compared(">="),
    exp.NullSafeEQ: _compared("is not distinct from"),
    exp.NullSafeNEQ: _compared("is distinct from"),
    exp.Is: _is,
    exp.In: _in,
    exp.Between: _between,
    exp.Like: _like,
    exp.ILike: _like,
    exp.Escape: _escape,
    exp.Add: _calculated("+"),
    exp.Sub: _calculated("-"),
    exp.Mul: _calculated("*"),
    exp.Div: _calculated("/"),
    exp.Neg: _neg,
    exp.Interval: _interval,
    exp.Cast: _cast,
    exp.CurrentDate: _today,
    exp.CurrentTimestamp: _now,
    exp.Anonymous: _anonymous,
    exp.Lower: _called("lower"),
    exp.Upper: _called("upper"),
    exp.Trim: _called("trim"),
    exp.Length: _called("length"),
    exp.Contains: _called("contains"),
    exp.ArrayContains: _called("list_contains"),
    exp.StartsWith: _called("starts_with"),
    exp.EndsWith: _called("ends_with"),
    exp.Abs: _called("abs"),
    exp.Year: _called("year"),
    exp.Quarter: _called("quarter"),
    exp.Month: _called("month"),
    exp.Day: _called("day"),
    exp.Date: _called("date"),
    exp.Coalesce: _called("coalesce"),
}
_CONDITIONS = (
    exp.Connector,
    exp.Not,
    exp.EQ,
    exp.NEQ,
    exp.LT,
    exp.LTE,
    exp.GT,
    exp.GTE,
    exp.NullSafeEQ,
    exp.NullSafeNEQ,
    exp.Is,
    exp.In,
    exp.Between,
    exp.Like,
    exp.ILike,
    exp.Escape,
)
