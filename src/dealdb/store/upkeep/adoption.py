"""
Whether a collection holds hashes that were there before dealdb came, and that nobody has adopted.

Reads show them and write nothing; a change asks for their adoption first.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from dealdb.connection import Link
from dealdb.errors import AccessDenied, NotAdopted, ServerRefused
from dealdb.store.foreign.freshness import pause_after
from dealdb.store.hashes import scan_hashes, strays
from dealdb.store.keys import Keys, check_format


class Adoption:
    """
    Whether the hashes of one collection were looked through, by this process or another; and looking.

    Parameters
    ----------
    link, keys
        The collection.
    is_allowed
        Whether a change may adopt them without being asked.

    Attributes
    ----------
    is_done
        Whether they are known to have been.
    """

    def __init__(self, link: Link, keys: Keys, *, is_allowed: bool = False) -> None:
        self._link = link
        self._keys = keys
        self._is_allowed = is_allowed
        # until when a look that has found nothing counts, while the collection is empty
        self._clear_until: float | None = None
        self.is_done = False

    def is_due(self, *, looks: bool = True) -> bool:
        """
        Whether there are such hashes.

        Parameters
        ----------
        looks
            False for a caller that has seen them lately.

        Raises
        ------
        StoreDamaged
            If the collection has another format than this.

        Cost
        ----
        One round trip, none once they are known to be adopted; for the first process of all, a scan of the hashes.
        """
        if self.is_done:
            return False
        adopted, form = self._link.call("HMGET", self._keys.meta, "adopted", "format", retry=True)
        check_format(self._keys, form)
        self.is_done = bool(adopted)
        return not self.is_done and (not looks or self.finds_strays())

    def finds_strays(self) -> bool:
        """Whether there are such hashes in a collection that nobody has looked through. Costs as ``is_due`` does."""
        if self._clear_until is None and self._has_strays():
            return True
        # a collection that holds nothing is not created by looking at it
        if self._link.call("EXISTS", self._keys.meta, retry=True):
            self.finish()
        elif self._clear_until is not None and time.monotonic() > self._clear_until:
            self._clear_until = None
            return self._has_strays()
        return False

    def _has_strays(self) -> bool:
        began = time.monotonic()
        if any(map(strays, scan_hashes(self._link, self._keys))):
            return True
        ended = time.monotonic()
        self._clear_until = ended + pause_after(ended - began)
        return False

    def note_begun(self) -> None:
        """Note that the collection began without any; what comes later is for a repair to find."""
        if not self.is_done and self._clear_until is not None:
            self.finish()

    def ensure(self, adopt: Callable[[], object]) -> None:
        """
        See to it that there are none before a change.

        Parameters
        ----------
        adopt
            Adopts all of them.

        Raises
        ------
        NotAdopted
            If there are, and nobody has allowed it.
        """
        if self.is_done or not self.is_due():
            return
        self.refuse()
        adopt()
        self.finish()

    def refuse(self) -> None:
        """Refuse to adopt them, unless that is allowed."""
        if not self._is_allowed:
            raise NotAdopted(
                f"{self._link.settings.where}: collection {self._keys.collection!r} holds hashes of another program; "
                "nothing was written; dealdb repair --adopt adopts them (it adds _row and _rev to each)"
            )

    def finish(self) -> None:
        """Note that all of them were."""
        # a user who may only read, or reads from a replica or a full server, looks through the hashes once a process
        with suppress(AccessDenied, ServerRefused):
            self._link.call("HSET", self._keys.meta, "adopted", 1, retry=True)
        self.is_done = True
