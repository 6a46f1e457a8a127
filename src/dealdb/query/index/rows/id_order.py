"""``IdOrder``: the order of the ids, in which an index has the rows of a frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from dealdb.query.results.by_id import ids_of, in_order

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class IdOrder:
    """
    Which row of a frame each row of its index is.

    The rows of the index are in the order of the ids of the deals, so the first of them that a search finds are the
    first by their ids, and no ids need to be compared.

    Attributes
    ----------
    rows
        Of each row of the index, the row of the frame; None where the frame is in the order of the ids, too.

    Examples
    --------
    >>> order = IdOrder.of(pl.DataFrame({"id": ["9", "7", "10"]}))
    >>> order.in_frame(np.array([0, 1], np.uint32)).tolist()
    [2, 1]
    >>> order.in_index(np.array([0, 1, 2], np.uint32)).tolist()
    [2, 1, 0]
    """

    rows: NDArray[np.uint32] | None

    @classmethod
    def of(cls, frame: pl.DataFrame) -> IdOrder:
        """Of the rows of a frame."""
        rows = pl.int_range(frame.height, dtype=pl.UInt32, eager=True)
        # several threads take twice the time of processors, and no search waits for it
        order = in_order(rows, ids_of(frame), threads=False)
        return cls(None if order.is_sorted() else order.to_numpy())

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return 0 if self.rows is None else self.rows.nbytes

    def in_frame(self, rows: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """The rows of the frame that some rows of the index are."""
        return rows if self.rows is None else self.rows[rows]

    def of_frame(self, rows: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """The rows of the index that some rows of the frame are."""
        if self.rows is None:
            return rows
        places = np.empty_like(self.rows)
        places[self.rows] = np.arange(len(self.rows), dtype=np.uint32)
        return places[rows]

    def in_index(self, of_rows: NDArray[Any]) -> NDArray[Any]:
        """What is known of each row of the frame, by the rows of the index."""
        return of_rows if self.rows is None else of_rows.take(self.rows)
