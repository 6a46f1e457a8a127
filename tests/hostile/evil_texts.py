# mypy: disable-error-code="misc, unused-ignore"
# the texts of formats are long
"""Hostile text: CSV and JSON, packed and not."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable

import pyarrow as pa

MB = 1024 * 1024
_CSV = b"id,name,amount\n" + b"".join(b"%d,Deal %d,%d.50\n" % (n, n, n) for n in range(500))


def texts() -> dict[str, Callable[[], bytes]]:
    wide = {
        n: b"id," + b",".join(b"c%d" % c for c in range(n))
        for n in (600, 2_500, 4_000, 5_000, 20_000)
    }
    files: dict[str, Callable[[], bytes]] = {
        f"{n:,} columns.csv": lambda header=header: header + b"\n1\n"
        for n, header in wide.items()  # type: ignore[misc]
    }
    files |= {
        f"{n:,} columns with cells.csv": lambda n=n: (  # type: ignore[misc]
            wide[n] + b"\n" + b"1" + b",2" * n + b"\n1" + b",x" * n + b"\n"
        )
        for n in (600, 2_500, 4_000)
    }
    return files | {
        "a million columns.csv": lambda: b"id" + b",c" * MB + b"\n1\n",
        "a million names.csv": lambda: b"id," + b",".join(b"%d" % n for n in range(MB)),
        "ten million empty names.csv": lambda: b"id" + b"," * (10 * MB) + b"\n1\n",
        "4,000 names that are one.csv": lambda: (
            b"id" + b",a" * 4_000 + b"\n1" + b",2" * 4_000 + b"\n"
        ),
        "a name of 1 MB.csv": lambda: b"id," + b"x" * MB + b"\n1,2\n",
        "a cell of 30 MB.csv": lambda: b"id,name\n1," + b"x" * (30 * MB) + b"\n2,y\n",
        "a cell of 100 MB.csv": lambda: b"id,name\n1," + b"x" * (100 * MB) + b"\n2,y\n",
        "an endless quoted cell.csv": lambda: b'id,name\n1,"' + b"x,y\n" * 100_000,
        "an endless quoted cell of one line.csv": lambda: b'id,name\n1,"' + b"x," * (20 * MB),
        "a quote in each line.csv": lambda: b"id,name\n" + b'1,"x\n' * 100_000,
        "quotes only.csv": lambda: b"id,name\n" + b'"' * (8 * MB),
        "two quotes a cell.csv": lambda: b"id,name\n" + b'1,"""\n' * 100_000,
        "separators only.csv": lambda: b"id,name\n" + b"," * (8 * MB),
        "blank lines only.csv": lambda: b"id,name\n" + b"\n" * (16 * MB),
        "returns only.csv": lambda: b"id,name\r" + b"\r" * (8 * MB),
        "stray returns.csv": lambda: b"id,name\n" + b"1,a\rb\n" * 50_000,
        "blanks only.csv": lambda: b" " * (8 * MB),
        "zeros only.csv": lambda: bytes(8 * MB),
        "zeros in cells.csv": lambda: b"id,name\n" + b"1,\0\n" * 100_000,
        "ragged rows.csv": lambda: b"id,name\n" + b"1,2,3\n1\n" * 50_000,
        "rejected rows.csv": lambda: b"id,amount\n" + b"1,x\n2,5\n" * 50_000,
        "rejected rows of many deals.csv": lambda: (
            b"id,amount\n" + b"".join(b"%d,x\n-%d,5\n" % (n, n) for n in range(50_000))
        ),
        "200,000 ids only.csv": lambda: b"id\n" + b"1\n" * 200_000,
        "damaged letters.csv": lambda: b"id,name\n" + b"1,\xff\xfe\xc3\n" * 100_000,
        "every byte.csv": lambda: b"id,name\n" + bytes(range(256)) * 4_000,
        "marks of byte order.csv": lambda: b"\xef\xbb\xbf" * 100_000 + b"id,name\n1,x\n",
        "utf-16 of half a letter.csv": lambda: "id,name\n1,x\n".encode("utf-16")[:-1],
        "utf-16 of lone halves.csv": lambda: (
            b"\xff\xfe" + "id,name\n1,".encode("utf-16-le") + b"\x00\xd8" * 50_000
        ),
        "utf-32 beyond its end.csv": lambda: (
            b"\xff\xfe\0\0" + "id\n".encode("utf-32-le") + b"\xff" * 40_000
        ),
        "utf-7.csv": lambda: b"id,name\n1,+AGEAYgBj-\n",
        "numbers of a million digits.csv": lambda: (
            b"id,amount\n1," + b"9" * MB + b"\n2,1e" + b"9" * MB + b"\n"
        ),
        "huge exponents.csv": lambda: b"id,amount\n1,1e999999999\n2,1e-999999999\n3,5\n",
        "10,000 columns of dates.jsonl": lambda: json.dumps(
            {"id": 1} | {f"d{n}": "2026-01-01" for n in range(10_000)}
        ).encode(),
        "long ids.csv": lambda: b"id,name\n" + (b"x" * 900_000 + b",y\n") * 20,
        "a page.csv": lambda: b"<html>" + b"<table>" * MB,
        "entities.xml": lambda: (
            b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "&b;&b;">]><x>&a;</x>'
        ),
        "nothing.csv": lambda: b"",
        "separators told twice.csv": lambda: b"sep=;\n" * 100_000,
        "titles.csv": lambda: b"#" * MB + b"\n" + b"a title\n" * 100_000,
        "tabs.tsv": lambda: b"id\tname\n" + b"\t" * (4 * MB),
        "escapes.csv": lambda: b"id,name\n1,\x1b[31m\x9b2J\n\x1b]0;x\x07,y\n",
    }


def packed_texts() -> dict[str, Callable[[], bytes]]:
    def zst(data: bytes) -> bytes:
        return bytes(pa.compress(data, codec="zstd", asbytes=True))

    rows = b"id,name\n" + b"1,x\n" * 3_000_000
    # what unpacks to less than 64 MB does no harm by its size, so its rows must not either
    short = b"id,name\n" + b"x" * 15 + b"\n" + b"1\n" * 1_900_000
    return {
        "zeros.csv.gz": lambda: gzip.compress(bytes(300 * MB), 1),
        "zeros.csv.zst": lambda: zst(bytes(100 * MB)),
        "3 million rows.csv.gz": lambda: gzip.compress(rows, 1),
        "3.9 million short rows.csv.gz": lambda: gzip.compress(
            b"id,amount\n" + b"1,2.50,x,y,z,123\n" * 3_900_000, 1
        ),
        "4 million rows of ids.csv.gz": lambda: gzip.compress(short * 2, 1),
        "packed twice.csv.gz": lambda: gzip.compress(gzip.compress(bytes(100 * MB), 9), 9),
        "100,000 parts.csv.gz": lambda: gzip.compress(b"") * 100_000 + gzip.compress(_CSV),
        "a long name.csv.gz": lambda: b"\x1f\x8b\x08\x08" + bytes(6) + b"x" * (4 * MB),
        "json of zeros.json.gz": lambda: gzip.compress(b"[" + b"0," * (30 * MB) + b"0]", 1),
        "json of brackets.json.gz": lambda: gzip.compress(b"[" * (60 * MB), 1),
        "a line without an end.jsonl.gz": lambda: gzip.compress(b'{"id": "' + b"x" * (60 * MB), 1),
        "endless lines.jsonl.zst": lambda: zst(b"{}\n" * (20 * MB)),
        "a header of gzip.csv.gz": lambda: b"\x1f\x8b\x08",
        "a header of zstd.csv.zst": lambda: b"\x28\xb5\x2f\xfd",
        "a window of 4 GB.csv.zst": lambda: b"\x28\xb5\x2f\xfd\xc0\xff" + b"\xff" * 64,
        "a wrong sum.csv.gz": lambda: gzip.compress(_CSV)[:-8] + bytes(8),
    }


def jsons() -> dict[str, Callable[[], bytes]]:
    files: dict[str, Callable[[], bytes]] = {}
    for deep in (60, 200, 500, 900, 990, 2_000, 200_000):
        nest = b"[" * deep + b"]" * deep
        objects = b'{"a":' * deep + b"1" + b"}" * deep
        files |= {
            f"lists {deep:,} deep.jsonl": lambda nest=nest: (
                b'{"id":1,"x":%b}\n{"id":2,"x":1}\n' % nest
            ),  # type: ignore[misc]
            f"objects {deep:,} deep.jsonl": lambda objects=objects: b'{"id":1,"x":%b}\n' % objects,  # type: ignore[misc]
            f"lists {deep:,} deep.json": lambda nest=nest: b'[{"id":1,"x":%b}]' % nest,  # type: ignore[misc]
            f"objects {deep:,} deep.json": lambda objects=objects: objects,  # type: ignore[misc]
            f"properties {deep:,} deep.json": lambda deep=deep: (  # type: ignore[misc]
                b'[{"id":1,"properties":' * 1
                + b'{"properties":' * deep
                + b"1"
                + b"}" * deep
                + b"}]"
            ),
            f"results {deep:,} deep.json": lambda deep=deep: (  # type: ignore[misc]
                b'{"results":[' * deep + b'{"id":1}' + b"]}" * deep
            ),
            f"pages {deep:,} deep.json": lambda deep=deep: b'{"data":' * deep + b"1" + b"}" * deep,  # type: ignore[misc]
        }
    many = {f"k{n}": n for n in range(100_000)}
    return files | {
        "an integer of 5,000 digits.jsonl": lambda: b'{"id":1,"amount":' + b"9" * 5_000 + b"}\n",
        "an integer of a million digits.json": lambda: b'[{"id":1,"amount":' + b"9" * MB + b"}]",
        "a fraction of a million digits.jsonl": lambda: b'{"id":1,"amount":0.' + b"3" * MB + b"}\n",
        "huge exponents.jsonl": lambda: (
            b'{"id":1,"amount":1e999999999}\n{"id":2,"amount":-1e-999999999}\n'
        ),
        "exponents beyond all.jsonl": lambda: (
            b'{"id":1,"amount":1e' + b"9" * 30 + b'}\n{"id":2,"amount":5}\n'
        ),
        "micros of huge numbers.json": lambda: (
            b'[{"id":1,"amount":{"amountMicros":1e999999,"currencyCode":"EUR"}}]'
        ),
        "a list of numbers of 5,000 digits.jsonl": lambda: (
            b'{"id":1,"x":[' + b"9" * 5_000 + b"]}\n"
        ),
        "constants.jsonl": lambda: (
            b'{"id":1,"amount":NaN}\n{"id":2,"amount":-Infinity}\n{"id":NaN}\n'
        ),
        "100,000 keys.jsonl": lambda: json.dumps({"id": 1} | many).encode(),
        "100,000 keys.json": lambda: json.dumps([{"id": 1} | many]).encode(),
        "100,000 keys in an object.json": lambda: json.dumps(
            [{"id": 1, "properties": many}]
        ).encode(),
        "other keys in each row.jsonl": lambda: b"".join(
            b'{"id":%d,"k%d":1}\n' % (n, n) for n in range(50_000)
        ),
        "20 other keys in each row.jsonl": lambda: b"".join(
            b'{"id":%d,%b}\n' % (n, b",".join(b'"k%d":1' % (n * 20 + k) for k in range(20)))
            for n in range(20_000)
        ),
        "one key a hundred thousand times.jsonl": lambda: b'{"id":1' + b',"a":2' * 100_000 + b"}\n",
        "keys of 1 MB.jsonl": lambda: b'{"id":1,"' + b"k" * MB + b'":2}\n',
        "empty keys.jsonl": lambda: b'{"":1}\n{" ":2}\n' * 1_000,
        "lone halves.jsonl": lambda: b'{"id":"\\ud800","\\udfff":1}\n{"id":1}\n',
        "an id that is a list.jsonl": lambda: b'{"id":[[1]]}\n{"id":{"a":{}}}\n',
        "brackets.json": lambda: b"[" * (4 * MB),
        "braces.json": lambda: b"{" * (4 * MB),
        "commas.json": lambda: b"[" + b"," * (8 * MB) + b"]",
        "an open text.json": lambda: b'[{"id":"' + b"x" * (30 * MB),
        "an open list.json": lambda: b'[{"id":1,"x":[' + b"1," * (8 * MB),
        "an open number.json": lambda: b"[" + b"1" * (8 * MB),
        "empty objects.json": lambda: b"[" + b"{}," * MB + b"{}]",
        "numbers.jsonl": lambda: b"1\n" * 500_000,
        "lists of nothing.json": lambda: b"[" + b"[]," * MB + b"[]]",
        "answers in answers.json": lambda: (
            b'{"results":[' + b'{"results":[{"id":1}]},' * 10_000 + b"{}]}"
        ),
        "a million owners.json": lambda: json.dumps(
            {
                "deals": [{"id": 1, "owner_id": 1}],
                "users": [{"id": n, "name": "x"} for n in range(300_000)],
            }
        ).encode(),
        "a text of 20 MB.jsonl": lambda: json.dumps({"id": 1, "name": "x" * (20 * MB)}).encode(),
    }
