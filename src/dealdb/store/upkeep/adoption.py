"""Hashes that were there before dealdb came: the log gets to know them at the first use of a collection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain

from dealdb.connection import Link
from dealdb.errors import AccessDenied, ServerRefused
from dealdb.store.commit.writers import Writers
from dealdb.store.hashes import scan_hashes, strays
from dealdb.store.keys import Keys, check_format


class Adoption:
    """
    Whether the hashes of one collection were looked through, by this process or another; and looking.

    Attributes
    ----------
    is_done
        Whether they are known to have been.
    """

    def __init__(self, link: Link, keys: Keys, writers: Writers) -> None:
        self._link = link
        self._keys = keys
        self._writers = writers
        self._looked = False
        self.is_done = False

    def ensure(self, adopt_all: Callable[[Iterator[str]], object]) -> None:
        """
        See to it that they were.

        Parameters
        ----------
        adopt_all
            Commits hashes that the log has never seen, by the ids of their deals; called if there are any.

        Raises
        ------
        StoreDamaged
            If the collection has another format than this.

        Cost
        ----
        One round trip, none once it is done; for the first process of all, a scan of the hashes.
        """
        if self.is_done:
            return
        adopted, form = self._link.call("HMGET", self._keys.meta, "adopted", "format", retry=True)
        check_format(self._keys, form)
        if not adopted:
            if not self._looked:
                self._look(adopt_all)
            # a collection that holds nothing is not created by looking at it
            if not self._link.call("EXISTS", self._keys.meta, retry=True):
                return
            self._note()
        self.is_done = True

    def _look(self, adopt_all: Callable[[Iterator[str]], object]) -> None:
        found = (deal for page in scan_hashes(self._link, self._keys) for deal in strays(page))
        first = next(found, None)
        if first is not None:
            with self._writers.beforehand():
                adopt_all(chain([first], found))
        self._looked = True

    def _note(self) -> None:
        # a user who may only read, or reads from a replica or a full server, looks through the hashes once a process
        with suppress(AccessDenied, ServerRefused):
            self._link.call("HSET", self._keys.meta, "adopted", 1, retry=True)
