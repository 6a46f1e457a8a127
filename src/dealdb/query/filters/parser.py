"""
Text of a filter to a tree, by sqlglot; the only module of the filters that knows how it parses.

Importing sqlglot costs about 100 ms, so this module is imported with the first text that is filtered by.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache

from sqlglot import Token, TokenType, exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.errors import ParseError, TokenError

from dealdb.query.filters.operands import UNITS
from dealdb.query.messages import fault

MAX_FILTER_LENGTH = 10_000
# the parser is recursive: some 20 Python frames a level, of the 1,000 that Python allows
MAX_NESTING = 32
MAX_DEPTH = 64

_DIALECT = DuckDB()
# text is only made for people to read, so a note about what a dialect lacks means nothing here
logging.getLogger("sqlglot").addHandler(logging.NullHandler())


@lru_cache(maxsize=256)
def parse(text: str) -> exp.Expr:
    """
    Tree of a filter. It is shared between callers: read it only.

    Raises
    ------
    QueryError
        If the text is empty, too long, too deep, or not an expression.

    Examples
    --------
    >>> parse("amount > 5").sql()
    'amount > 5'
    """
    if len(text) > MAX_FILTER_LENGTH:
        msg = f"a filter has at most {MAX_FILTER_LENGTH:,} characters; this one has {len(text):,}"
        raise fault(msg, text, MAX_FILTER_LENGTH)
    tokens = _tokens(text)
    _check_tokens(tokens, text)
    try:
        trees = _DIALECT.parser().parse_into(exp.Condition, tokens, text)
    except ParseError as error:
        raise _translated(error, text, tokens) from None
    except RecursionError:
        raise fault("the filter is nested too deeply", text, 0) from None
    tree = trees[0] if trees else None
    if tree is None:
        raise fault("expected a condition such as amount > 0", text, tokens[0].start)
    _check_depth(tree, text)
    return tree


def is_column(tree: exp.Expr) -> bool:
    """Whether a tree is a column's name and nothing else."""
    return type(tree) is exp.Column and type(tree.this) is exp.Identifier


def column_names(tree: exp.Expr) -> set[str]:
    """Names in a tree that may be columns, as they are written there."""
    return {str(column.name) for column in tree.find_all(exp.Column)}


def parameter_names(tree: exp.Expr) -> set[str]:
    """Names of the parameters in a tree."""
    return {str(node.this) for node in tree.find_all(exp.Placeholder)}


def rendered(tree: exp.Expr, name_of: Callable[[str], str]) -> str:
    """
    Text of a tree in the one form that all ways to write it have.

    Parameters
    ----------
    name_of
        Gives the text of a column's name.

    Examples
    --------
    >>> rendered(parse("Amount>5   and x!=1"), str.lower)
    'amount > 5 AND x <> 1'
    """

    def renamed(node: exp.Expr) -> exp.Expr:
        if type(node) is exp.Placeholder:
            return exp.Var(this=f":{node.this}")
        return exp.Var(this=name_of(str(node.name))) if is_column(node) else node

    return str(tree.transform(renamed).sql(dialect=_DIALECT))


def start_of(node: exp.Expr) -> int:
    """Offset where a node begins in the text: its own, else that of the first thing in it."""
    if "start" in node.meta:
        return int(node.meta["start"])
    starts = [int(part.meta["start"]) for part in node.walk() if "start" in part.meta]
    return min(starts, default=0)


def _tokens(text: str) -> list[Token]:
    try:
        tokens = _DIALECT.tokenize(text)
    except TokenError:
        quote, name = ("'", "text") if text.count("'") % 2 else ('"', "name")
        at = text.rfind(quote)
        raise fault(
            f"this {name} is never closed: a {quote} is missing", text, max(at, 0)
        ) from None
    if not tokens:
        raise fault("the filter is empty; write a condition such as amount > 0", text, 0)
    return _with_intervals(tokens)


def _with_intervals(tokens: list[Token]) -> list[Token]:
    # 30d is written for INTERVAL 30 d: a number that touches a unit
    spread: list[Token] = []
    for token, after in zip(tokens, [*tokens[1:], None], strict=True):
        touches = after is not None and after.start == token.end + 1
        if (
            token.token_type is TokenType.NUMBER
            and touches
            and after is not None
            and after.text.lower() in UNITS
            and token.text.isdigit()
        ):
            mark = Token(TokenType.INTERVAL, "interval", start=token.start, end=token.start)
            spread.append(mark)
        spread.append(token)
    return spread


_OPENING = {TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE, TokenType.CASE}
_CLOSING = {TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE, TokenType.END}
_OTHER_PARAMETERS = {TokenType.PLACEHOLDER, TokenType.PARAMETER}
_PREFIXES = {TokenType.NOT, TokenType.DASH, TokenType.PLUS, TokenType.TILDE}


def _check_tokens(tokens: list[Token], text: str) -> None:
    """Refuse, before anything recursive runs, several statements, ``?`` and ``$1``, and what nests too deeply."""
    depth = run = 0
    for token in tokens:
        kind = token.token_type
        if kind is TokenType.SEMICOLON:
            raise fault("a filter is one condition; ';' has no place in it", text, token.start)
        if kind in _OTHER_PARAMETERS:
            msg = "write a parameter as :name, and its value in params"
            raise fault(msg, text, token.start)
        run = run + 1 if kind in _PREFIXES else 0
        depth += (kind in _OPENING) - (kind in _CLOSING)
        if depth + run > MAX_NESTING:
            msg = f"the filter is nested more than {MAX_NESTING} levels deep"
            raise fault(msg, text, token.start)


def _check_depth(tree: exp.Expr, text: str) -> None:
    stack = [(tree, 1)]
    while stack:
        node, depth = stack.pop()
        if depth > MAX_DEPTH:
            msg = f"the filter is more than {MAX_DEPTH} operations deep"
            raise fault(msg, text, start_of(node))
        # a AND b AND c ... is one level, however long
        stack.extend(
            (child, depth + (type(child) is not type(node) or not isinstance(node, exp.Connector)))
            for child in node.iter_expressions()
        )


def _translated(error: ParseError, text: str, tokens: list[Token]) -> Exception:
    """Error of ours for one of the parser's: its place, and the word found there."""
    detail = error.errors[0] if error.errors else {}
    line, column = int(detail.get("line") or 1), int(detail.get("col") or 1)
    token = next((t for t in tokens if (t.line, t.col) == (line, column)), tokens[-1])
    description = str(detail.get("description") or "")
    if description.startswith(("Required keyword", "Expecting")):
        at = token.end + 1
        wanted = "a closing parenthesis" if "Expecting )" in description else "a value or column"
        after = text[token.start : token.end + 1]
        return fault(f"expected {wanted} after {after[:40]!r}", text, at)
    found = text[token.start : token.end + 1]
    return fault(f"{found[:40]!r} is not expected here", text, token.start)
