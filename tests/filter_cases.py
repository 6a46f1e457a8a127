"""Random filters over a frame of every type with nulls, for tests against DuckDB."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import polars as pl
from hypothesis import strategies as st

SCHEMA = pl.Schema(
    {
        "id": pl.String(),
        "name": pl.String(),
        # a category, so that each operator meets both kinds of text
        "owner": pl.Categorical(),
        "amount": pl.Decimal(38, 2),
        "rate": pl.Decimal(38, 4),
        "seats": pl.Int64(),
        "score": pl.Float64(),
        "active": pl.Boolean(),
        "won": pl.Boolean(),
        "created": pl.Date(),
        "closed": pl.Date(),
        "updated": pl.Datetime("us", "UTC"),
        "tags": pl.List(pl.String),
    }
)
TEXTS = [
    "",
    "a",
    "A",
    "b",
    "ab",
    "Ab",
    "aB%",
    "a_b",
    "a.b",
    "é",
    "É",
    "Σς",
    "İi",
    "K",
    "\u017f",
    "a\nb",
    "'",
    "ß",
]
AMOUNTS = ["0", "-0.01", "0.01", "1", "1.25", "-3.1", "100000", "99999.99", "123456789012345.67"]
RATES = ["0", "0.5", "0.0001", "-0.9999", "1.25", "3", "100000"]
SEATS = [0, 1, -1, 2, 3, 10, 100000, 2**40]
SCORES = [0.0, -0.0, 0.1, 0.5, 1.25, -3.1, 1e5, 1e-7, 123456.75]
DATES = [
    date(2023, 12, 31),
    date(2024, 1, 31),
    date(2024, 2, 29),
    date(2026, 1, 1),
    date(2026, 3, 1),
    date(1999, 12, 31),
]
MOMENTS = [
    datetime(2024, 1, 31, tzinfo=UTC),
    datetime(2024, 1, 31, 12, 30, tzinfo=UTC),
    datetime(2023, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
]
LISTS = [[], ["a"], ["a", "b"], ["b", "A", "b"], ["", "é"], ["a", "'"]]


def mixed_frame(height: int = 150) -> pl.DataFrame:
    """Rows that go through the values of each column at different paces, every few a null."""

    def pick(values: list[Any], pace: int) -> list[Any]:
        every = len(values) + 1
        places = [(row * pace + row // 7) % every for row in range(height)]
        return [None if place == every - 1 else values[place] for place in places]

    return pl.DataFrame(
        {
            "id": [str(row) for row in range(height)],
            "name": pick(TEXTS, 1),
            "owner": pick(TEXTS, 5),
            "amount": [None if a is None else Decimal(a) for a in pick(AMOUNTS, 1)],
            "rate": [None if a is None else Decimal(a) for a in pick(RATES, 3)],
            "seats": pick(SEATS, 1),
            "score": pick(SCORES, 7),
            "active": pick([True, False], 1),
            "won": pick([True, False], 2),
            "created": pick(DATES, 1),
            "closed": pick(DATES, 3),
            "updated": pick(MOMENTS, 1),
            "tags": pick(LISTS, 3),
        },
        schema=SCHEMA,
    )


class Oracle:
    """DuckDB over the mixed frame: the ids that a WHERE keeps."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._connection = duckdb.connect(":memory:")
        self._connection.execute("SET TimeZone = 'UTC'")
        self._connection.execute("SET threads = 1")
        self._connection.register("handed", frame.to_arrow())
        self._connection.execute("CREATE TABLE deals AS SELECT * FROM handed")

    def ids(self, where: str) -> list[str]:
        statement = f"SELECT id FROM deals WHERE {where} ORDER BY id::INT"
        return [row[0] for row in self._connection.execute(statement).fetchall()]

    def lower(self, texts: list[str]) -> list[str]:
        self._connection.register("texts", pl.DataFrame({"text": texts}).to_arrow())
        rows = self._connection.execute("SELECT lower(text) FROM texts").fetchall()
        return [row[0] for row in rows]


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _number(draw: Callable[..., Any]) -> str:
    return str(draw(st.sampled_from([*AMOUNTS, *RATES, "0.005", "2", "10.5", "1.2500", "-7"])))


def _text(draw: Callable[..., Any]) -> str:
    return quoted(draw(st.sampled_from(TEXTS)))


def _date(draw: Callable[..., Any]) -> str:
    day = draw(st.sampled_from(DATES)).isoformat()
    return str(draw(st.sampled_from([f"'{day}'", f"DATE '{day}'"])))


def _moment(draw: Callable[..., Any]) -> str:
    moment = draw(st.sampled_from(MOMENTS))
    forms = [moment.isoformat(), moment.isoformat().replace("T", " "), moment.date().isoformat()]
    return f"'{draw(st.sampled_from(forms))}'"


_COLUMNS = {
    "text": ["name", "owner"],
    "number": ["amount", "rate", "seats", "score"],
    "date": ["created", "closed"],
    "moment": ["updated"],
    "bool": ["active", "won"],
}
_LITERALS = {"text": _text, "number": _number, "date": _date, "moment": _moment}


@st.composite
def operands(draw: Callable[..., Any], kind: str) -> str:
    """An operand with at least one column in it."""
    column = draw(st.sampled_from(_COLUMNS[kind]))
    form = draw(st.integers(0, 9))
    if form < 6:
        return str(column)
    if kind == "number":
        other = draw(st.sampled_from([*_COLUMNS["number"], _number(draw)]))
        forms = [
            f"({column} {draw(st.sampled_from('+-'))} {other})",
            f"({column} * {draw(st.sampled_from(['2', '0.5', 'seats', 'score', '-1.25']))})"
            if column != "seats"
            else "(seats * 0.5)",
            f"(-{column})",
            f"abs({column})",
            # no finer than the column: there DuckDB rounds the constant, and dealdb doesn't
            f"coalesce({column}, {draw(st.sampled_from(AMOUNTS))})",
            f"({column} / {draw(st.sampled_from(['4', '0', 'score', 'seats']))})",
            "(closed - created)",
            f"year({draw(st.sampled_from(['created', 'updated']))})",
            "month(closed)",
            "day(updated)",
            "quarter(created)",
            "length(name)",
        ]
        return str(draw(st.sampled_from(forms)))
    if kind == "text":
        other = draw(st.sampled_from(["owner", _text(draw)]))
        return str(
            draw(
                st.sampled_from(
                    [f"lower({column})", f"coalesce({column}, {other})", f"trim({column})"]
                )
            )
        )
    if kind == "date":
        return str(
            draw(
                st.sampled_from(
                    [
                        f"({column} + 30)",
                        f"({column} - 1)",
                        "date(updated)",
                        "updated::DATE",
                        "coalesce(created, closed)",
                        f"coalesce({column}, DATE '2024-01-31')",
                    ]
                )
            )
        )
    if kind == "moment":
        sign = draw(st.sampled_from("+-"))
        unit = draw(
            st.sampled_from(["1 MONTH", "30 DAY", "11 MONTH", "1 YEAR", "2 WEEK", "36 HOUR"])
        )
        return str(
            draw(
                st.sampled_from(
                    [f"({column} {sign} INTERVAL {unit})", f"coalesce({column}, now())"]
                )
            )
        )
    return str(column)


def _apart(left: str, others: list[str]) -> list[str]:
    """
    The others without exact sums beside floats, or the other way round.

    Where one of them is a float, DuckDB compares all as floats; dealdb compares each by itself, exactly if it can.
    """

    def is_float(operand: str) -> bool:
        return "score" in operand or "/" in operand

    def is_exact(operand: str) -> bool:
        return not is_float(operand) and any(sign in operand for sign in (" + ", " - ", " * "))

    unfit = is_float if is_exact(left) else is_exact
    mixed = any(map(is_float, [left, *others]))
    return ["1" if mixed and unfit(other) else other for other in others]


@st.composite
def predicates(draw: Callable[..., Any]) -> str:
    """One condition without AND, OR or NOT."""
    kind = draw(st.sampled_from([*_COLUMNS, "text", "number", "list"]))
    if kind == "list":
        return str(draw(_memberships()))
    left = draw(operands(kind))
    if kind == "bool":
        forms = [
            left,
            f"{left} IS TRUE",
            f"{left} IS NOT FALSE",
            f"{left} = won",
            f"{left} <> TRUE",
        ]
        return str(draw(st.sampled_from([*forms, f"{left} IS NULL", f"{left} IN (TRUE, NULL)"])))
    literal = _LITERALS[kind]

    def right() -> str:
        form = draw(st.integers(0, 9))
        if form == 0:
            return "NULL"
        if form == 1 and kind == "date":
            interval = draw(
                st.sampled_from(["1 MONTH", "30 DAY", "3 MONTH", "1 YEAR", "1 QUARTER"])
            )
            return f"{draw(st.sampled_from(_COLUMNS['date']))} - INTERVAL {interval}"
        if form == 2 and kind in ("date", "moment"):
            return str(draw(st.sampled_from(["created", "updated", "closed"])))
        return str(literal(draw) if form < 8 else draw(operands(kind)))

    form = draw(st.integers(0, 11))
    if form < 5:
        sign = draw(st.sampled_from(["=", "<>", "!=", "<", "<=", ">", ">="]))
        pair = (left, right()) if draw(st.booleans()) else (right(), left)
        return f"{pair[0]} {sign} {pair[1]}"
    inverse = draw(st.sampled_from(["", "NOT "]))
    if form < 7:
        members = ", ".join(_apart(left, [right() for _ in range(draw(st.integers(1, 7)))]))
        return f"{left} {inverse}IN ({members})"
    if form < 9:
        low, high = _apart(left, [right(), right()])
        return f"{left} {inverse}BETWEEN {low} AND {high}"
    if form == 9:
        return f"{left} IS {inverse}NULL"
    if form == 10:
        return f"{left} IS {inverse}DISTINCT FROM {right()}"
    return draw(_searches()) if kind == "text" else f"{left} IS NOT NULL"


@st.composite
def _memberships(draw: Callable[..., Any]) -> str:
    item = draw(st.sampled_from(["name", "owner", "lower(name)", "NULL", _text(draw), _text(draw)]))
    size = draw(st.sampled_from(["0", "1", "2", "seats"]))
    forms = [
        f"{item} IN tags",
        f"{item} NOT IN tags",
        f"list_contains(tags, {item})",
        f"list_has(tags, {item})",
        f"array_contains(tags, {item})",
        f"contains(tags, {item})" if item != "NULL" else "tags IS NULL",
        "tags IS NOT NULL",
        f"len(tags) > {size}",
        f"length(tags) = {size}",
    ]
    if item == "''":
        # DuckDB 2.0 takes these for searches in a text, which the empty text is always found in
        forms = [form for form in forms if " IN " not in form and not form.startswith("contains")]
    return str(draw(st.sampled_from(forms)))


@st.composite
def _searches(draw: Callable[..., Any]) -> str:
    column = draw(st.sampled_from(_COLUMNS["text"]))
    pattern = "".join(
        draw(
            st.lists(
                st.sampled_from(["%", "_", "a", "B", "é", ".", "!", "i", "k", "\u03c3", "s", "'"]),
                max_size=5,
            )
        )
    )
    inverse, sign = draw(st.sampled_from(["", "NOT "])), draw(st.sampled_from(["LIKE", "ILIKE"]))
    if draw(st.booleans()) and not pattern.replace("!!", "").endswith("!"):
        return f"{column} {inverse}{sign} {quoted(pattern)} ESCAPE '!'"
    needle = quoted(pattern[:2])
    function = draw(st.sampled_from(["contains", "starts_with", "ends_with"]))
    forms = [f"{column} {inverse}{sign} {quoted(pattern)}"] * 3 + [
        f"{function}({column}, {needle})"
    ]
    return str(draw(st.sampled_from(forms)))


def _joined(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds(
            lambda a, b, s: f"{a} {s} {b}", children, children, st.sampled_from(["AND", "OR"])
        ),
        st.builds(lambda a: f"({a})", children),
        st.builds(lambda a: f"NOT ({a})", children),
        st.builds(lambda a: f"({a}) IS NULL", children),
        st.builds(lambda a, b: f"({a}) = ({b})", children, children),
    )


def filters() -> st.SearchStrategy[str]:
    """Whole filters: predicates joined by AND, OR and NOT, with and without parentheses."""
    return st.recursive(predicates(), _joined, max_leaves=5)
