"""Charts of commands: into a file by ``--plot``, onto the terminal by ``--chart``."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dealdb.cli.output.pager import show
from dealdb.cli.output.streams import Output, note
from dealdb.errors import ConfigError

if TYPE_CHECKING:
    from dealdb.charts import Chart

Plot = Annotated[
    Path | None,
    typer.Option(
        "--plot", metavar="FILE", help="Draw a chart into a file instead: .png, .svg, .html, .json."
    ),
]
AsChart = Annotated[
    bool, typer.Option("--chart", help="Print a chart of bars and lines instead of the table.")
]

_PAGE_WIDTH = 100


@dataclass(frozen=True, kw_only=True)
class ChartOptions:
    """
    Whether a chart takes the place of a table, and where it goes.

    Attributes
    ----------
    file
        To draw it into.
    is_text
        Whether it is printed.
    """

    file: Path | None = None
    is_text: bool = False

    def __bool__(self) -> bool:
        return self.file is not None or self.is_text

    def check(self, output: Output, **others: object) -> None:
        """
        Refuse what excludes each other, and names of no picture, before anything is read.

        Parameters
        ----------
        output
            How data would be printed.
        others
            Options that ask for another form, by name; those that were given are refused.

        Raises
        ------
        ConfigError
            If a chart and another form of output are asked for, or the file has another format.
        """
        if not self:
            return
        own = "plot" if self.file is not None else "chart"
        given = [name.replace("_", "-") for name, value in others.items() if value]
        if self.file is not None and self.is_text:
            given.append("chart")
        if output is not Output.TABLE:
            given.append(str(output))
        if given:
            msg = f"--{own} and --{given[0]} exclude each other"
            raise ConfigError(msg)
        if self.file is not None:
            # not at the top: it imports Polars
            from dealdb.charts.picture import picture_kind

            picture_kind(self.file)

    def put(self, chart: Chart, above: Sequence[str] = ()) -> None:
        """
        Draw a chart into the file, or print it.

        Parameters
        ----------
        chart
            What to draw.
        above
            Sentences for people, to stand above a printed one.

        Raises
        ------
        LoadError
            If the file can't be written.
        MissingExtra
            If the extra ``plot`` is not installed.
        """
        if self.file is None:
            from dealdb.charts.text.printing import lines_of

            width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _PAGE_WIDTH
            show([*above, *([""] if above else []), *lines_of(chart, width)])
            return
        from dealdb.charts.picture import Picture

        Picture(chart).save(self.file)
        marks = chart.marks.height
        note(f"{self.file}: {chart.title} ({marks:,} {'mark' if marks == 1 else 'marks'})")
