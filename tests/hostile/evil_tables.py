# ruff: noqa: E501  # the texts of formats are long
"""Hostile Parquet and Arrow files."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet

MB = 1024 * 1024


def parquet(table: Any, **options: Any) -> bytes:
    """A Parquet file."""
    file = io.BytesIO()
    pyarrow.parquet.write_table(table, file, **{"compression": "zstd", **options})
    return file.getvalue()


def arrow(table: Any, compression: str | None = "zstd") -> bytes:
    """An Arrow file."""
    file = io.BytesIO()
    with pyarrow.ipc.new_file(
        file, table.schema, options=pyarrow.ipc.IpcWriteOptions(compression=compression)
    ) as writer:
        writer.write_table(table)
    return file.getvalue()


def zeros(n: int) -> Any:
    """So many numbers, made without a list of them."""
    return pa.Array.from_buffers(pa.int8(), n, [None, pa.py_buffer(bytes(n))])


def _tables() -> dict[str, Callable[[], Any]]:
    def repeated(size: int, rows: int) -> Any:
        index = pa.array([0] * rows, pa.int32())
        texts = pa.DictionaryArray.from_arrays(index, pa.array(["x" * size]))
        return pa.table({"id": pa.array(map(str, range(rows))), "name": texts})

    def nested(deep: int) -> Any:
        value = pa.array([1])
        for _ in range(deep):
            value = pa.StructArray.from_arrays([value], ["a"])
        return pa.table({"id": ["1"], "x": value})

    def lists(deep: int) -> Any:
        value = pa.array([1])
        for _ in range(deep):
            value = pa.ListArray.from_arrays(pa.array([0, 1], pa.int32()), value)
        return pa.table({"id": ["1"], "x": value})

    big = pa.large_string()
    return {
        "2,000 rows of 5 MB": lambda: repeated(5 * MB, 2_000),
        "2,000 rows of 500 kB": lambda: repeated(500_000, 2_000),
        "200,000 rows of 20 kB": lambda: repeated(20_000, 200_000),
        "a cell of 50 MB": lambda: pa.table({"id": ["1"], "name": pa.array(["x" * (50 * MB)], big)}),
        "a cell of bytes of 50 MB": lambda: pa.table({"id": ["1"], "name": pa.array([bytes(50 * MB)])}),
        "120 MB of zeros": lambda: pa.table({"id": ["1"] * 60, "name": pa.array(["\0" * (2 * MB)] * 60, big)}),
        "12 million numbers": lambda: pa.table({"id": zeros(12 * MB)}),
        "20 million nulls": lambda: pa.table({"id": pa.nulls(20_000_000, pa.string())}),
        "20 million nulls of no type": lambda: pa.table({"id": pa.nulls(20_000_000)}),
        "a list of 4 million numbers": lambda: pa.table({"id": ["1"], "x": pa.ListArray.from_arrays(pa.array([0, 4_000_000], pa.int32()), zeros(4_000_000))}),
        "lists of 10,000 lists": lambda: pa.table({"id": ["1"] * 100, "x": pa.array([[[0] * 100] * 100] * 100)}),
        "20,000 columns": lambda: pa.table({f"c{n}": ["1"] for n in range(20_000)}),
        "4,000 columns": lambda: pa.table({"id": ["1"]} | {f"c{n}": ["1"] for n in range(4_000)}),
        "objects 60 deep": lambda: nested(60),

        "lists 50 deep": lambda: lists(50),
        "names that are one": lambda: pa.Table.from_arrays([pa.array(["1"])] * 3, ["id", "id", "id"]),
        "a name of 5 MB": lambda: pa.table({"id": ["1"], "x" * (5 * MB): ["1"]}),
        "no columns": lambda: pa.table({}),
        "no rows": lambda: pa.table({"id": pa.array([], pa.string())}),
        "dates beyond the calendar": lambda: pa.table({"id": ["1"], "closed": pa.array([2**31 - 1], pa.int32()).cast(pa.date32())}),
        "moments beyond the calendar": lambda: pa.table({"id": ["1"], "at": pa.array([2**50], pa.int64()).cast(pa.timestamp("ms"))}),
        "infinite numbers": lambda: pa.table({"id": ["1", "2"], "amount": [float("inf"), float("nan")]}),
        "bytes": lambda: pa.table({"id": ["1"], "x": pa.array([b"\xff\xfe"], pa.binary())}),
    }  # fmt: skip


def columnars() -> dict[str, Callable[[], bytes]]:
    files: dict[str, Callable[[], bytes]] = {}
    for name, table in _tables().items():
        files[f"{name}.parquet"] = lambda table=table: parquet(table())  # type: ignore[misc]
        files[f"{name}.arrow"] = lambda table=table: arrow(table())  # type: ignore[misc]
    small = pa.table({"id": ["1", "2"], "name": ["a", "b"]})
    good = parquet(small)
    return files | {
        "a footer of 4 GB.parquet": lambda: good[:-8] + b"\xff\xff\xff\xff" + b"PAR1",
        "a footer of nothing.parquet": lambda: good[:-8] + b"\0\0\0\0" + b"PAR1",
        "a footer of the whole.parquet": lambda: good[:-8] + struct.pack("<I", len(good) - 8) + b"PAR1",
        "a footer of ones.parquet": lambda: b"PAR1" + b"\xff" * 1_000 + struct.pack("<I", 1_000) + b"PAR1",
        "a footer of zeros.parquet": lambda: b"PAR1" + bytes(1_000) + struct.pack("<I", 1_000) + b"PAR1",
        "a footer of lists.parquet": lambda: b"PAR1" + b"\x19\xfc\xff\xff\xff\xff\x0f" * 100 + struct.pack("<I", 700) + b"PAR1",
        "a footer of depth.parquet": lambda: b"PAR1" + b"\x1c" * 100_000 + struct.pack("<I", 100_000) + b"PAR1",
        "many rows said.parquet": lambda: _more_rows(good),
        "encrypted.parquet": lambda: b"PARE" + bytes(100) + struct.pack("<I", 90) + b"PARE",
        "marks only.parquet": lambda: b"PAR1PAR1",
        "a million row groups.parquet": lambda: parquet(pa.table({"id": list(map(str, range(3_000)))}), row_group_size=1),
        "a mark only.arrow": lambda: b"ARROW1\0\0",
        "a stream.arrow": lambda: b"\xff\xff\xff\xff" + struct.pack("<i", 2**31 - 1) + bytes(100),
        "a footer of 2 GB.arrow": lambda: arrow(small)[:-10] + struct.pack("<i", 2**31 - 1) + b"ARROW1",
        "a footer below zero.arrow": lambda: arrow(small)[:-10] + struct.pack("<i", -5) + b"ARROW1",
        "lz4 of zeros.arrow": lambda: arrow(_tables()["120 MB of zeros"](), "lz4"),
        "orc.orc": lambda: b"ORC" + bytes(100),
        "avro.avro": lambda: b"Obj\x01" + bytes(100),
        "snappy of zeros.parquet": lambda: parquet(_tables()["120 MB of zeros"](), compression="snappy"),
        "gzip of zeros.parquet": lambda: parquet(_tables()["120 MB of zeros"](), compression="gzip", use_dictionary=False),
        "brotli of zeros.parquet": lambda: parquet(_tables()["120 MB of zeros"](), compression="brotli", use_dictionary=False),
        "delta of one number.parquet": lambda: parquet(
            pa.table({"id": pa.array(range(10_000_000))}), use_dictionary=False, column_encoding={"id": "DELTA_BINARY_PACKED"}
        ),
        "delta of one text.parquet": lambda: parquet(
            pa.table({"id": ["1"] * 300, "name": ["x" * 300_000] * 300}),
            use_dictionary=False,
            column_encoding={"id": "PLAIN", "name": "DELTA_BYTE_ARRAY"},
        ),
    }  # fmt: skip


def _more_rows(good: bytes) -> bytes:
    """Its number of rows, said to be much larger: 2 as a zigzag number of one byte follows the list of columns."""
    start = len(good) - 8 - struct.unpack("<I", good[-8:-4])[0]
    footer = good[start:-8]
    place = footer.find(b"\x16\x04")
    footer = footer[: place + 1] + b"\xfe\xff\xff\xff\xff\x7f" + footer[place + 2 :]
    return good[:start] + footer + struct.pack("<I", len(footer)) + b"PAR1"
