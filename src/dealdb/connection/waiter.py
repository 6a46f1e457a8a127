"""``Waiter``: a caller who waits for a socket of the pool."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dealdb.connection.endpoint import Endpoint
    from dealdb.connection.protocol.wire import Wire


class Waiter:
    """A caller in the queue: ``wire`` is set and ``gate`` opened when its turn comes."""

    __slots__ = ("__weakref__", "db", "gate", "is_patient", "node", "thread", "wire")

    def __init__(self, db: int, node: Endpoint | None) -> None:
        self.db = db
        self.node = node
        # only where there are several nodes
        self.is_patient = node is not None
        self.thread = threading.get_ident()
        self.wire: Wire | None = None
        self.gate = threading.Lock()
        self.gate.acquire()

    def wake(self) -> None:
        """Open the gate; where a signal's handler interrupts one that opens it, both do."""
        with contextlib.suppress(RuntimeError):
            self.gate.release()
