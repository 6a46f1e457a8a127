"""What every metric gives back: a table, and what the table rests on."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from dealdb.analytics.basis import Basis
from dealdb.analytics.drawing import chart_of
from dealdb.analytics.links import Links
from dealdb.charts import Chart
from dealdb.charts.picture import Picture
from dealdb.errors import QueryError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class MetricResult:
    """
    Table of a metric, with its basis.

    Sums are exact decimals, counts are integers, ratios, means and medians are floats, and null where
    there is nothing to divide by. ``result["win_rate"]`` reads a table that has one row.

    Attributes
    ----------
    name
        Name of the metric.
    frame
        The groups first (``by``, and ``currency`` when there are several), then the figures.
    basis
        What they rest on.
    totals
        Figures of all rows together, by name, where a metric has such; empty otherwise.
    links
        How ``where`` finds the deals of a row; None where no filter can.
    exact
        The frame before converted money was rounded to cents, for sums over its rows; None where nothing was rounded.

    Examples
    --------
    >>> result = MetricResult(
    ...     name="win_rate",
    ...     frame=pl.DataFrame({"n": [4], "win_rate": [0.25]}),
    ...     basis=Basis(n=4),
    ... )
    >>> result["win_rate"]
    0.25
    >>> result.to_dicts()
    [{'n': 4, 'win_rate': 0.25}]
    """

    name: str
    frame: pl.DataFrame
    basis: Basis
    totals: Mapping[str, Any] = field(default_factory=dict)
    links: Links | None = None
    exact: pl.DataFrame | None = None

    def __getitem__(self, column: str) -> Any:
        """
        Figure of a table that has one row.

        Raises
        ------
        QueryError
            If there is no such column, or the table has another number of rows.
        """
        if column not in self.frame.columns:
            msg = f"{self.name} has no figure {column!r}; it has {', '.join(self.frame.columns)}"
            raise QueryError(msg)
        if self.frame.height != 1:
            msg = (
                f"{self.name} has {self.frame.height:,} rows, and [{column!r}] reads the only one: "
                "use .frame or .to_dicts()"
            )
            raise QueryError(msg)
        return self.frame.row(0, named=True)[column]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self.frame.iter_rows(named=True)

    def __len__(self) -> int:
        return self.frame.height

    def __bool__(self) -> bool:
        return not self.frame.is_empty()

    def where(self, row: Mapping[str, Any], count: str | None = None) -> pl.Expr:
        """
        The filter that keeps the deals which a row counts, for ``db.query``.

        ``db.query.count(result.where(row))`` is the row's ``n``, or its first count where it has no such column, as
        long as no deal has changed since.

        Parameters
        ----------
        row
            A row as ``to_dicts`` has it.
        count
            Another number of the row that counts deals, such as ``won``, ``blank`` or ``overdue``.

        Returns
        -------
        polars.Expr
            A boolean for each deal. Of metrics on history it names the deals by their ids.

        Raises
        ------
        QueryError
            If no filter on the deals of the present can say it: because some of them were deleted, because one counts
            several times, or because the metric counts none. ``deals=True`` lists them. Or if ``count`` is none of
            those.

        Cost
        ----
        No round trip for metrics of the present, one for those on history.

        Source
        ------
        docs/metrics.md#from-a-number-to-its-deals

        Examples
        --------
        >>> from dealdb.analytics import Analytics
        >>> from dealdb.query import QueryEngine
        >>> query = QueryEngine.over([{"id": "1", "stage": "Won"}, {"id": "2", "stage": "Demo"}])
        >>> result = Analytics(query.select).win_rate()
        >>> [query.count(result.where(row)) for row in result.to_dicts()]
        [1]
        """
        if self.links is None:
            msg = f"no filter says which deals a row of {self.name} counts: deals=True lists them"
            raise QueryError(msg)
        return self.links(row, count)

    def chart(self) -> Chart:
        """
        The chart of this metric: its form, its marks as a table, and the words around them.

        Raises
        ------
        QueryError
            If it has a line for each deal (``deals=True``), which are figures of no chart.

        Source
        ------
        docs/gallery.md

        Examples
        --------
        >>> frame = pl.DataFrame({"owner": ["Ann"], "n": [4], "win_rate": [0.25]})
        >>> chart = MetricResult(name="win_rate", frame=frame, basis=Basis(n=4)).chart()
        >>> chart.form, chart.marks["value"].to_list()
        (<ChartForm.BARS: 'bars'>, [0.25])
        """
        return chart_of(self.name, self.frame, self.basis)

    def plot(self, path: str | Path | None = None, *, locale: str = "") -> Picture:
        """
        The chart of this metric as a picture, which a notebook shows.

        Parameters
        ----------
        path
            A file to write it to as well: ``.png``, ``.svg``, ``.html`` or ``.json``.
        locale
            How the reader writes numbers and days, such as ``"de-DE"``.

        Raises
        ------
        QueryError
            If it has a line for each deal (``deals=True``).
        ConfigError
            If the name of the file ends otherwise.
        MissingExtra
            If a file is asked for and the extra ``plot`` is not installed.
        LoadError
            If the file can't be written.

        Cost
        ----
        No round trip. Some 50 ms to 150 ms for a file, the first one in a process a second.

        Source
        ------
        docs/gallery.md

        Examples
        --------
        >>> frame = pl.DataFrame({"owner": ["Ann"], "n": [4], "win_rate": [0.25]})
        >>> MetricResult(name="win_rate", frame=frame, basis=Basis(n=4)).plot()
        <Picture 'Share of the closed deals that were won': bars, 1 marks>
        """
        picture = Picture(self.chart(), locale=locale)
        if path is not None:
            picture.save(path)
        return picture

    def rows(self) -> list[tuple[Any, ...]]:
        """Rows as tuples, in the order of the frame's columns."""
        return self.frame.rows()

    def to_dicts(self) -> list[dict[str, Any]]:
        """Rows as dicts."""
        return self.frame.to_dicts()

    def __repr__(self) -> str:
        remarks = [f"note: {remark}" for remark in self.basis.remarks]
        warnings = [*remarks, *(f"warning: {warning}" for warning in self.basis.warnings)]
        totals = ", ".join(f"{name} {total}" for name, total in self.totals.items())
        lines = [f"{self.name}: {self.basis.describe()}", str(self.frame)]
        return "\n".join([*lines, *([f"in all: {totals}"] if totals else []), *warnings])

    def _repr_html_(self) -> str:
        try:
            drawn = self.plot()._repr_html_()
        except QueryError:
            # lines of deals have a table only
            drawn = ""
        title = html.escape(f"{self.name}: {self.basis.describe()}")
        said = (*self.basis.remarks, *self.basis.warnings)
        notes = "".join(f"<li>{html.escape(each)}</li>" for each in said)
        table = self.frame._repr_html_()
        return f"{drawn}<p>{title}</p>{table}" + (f"<ul>{notes}</ul>" if notes else "")
