"""What a load comes across as it encodes its rows, for the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import polars as pl

from dealdb.errors import LoadError
from dealdb.loader.chunk import Chunk
from dealdb.loader.columns.bad_cells import CellCounts
from dealdb.loader.columns.encode import Encoded
from dealdb.loader.columns.plan import Plan

# rows without one that can be read, after which a load gives up
_HOPELESS_ROWS = 50_000
# repeated ids that the report names, and lines of each
MAX_REPEATED = 5


class Findings:
    """
    Adds up what the chunks of a load have in them besides deals.

    Attributes
    ----------
    bad_cells
        Cells that were left out, by header.
    """

    def __init__(self) -> None:
        self.bad_cells = CellCounts()
        self._doubtful: list[int] = []
        self._n_rows = 0
        self._n_unread = 0
        self._times_dropped: Counter[str] = Counter()

    def look_at(self, chunk: Chunk) -> None:
        """
        Take in a chunk that is looked at before anything is written.

        Raises
        ------
        LoadError
            If many rows have come, and not one that can be read: the rest will be the same.
        """
        self._doubtful += chunk.doubtful
        self._n_rows += chunk.frame.height
        self._n_unread += len(chunk.rejects)
        if not self._n_rows and self._n_unread >= _HOPELESS_ROWS:
            last = chunk.rejects[-1]
            msg = (
                f"not one of the first {self._n_unread:,} rows can be read, so nothing was loaded; "
                f"line {last.line:,}: {last.message} ({last.code}); is it what its name says?"
            )
            raise LoadError(msg)

    def doubts(self) -> Iterator[str]:
        """What may be wrong in the rows, as far as they were looked at."""
        if self._doubtful:
            n = f"rows of a single cell: {len(self._doubtful):,} ({_lines(self._doubtful)})"
            yield (
                f"{n}; loaded as deals, but they may be titles of groups: take those that are out of the file"
            )

    def add(self, encoded: Encoded) -> None:
        """Take in one more chunk."""
        self._times_dropped.update(encoded.times_dropped)
        self.bad_cells.add(encoded.bad_rows, encoded.n_bad)

    def notes(self) -> Iterator[str]:
        """What the caller should know."""
        for header, n in self._times_dropped.items():
            yield f"times of day dropped in {header!r}: {n}; its field is a date"

    def warnings(self) -> Iterator[str]:
        """What figures will lack, or have too much."""
        yield from self.doubts()
        if self.bad_cells.n:
            yield f"bad cells: {', '.join(self.bad_cells.described())}; their deals lack them"


def _lines(lines: Sequence[int]) -> str:
    """The first lines, as people list them."""
    shown = [f"{line}" for line in lines[:MAX_REPEATED]]
    if len(lines) > MAX_REPEATED:
        return f"lines {', '.join(shown)}, ..."
    *before, last = shown
    return f"lines {', '.join(before)} and {last}" if before else f"line {last}"


def repeated_lines(
    id_hashes: Sequence[pl.Series], chunks: Iterable[Chunk], plan: Plan
) -> dict[str, tuple[int, ...]]:
    """Lines of the first repeated ids; reads the source again up to the last of them."""
    hashes = pl.concat(id_hashes)
    first = hashes.filter(hashes.is_duplicated()).unique(maintain_order=True).head(MAX_REPEATED)
    wanted = hashes.is_in(first.implode()).sum()
    lines: dict[str, tuple[int, ...]] = {}
    for chunk in chunks:
        ids = plan.ids_of(chunk)
        rows = ids.hash().is_in(first.implode()).arg_true().to_list()
        for place, deal_id in zip(chunk.locate(rows), ids.gather(rows), strict=True):
            lines[deal_id] = (*lines.get(deal_id, ()), place.line)[:MAX_REPEATED]
        wanted -= len(rows)
        if wanted <= 0:
            break
    return lines
