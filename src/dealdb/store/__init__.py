"""
One collection on the server: its keys, its commits and the columns of it in memory.

Every change is one atomic script that writes the hashes and appends to the log; every reader follows the
log. ``docs/protocol.md`` describes both.

Where the server gives no answer, a method raises ``AccessDenied``, ``ServerRefused``, ``ServerUnavailable`` or
``PoolTimeout``; a change also ``OutcomeUnknown`` and ``NotDurable``. What one raises besides, it says.

The order of the parts; nothing imports from a part behind it:
keys, deal, leaving → bounds → encoding, tables → hashes, log, commit → archive → ledger → replica → checkpoint → live,
history, foreign → facts → backup, upkeep → store_history, store_besides, sizes → store → partitions.
"""

from dealdb.store.deal import Deal, DealPlace, SaveResult, Written
from dealdb.store.store import Store

__all__ = ["Deal", "DealPlace", "SaveResult", "Store", "Written"]
