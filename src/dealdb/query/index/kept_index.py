"""``index_for``: the index of a collection's texts, made by a thread once it is searched again and again."""

from __future__ import annotations

import logging
import threading
import time
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import polars as pl

from dealdb.query.results.rows import text_columns

if TYPE_CHECKING:
    from dealdb.query.index.made_index import MadeIndex
    from dealdb.query.index.token_index import TokenIndex
    from dealdb.query.results.search import WordSearch
    from dealdb.store.replica.made_of_texts import MadeOfTexts
    from dealdb.store.replica.row_log import RowLog, TextState
    from dealdb.store.replica.snapshot import Snapshot

logger = logging.getLogger(__name__)
# the scan of fewer takes no longer
LEAST_ROWS = 50
# the search that has the index made: a command that searches once is done before it would be
_SEARCHES = 2
# changed and new rows are scanned; with so many of them the index is made anew, with even more all rows are scanned:
# a thirty-second of all, of fewer than 320,000 up to this number, but an eighth at most
_MOST_CHANGED = 10_000
_A_PART, _LARGEST_PART = 32, 8
_FAR_TOO_MANY = 100_000
# the form in which one is kept for other processes: another number for each change of what is in it, or of its bytes;
# what letters are, and which of them are alike, differs between versions
_FORM = f"words 2, unicode {unicodedata.unidata_version}, polars {pl.__version__}"
# making it takes no more of the time than one part in so many
_PAUSE = 10


class KeptIndex:
    """The index of the texts of one replica, or of several whose rows follow one another."""

    def __init__(self) -> None:
        self._searches = 0
        # whether the folder of the cache was looked through, and has one that is whole
        self._has_looked = self._is_kept = False
        self._lock = threading.Lock()
        self._not_before = 0.0
        self._made: MadeIndex | None = None

    def search(
        self,
        frame: pl.DataFrame,
        states: Sequence[TextState],
        names: Sequence[str],
        kept: pl.Series | None,
    ) -> WordSearch | None:
        """What searches some columns by the index; None where all rows are to be scanned."""
        self._searches += 1
        self._look_for_kept(states)
        made = self._made
        if made is None or not made.goes_with(states, names):
            self._make(frame, states)
            return None
        changed = made.changed(states)
        n_changed = len(changed) + abs(frame.height - made.index.height)
        if n_changed > _most_changed(made.index.height):
            self._make(frame, states)
        if n_changed > _FAR_TOO_MANY or made.has_more(states):
            return None
        return made.search(frame, states, names, kept, changed)

    def _look_for_kept(self, states: Sequence[TextState]) -> None:
        """Take the index that another process has made of the texts as they were when the log began."""
        place = _place_of(states)
        if self._has_looked or place is None or not self._lock.acquire(blocking=False):
            return
        try:
            kept = _kept_index(place)
            if kept is not None:
                from dealdb.query.index.made_index import MadeIndex
                from dealdb.store.replica.row_log import TextState

                began = TextState(states[0].log, 0, kept.height)
                self._made, self._is_kept = MadeIndex.of(kept, [began]), True
            self._has_looked = True
        finally:
            self._lock.release()

    def _make(self, frame: pl.DataFrame, states: Sequence[TextState]) -> None:
        if self._searches < _SEARCHES or time.monotonic() < self._not_before:
            return
        if self._lock.acquire(blocking=False):
            # not a daemon, which the end of the interpreter would stop in the middle of another library's work
            thread = threading.Thread(
                target=self._work, args=(frame, states), name="dealdb-search-index"
            )
            try:
                thread.start()
            except RuntimeError:
                # there may be no more threads, or the interpreter ends; a scan needs none
                self._lock.release()

    def _work(self, frame: pl.DataFrame, states: Sequence[TextState]) -> None:
        from dealdb.query.index.made_index import MadeIndex
        from dealdb.query.index.token_index import GivenUp, token_index

        began = time.monotonic()
        try:
            is_needed = threading.main_thread().is_alive
            index = token_index(frame, text_columns(frame, None), is_needed)
            self._made = MadeIndex.of(index, states)
            took = time.monotonic() - began
            logger.info("index of words made; rows: %d, seconds: %.3f", frame.height, took)
            place = _place_of(states)
            if place is not None and not self._is_kept and is_needed():
                self._is_kept = _keep_index(index, place, states[0].log.since(0, states[0].length))
        except GivenUp:
            return
        except BaseException as problem:  # noqa: BLE001  # an interrupt, too, which Polars raises in any thread
            # searches scan, as before; the words of the problem may quote texts
            logger.warning("no index of words: %s", type(problem).__name__)
            return
        finally:
            took = time.monotonic() - began
            self._not_before = time.monotonic() + _PAUSE * took
            self._lock.release()


def _place_of(states: Sequence[TextState]) -> MadeOfTexts | None:
    """Where an index is kept for other processes; None for one of several replicas, which each begin at their time."""
    return states[0].log.made if len(states) == 1 else None


def _kept_index(made: MadeOfTexts) -> TokenIndex | None:
    """The index of the texts of a checkpoint that another process has kept, if any."""
    blob = made.find(_FORM)
    if blob is None:
        return None
    from dealdb.query.index.index_file import unpacked

    try:
        return unpacked(blob)
    except Exception as problem:  # noqa: BLE001  # whatever another version of some library has written, the scan goes on
        logger.warning("no index of words from the cache: %s", type(problem).__name__)
        return None


def _keep_index(index: TokenIndex, made: MadeOfTexts, changed: pl.Series) -> bool:
    """
    Keep an index for other processes, if few rows have changed since the checkpoint; whether that was tried.

    They look at these rows on their own, as some may have come to other texts than this process.
    """
    if len(changed) > _MOST_CHANGED:
        return False
    from dealdb.query.index.index_file import packed, without_rows

    made.keep(_FORM, packed(without_rows(index, changed.to_numpy(), made.height)))
    return True


def _most_changed(height: int) -> int:
    """
    Rows that may have changed before the index is made anew.

    Examples
    --------
    >>> [_most_changed(height) for height in (100, 10_000, 100_000, 1_000_000)]
    [50, 1250, 10000, 31250]
    """
    few = min(_MOST_CHANGED, max(height // _LARGEST_PART, LEAST_ROWS))
    return max(few, height // _A_PART)


# by the log of the first replica that has any rows; another log stands for texts of which nothing is known
_KEPT: WeakKeyDictionary[RowLog, KeptIndex] = WeakKeyDictionary()


def index_for(deals: Snapshot, names: Sequence[str], kept: pl.Series | None) -> WordSearch | None:
    """
    What searches some columns of a snapshot by an index; None where there is none, or none yet.

    Parameters
    ----------
    deals
        The deals.
    names
        Columns of text.
    kept
        Boolean a row, true for the deals to search; None for all.
    """
    if not deals.text_states or deals.rows.height < LEAST_ROWS:
        return None
    first = next(each.log for each in deals.text_states if each.height)
    index = _KEPT.setdefault(first, KeptIndex())
    return index.search(deals.rows, deals.text_states, names, kept)
