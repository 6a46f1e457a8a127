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
without the ``add``   or ``[ids]``; of a ``set`` also        of what changed
                      ``[.., ats]``
``data`` of an        Arrow IPC stream of texts, LZ4         ``Batch.packed``,        ``Entry``, ``LogPage``
``add``                                                      ``unseal``
``data`` of a         the same, of the columns               ``packed``               ``unpacked_facts``
``facts``             ``FACT_COLUMNS``
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

from dealdb.store.bounds.arrow import stream_bytes
from dealdb.store.bounds.room import check_bytes, check_texts
from dealdb.store.bounds.wall import LAST_MS

# array of 2**32 items at most, before their number
_ARRAY_32 = b"\xdd"
# of facts that were recorded later than they happened
FACT_COLUMNS: dict[str, pl.DataType] = {
    "id": pl.String(),
    "field": pl.String(),
    "at": pl.Int64(),
    "value": pl.String(),
    "op": pl.String(),
    "who": pl.String(),
    "source": pl.String(),
    "key": pl.String(),
}
# what a fact can say; the last two kinds are of a deal as a whole
OPS_OF_FIELDS = ("set", "clear", "unknown", "retract")
OPS_OF_DEALS = ("delete", "merge")


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
    ValueError
        If it is something else; what decodes it raises errors of its own, so callers are behind a wall.
    """
    # before Polars makes room for it
    check_bytes(stream_bytes(data), len(data))
    frame = pl.read_ipc_stream(data)
    if frame.columns[0] != "id" or set(frame.dtypes) != {pl.String} or frame["id"].null_count():
        msg = "not texts of deals"
        raise ValueError(msg)
    # texts may lie in one another
    check_texts(int(frame.estimated_size()), frame.height * frame.width, len(data))
    return frame


def unpacked_facts(data: bytes) -> pl.DataFrame:
    """
    Facts of a commit that has some, a row each, with the columns of ``FACT_COLUMNS``.

    Raises
    ------
    ValueError
        As of ``unpacked``; also where a row is no fact.
    """
    check_bytes(stream_bytes(data), len(data))
    frame = pl.read_ipc_stream(data)
    if dict(frame.schema) != FACT_COLUMNS:
        msg = "not the columns of facts"
        raise ValueError(msg)
    check_texts(int(frame.estimated_size()), frame.height * frame.width, len(data))
    return checked_facts(frame)


def checked_facts(frame: pl.DataFrame) -> pl.DataFrame:
    """The same facts; ValueError where a row is none."""
    of_deal = pl.col("op").is_in(OPS_OF_DEALS) & pl.col("field").is_null()
    of_field = pl.col("op").is_in(OPS_OF_FIELDS) & pl.col("field").is_not_null()
    retracts_deal = (pl.col("op") == "retract") & pl.col("field").is_null()
    is_whole = (
        (pl.col("id").str.len_bytes() > 0)
        & pl.col("at").is_between(0, LAST_MS)
        & (of_deal | of_field | retracts_deal)
        & (pl.col("value").is_not_null() | ~pl.col("op").is_in(["set", "merge"]))
    )
    if not frame.select(is_whole.fill_null(value=False).all()).item():
        msg = "not facts"
        raise ValueError(msg)
    return frame


def checked_ats(ats: Sequence[object], n: int) -> list[int]:
    """The moments of the deals of a change, 0 for that of its commit; ValueError for what can't be one."""
    found = [at for at in ats if type(at) is int and 0 <= at <= LAST_MS]
    if len(found) != n or len(ats) != n:
        msg = "not a moment for each deal"
        raise ValueError(msg)
    return found


def unpacked_all(texts: Sequence[bytes]) -> list[Any]:
    """What each of these msgpack texts says, read as one array, by one call."""
    return unpacked_change(_ARRAY_32 + len(texts).to_bytes(4) + b"".join(texts))


def unpacked_change(data: bytes) -> list[Any]:
    """What a commit says; what another program wrote need not be UTF-8, and is shown as such."""
    found: list[Any] = msgpack.unpackb(
        data,
        unicode_errors="replace",
        # no commit has any: they would take a hundred times their bytes
        object_hook=_refused,
        ext_hook=_refused,
        max_map_len=0,
        max_ext_len=0,
    )
    return found


def _refused(*_: object) -> object:
    msg = "a mapping or an extension in a commit"
    raise ValueError(msg)


def with_none(column: list[Any]) -> list[str | None]:
    """Texts of a column: where the script had to pack it again, false stands for nil."""
    return [None if text is False else text for text in column] if False in column else column


def check_change(
    ids: Sequence[object],
    fields: Sequence[object],
    columns: Sequence[Sequence[object]],
    n_rows: int,
    *,
    may_be_false: bool = False,
) -> None:
    """Raise ValueError unless a change has the shape of one: a text or nothing for each deal and field."""
    sizes = {len(ids), n_rows, *map(len, columns)}
    whole = len(sizes) == 1 and len(fields) == len(columns)
    kinds = set(map(type, ids)) | set(map(type, fields))
    cells = {kind for column in columns for kind in set(map(type, column))}
    nothing = {type(None), bool} if may_be_false else {type(None)}
    if not whole or not kinds <= {str} or not cells <= {str, *nothing}:
        msg = "not the shape of a change"
        raise ValueError(msg)


def places_of(deal_id: str, ids: list[str]) -> list[int]:
    """
    Where an id is among others, each time that it is.

    Examples
    --------
    >>> places_of("a", ["b", "a", "c", "a"])
    [1, 3]
    """
    # mostly once among hundreds: by functions of C
    found: list[int] = []
    for _ in range(ids.count(deal_id)):
        found.append(ids.index(deal_id, found[-1] + 1 if found else 0))
    return found
