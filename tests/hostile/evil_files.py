# mypy: disable-error-code="misc, unused-ignore"
"""
Hostile files, made when they are tried: each kind of lie, bomb and damage, in each format that can be loaded.

All are small, none is random from run to run, and the name of each says what it is.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pyarrow as pa

from hostile.evil_tables import arrow, columnars, parquet
from hostile.evil_texts import jsons, packed_texts, texts
from hostile.evil_workbooks import HEAD, archives, text_cell, workbook, workbooks

_CSV = b"id,name,amount\n" + b"".join(b"%d,Deal %d,%d.50\n" % (n, n, n) for n in range(500))


class EvilFile(NamedTuple):
    """A file by its name, and what makes its bytes."""

    name: str
    make: Callable[[], bytes]


def evil_files() -> Iterator[EvilFile]:
    """All of them."""
    for kinds in (texts, packed_texts, jsons, workbooks, archives, columnars):
        for name, make in kinds().items():
            yield EvilFile(name, make)
    yield from _damaged()


def _damaged() -> Iterator[EvilFile]:
    """Whole files that were cut, or have some other bytes in them."""
    table = pa.table({"id": [str(n) for n in range(300)], "name": ["x" * n for n in range(300)]})
    whole: dict[str, bytes] = {
        "csv": _CSV,
        "csv.gz": gzip.compress(_CSV),
        "csv.zst": bytes(pa.compress(_CSV, codec="zstd", asbytes=True)),
        "json": json.dumps([{"id": n, "name": "x", "tags": ["a"]} for n in range(300)]).encode(),
        "jsonl": b'{"id": 1, "name": "x", "amount": 5.5}\n' * 300,
        "parquet": parquet(table),
        "arrow": arrow(table),
        "xlsx": workbook(
            f"<sheetData>{HEAD}"
            + "".join(
                f'<row r="{n}">{text_cell(f"A{n}", str(n))}{text_cell(f"B{n}", "x")}</row>'
                for n in range(2, 200)
            )
            + "</sheetData>"
        ),
    }  # fmt: skip
    for kind, data in whole.items():
        for share in (25, 60, 99):
            yield EvilFile(
                f"{share} % of it.{kind}",
                lambda data=data, share=share: data[: len(data) * share // 100],
            )  # type: ignore[misc]
        for seed in range(8):
            yield EvilFile(
                f"damage {seed}.{kind}", lambda data=data, seed=seed: _changed(data, seed)
            )  # type: ignore[misc]


def _changed(data: bytes, seed: int) -> bytes:
    chance = random.Random(seed)
    found = bytearray(data)
    for _ in range(1 + seed * 3):
        found[chance.randrange(len(found))] = chance.choice(
            (0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256))
        )
    return bytes(found)
