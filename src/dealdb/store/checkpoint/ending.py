"""The end of the program, which does not wait long for work in other threads."""

from __future__ import annotations

import threading
import time

from dealdb.errors import StoreError

# a checkpoint of 1,000,000 deals takes a third of that
_BEARABLE_S = 10.0


class Ending:
    """
    Tells work that goes on in a thread when to give up, since the program has ended.

    Parameters
    ----------
    where
        The server, for the message.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self._late_at: float | None = None

    def check(self) -> None:
        """
        Continue, or give up if the main thread has ended, and that was seen a while ago.

        Raises
        ------
        StoreError
            If it is late.
        """
        if threading.main_thread().is_alive():
            return
        now = time.monotonic()
        self._late_at = self._late_at or now + _BEARABLE_S
        if now > self._late_at:
            msg = f"{self._where}: the program ended while a checkpoint was written"
            raise StoreError(msg)
