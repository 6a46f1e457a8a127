"""``Picture``: a chart that shows itself in a notebook, and that can be saved as a file."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from dealdb.charts.chart import Chart
from dealdb.errors import ConfigError, MissingExtra
from dealdb.formats.locale import Locale
from dealdb.formats.output_file import written

KINDS = ("png", "svg", "html", "json")


class Picture:
    """
    A chart to look at: in a notebook by itself, elsewhere as a file.

    Parameters
    ----------
    chart
        What it shows.
    locale
        How its reader writes numbers and days, such as ``"de-DE"``; by default as the command line does.

    Examples
    --------
    >>> import polars as pl
    >>> from dealdb.charts import Axis, ChartForm, Unit
    >>> chart = Chart(
    ...     form=ChartForm.BARS,
    ...     title="Open deals",
    ...     subtitle="n 10",
    ...     marks=pl.DataFrame({"label": ["Ann", "Bob"], "value": [7, 3]}),
    ...     x=Axis(title="owner", unit=Unit.LABEL),
    ...     y=Axis(title="deals", unit=Unit.DEALS),
    ... )
    >>> Picture(chart)
    <Picture 'Open deals': bars, 2 marks>
    """

    def __init__(self, chart: Chart, *, locale: str = "") -> None:
        self.chart = chart
        self._locale = Locale(locale)

    def save(self, path: str | Path) -> Path:
        """
        Write the picture to a file: ``.png`` (twice as many points as pixels), ``.svg``, ``.html`` or ``.json``.

        No browser and no network is needed: HTML has all scripts in it, and JSON is a specification of Vega-Lite with
        its data. The file appears complete or not at all.

        Parameters
        ----------
        path
            Where to; the end of the name gives the format.

        Returns
        -------
        Path
            The same.

        Raises
        ------
        ConfigError
            If the name ends otherwise.
        MissingExtra
            If the extra ``plot`` is not installed.
        LoadError
            If the file can't be written.

        Cost
        ----
        No round trip. Some 50 ms to 150 ms, the first time in a process a second.
        """
        kind = picture_kind(path)
        content = self._file(kind)
        written(path, lambda file: file.write(content))
        return Path(path)

    def svg(self) -> str:
        """
        The chart as an element of SVG for a page, which needs no extra; colours follow those of the page.

        Examples
        --------
        ``picture.svg()[:4]`` is ``"<svg"``.
        """
        # not at the top: files are drawn without it
        from dealdb.charts.svg.drawing import drawn

        return drawn(self.chart, locale=self._locale)

    def _file(self, kind: str) -> bytes:
        try:
            # not at the top: a second, and an extra
            from dealdb.charts.vega.files import picture_bytes
        except ImportError as error:
            msg = "pictures as files need the extra 'plot': pip install 'dealdb[plot]'"
            raise MissingExtra(msg) from error
        return picture_bytes(self.chart, kind, self._locale)

    def __repr__(self) -> str:
        form, marks = self.chart.form, self.chart.marks.height
        return f"<Picture {self.chart.title!r}: {form}, {marks:,} marks>"

    def _repr_html_(self) -> str:
        return self.svg()

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, str]:
        found = {"text/html": self.svg(), "text/plain": repr(self)}
        return {
            kind: text
            for kind, text in found.items()
            if (not include or kind in include) and kind not in (exclude or ())
        }


def picture_kind(path: str | Path) -> str:
    """
    The format that the name of a file asks for.

    Raises
    ------
    ConfigError
        If it is none of a picture.

    Examples
    --------
    >>> picture_kind("funnel.PNG")
    'png'
    """
    kind = Path(path).suffix.lower().removeprefix(".")
    if kind not in KINDS:
        shown = Path(path).name[:60]
        msg = f"a picture ends with .{', .'.join(KINDS[:-1])} or .{KINDS[-1]}, not {shown!r}"
        raise ConfigError(msg)
    return kind
