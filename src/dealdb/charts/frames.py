"""Charts of frames: a bar or a dot for each row, and the size of deals against their cycle."""

from __future__ import annotations

import polars as pl

from dealdb.charts.chart import Axis, Chart, ChartForm, Unit
from dealdb.charts.marks import called, fitting, told_apart
from dealdb.errors import QueryError

_DEALS = ("amount", "created", "closed")
# all columns of deals that their chart reads, where they are
DRAWN = ("id", "name", "stage", "currency", *_DEALS)
# of these columns one has to tell deals apart
_NAMES = ("name", "id")


def bar_chart(
    frame: pl.DataFrame,
    *,
    label: str,
    value: str,
    title: str | None = None,
    unit: Unit | None = None,
) -> Chart:
    """
    A bar for each row of a frame, such as that of ``db.query.sql``.

    Parameters
    ----------
    frame
        At most 40 of its rows are drawn, the first ones; the notes of the chart say so.
    label, value
        The column that names the bars, and the one that they are of.
    title
        Of the chart; by default made of the columns.
    unit
        Of the values; a plain number by default.

    Raises
    ------
    QueryError
        If there is no such column, or the values are no numbers.

    Examples
    --------
    >>> chart = bar_chart(pl.DataFrame({"owner": ["Ann"], "n": [7]}), label="owner", value="n")
    >>> chart.title, chart.marks.rows()
    ('n by owner', [(0, 'Ann', 7)])
    """
    _numbers(frame, value)
    _known(frame, label)
    labels = pl.Series([called(each) for each in frame[label].to_list()], dtype=pl.String)
    marks = frame.select(
        _row_numbers(), told_apart(labels).alias("label"), frame[value].alias("value")
    )
    shown, left_out = fitting(ChartForm.BARS, marks)
    return Chart(
        form=ChartForm.BARS,
        title=title or f"{_words(value)} by {_words(label)}",
        subtitle=_counted(frame.height, "row"),
        marks=shown,
        x=Axis(title=_words(label), unit=Unit.LABEL),
        y=Axis(title=_words(value), unit=unit or Unit.NUMBER),
        notes=left_out,
    )


def table_chart(table: pl.DataFrame) -> Chart:
    """
    A bar for each row of a table of two columns: a label, and the number that it has.

    Raises
    ------
    QueryError
        If it is no such table.

    Examples
    --------
    >>> table_chart(pl.DataFrame({"owner": ["Ann"], "n": [7]})).marks.rows()
    [(0, 'Ann', 7)]
    """
    columns = list(table.schema.items())
    labels = [name for name, kind in columns if not kind.is_numeric() and not kind.is_nested()]
    values = [name for name, kind in columns if kind.is_numeric()]
    if len(columns) != 2 or not labels or not values:
        has = ", ".join(f"{name[:60]} ({kind})" for name, kind in columns[:20])
        msg = (
            "a chart needs a table of a label and a number, such as SELECT stage, count(*) AS deals "
            f"... GROUP BY stage; this one has {has}"
        )
        raise QueryError(msg)
    return bar_chart(table, label=labels[0], value=values[0])


def scatter_chart(
    frame: pl.DataFrame, *, x: str, y: str, label: str = "id", title: str | None = None
) -> Chart:
    """
    A dot for each row of a frame: one number against another.

    Parameters
    ----------
    frame
        At most 2,000 of its rows are drawn, the first ones; the notes of the chart say so.
    x, y
        Columns of numbers, along and up.
    label
        The column that names the dots.
    title
        Of the chart; by default made of the columns.

    Raises
    ------
    QueryError
        If there is no such column, or the values are no numbers.

    Examples
    --------
    >>> deals = pl.DataFrame({"id": ["A", "B"], "age": [3, None], "amount": [500, 70]})
    >>> chart = scatter_chart(deals, x="age", y="amount")
    >>> chart.marks.rows(), chart.notes
    ([(0, 3, 500, 'A')], ('1 row without age or amount is not drawn.',))
    """
    for name in (x, y):
        _numbers(frame, name)
    _known(frame, label)
    labels = pl.Series([called(each) for each in frame[label].to_list()], dtype=pl.String)
    marks = frame.select(
        _row_numbers(), frame[x].alias("x"), frame[y].alias("value"), labels.alias("label")
    )
    return _dots(
        marks,
        title=title or f"{_words(y)} against {_words(x)}",
        x=Axis(title=_words(x), unit=Unit.NUMBER),
        y=Axis(title=_words(y), unit=Unit.NUMBER),
        lacking=f"{_words(x)} or {_words(y)}",
    )


def deals_chart(deals: pl.DataFrame) -> Chart:
    """
    The size of closed deals against the days that they took, a panel a currency.

    Parameters
    ----------
    deals
        With the columns ``amount``, ``created`` and ``closed``; deals without one of these are counted in the notes.

    Raises
    ------
    QueryError
        If one of these columns is missing.

    Examples
    --------
    >>> from datetime import date
    >>> deals = pl.DataFrame(
    ...     {
    ...         "id": ["A"],
    ...         "amount": [500],
    ...         "created": [date(2026, 1, 5)],
    ...         "closed": [date(2026, 2, 4)],
    ...     }
    ... )
    >>> deals_chart(deals).marks.select("label", "x", "value").rows()
    [('A', 30, 500)]
    """
    for name in _DEALS:
        if name not in deals.columns:
            msg = (
                "a chart of deals shows amounts against the days from creation to closing: it needs the columns "
                f"{', '.join(_DEALS)}, and there is no {name!r}"
            )
            raise QueryError(msg)
    names = [pl.col(name).cast(pl.String) for name in _NAMES if name in deals.columns]
    columns = [
        _row_numbers(),
        _days().alias("x"),
        pl.col("amount").alias("value"),
        pl.coalesce(*names, pl.lit("")).alias("label"),
    ]
    if "stage" in deals.columns:
        columns.append(pl.col("stage").cast(pl.String).fill_null("(none)").alias("series"))
    known = deals.with_columns(_row=pl.int_range(pl.len(), dtype=pl.UInt32))
    currency = None
    if "currency" in deals.columns:
        closed = known.filter(_days().is_not_null() & pl.col("amount").is_not_null())
        several = closed["currency"].n_unique() > 1
        if several:
            columns.append(pl.col("currency").cast(pl.String).fill_null("(none)").alias("panel"))
        elif closed.height:
            currency = closed["currency"][0]
    return _dots(
        known.select(columns),
        title="How large deals are, and how long they take",
        x=Axis(title="days from creation to closing", unit=Unit.DAYS),
        y=Axis(
            title="amount", unit=Unit.MONEY, currency=None if currency is None else str(currency)
        ),
        lacking="an amount, a day of creation or one of closing",
    )


def _dots(marks: pl.DataFrame, *, title: str, x: Axis, y: Axis, lacking: str) -> Chart:
    known = marks.drop_nulls(["x", "value"])
    shown, left_out = fitting(ChartForm.SCATTER, known)
    missing = marks.height - known.height
    things = "row" if y.unit is Unit.NUMBER else "deal"
    be = "is" if missing == 1 else "are"
    said = f"{_counted(missing, things)} without {lacking} {be} not drawn."
    return Chart(
        form=ChartForm.SCATTER,
        title=title,
        subtitle=_counted(known.height, things),
        marks=shown,
        x=x,
        y=y,
        notes=(*([said] if missing else []), *left_out),
    )


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _days() -> pl.Expr:
    return (pl.col("closed") - pl.col("created")).dt.total_days()


def _row_numbers() -> pl.Expr:
    return pl.int_range(pl.len(), dtype=pl.UInt32).alias("row")


def _known(frame: pl.DataFrame, name: str) -> None:
    if name not in frame.columns:
        msg = f"there is no column {name[:60]!r}; there are {', '.join(frame.columns[:20])}"
        raise QueryError(msg)


def _numbers(frame: pl.DataFrame, name: str) -> None:
    _known(frame, name)
    if not frame.schema[name].is_numeric():
        msg = f"{name[:60]!r} has no numbers to draw: it is {frame.schema[name]}"
        raise QueryError(msg)


def _words(column: str) -> str:
    return column.replace("_", " ")
