"""
How the parts of a commit are packed, on their way to the script and in the log.

===================== ====================================== ======================== =======================
where                 encoding                               who writes it            who reads it
===================== ====================================== ======================== =======================
payload of a ``set``  msgpack ``[ids, fields, columns]``     ``DealWriter``           commit.lua
or ``delete``         or ``[ids]``                           and ``Audit``
payload of a          msgpack ``[ids, fields, sources,       ``Audit``                commit.lua
``mend``              marks]``, and more where texts are
                      converted
values of an ``add``  msgpack ``[fields, columns]``          ``Batch.values``         commit.lua
``data`` of these,    msgpack ``[ids, fields, columns]``     as sent, or commit.lua   ``Entry``, ``Replica``
without the ``add``   or ``[ids]``                           of what changed
``data`` of an        Arrow IPC stream of texts, LZ4         ``Batch.packed``,        ``Entry``, ``LogPage``
``add``                                                      ``unseal``
``data`` of a schema  JSON                                   ``Definitions``          ``Definitions``,
or pipeline                                                                           ``Replica``
``rows``              msgpack, a list of numbers             commit.lua               ``Entry``, ``Replica``
===================== ====================================== ======================== =======================

The script speaks msgpack, which Lua on the server can take apart. It doesn't look into what the log keeps of an
``add``: that is Arrow, which a reader takes over as columns without touching a text, and the script gets the same deals
a second time for the hashes. Schema and pipeline are documents that a person may want to read: JSON.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import msgpack
import polars as pl

from dealdb.errors import StoreDamaged

# array of 2**32 items at most, before their number
_ARRAY_32 = b"\xdd"


def packed(frame: pl.DataFrame) -> bytes:
    """Columns of texts as the log keeps new deals: an Arrow IPC stream."""
    buffer = io.BytesIO()
    frame.rechunk().write_ipc_stream(buffer, compression="lz4")
    return buffer.getvalue()


def unpacked(data: bytes) -> pl.DataFrame:
    """
    Inverse of ``packed``.

    Raises
    ------
    StoreDamaged
        If it is something else.
    """
    try:
        return pl.read_ipc_stream(data)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as problem:
        msg = "the log holds a commit of new deals that dealdb did not write; dealdb doctor names it and the way out"
        raise StoreDamaged(msg) from problem


def unpacked_all(texts: Sequence[bytes]) -> list[Any]:
    """What each of these msgpack texts says, read as one array, by one call."""
    return unpacked_change(_ARRAY_32 + len(texts).to_bytes(4) + b"".join(texts))


def unpacked_change(data: bytes) -> list[Any]:
    """What a commit says; what another program wrote need not be UTF-8, and is shown as such."""
    return msgpack.unpackb(data, unicode_errors="replace")  # type: ignore[no-any-return]


def with_none(column: list[Any]) -> list[str | None]:
    """Texts of a column: where the script had to pack it again, false stands for nil."""
    return [None if text is False else text for text in column] if False in column else column
