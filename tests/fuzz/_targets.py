"""
Targets of coverage-guided fuzzing, each a function of bytes: ``python -m fuzz._targets NAME [arguments of libFuzzer]``.

A target may raise errors of dealdb, and what its callers are known to turn into one; whatever else is a finding.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

Target = Callable[[bytes], None]


def _text(data: bytes) -> str:
    # what a person can type: no halves of characters
    return data.decode(errors="replace")


def _cells(data: bytes) -> list[str]:
    return _text(data).split("\n")[:50]


def filters() -> Target:
    from dealdb import QueryError
    from dealdb.query import QueryEngine

    engine = QueryEngine.over([{"id": "1", "stage": "Won", "amount": 5, "closed": "2026-01-01"}])

    def one(data: bytes) -> None:
        with suppress(QueryError):
            engine.find(_text(data))

    return one


def sql() -> Target:
    from dealdb import QueryError
    from dealdb.query import QueryEngine

    engine = QueryEngine.over([{"id": "1", "stage": "Won", "amount": 5}])

    def one(data: bytes) -> None:
        with suppress(QueryError):
            engine.sql(_text(data))

    return one


def numbers() -> Target:
    import polars as pl

    from dealdb.loader.cells.numbers import currencies_of, decimals, floats, integers, probabilities

    def one(data: bytes) -> None:
        texts = pl.Series(_cells(data))
        for point in (".", ","):
            decimals(texts, point)
            decimals(texts, point, percent=True)
            integers(texts, point)
            floats(texts, point)
            probabilities(texts, point, of_hundred=bool(len(data) % 2))
        currencies_of(texts)

    return one


def dates() -> Target:
    import polars as pl

    from dealdb.loader.cells import dates as cells
    from dealdb.loader.cells.date_order import OrderEvidence

    def one(data: bytes) -> None:
        texts = pl.Series(_cells(data))
        for order in ("us", "eu"):
            cells.dates(texts, order, seconds=bool(len(data) % 2))
            cells.datetimes(texts, order)
        cells.date_readings(texts, timed=bool(len(data) % 2))
        OrderEvidence().add(texts)

    return one


def money() -> Target:
    import polars as pl

    from dealdb.loader.cells.currencies import currency_name, is_currency
    from dealdb.loader.columns.money import in_units

    def one(data: bytes) -> None:
        cells = _cells(data)
        for point in (".", ","):
            in_units(pl.Series(cells), point, len(data) % 4)
        for cell in cells:
            currency_name(cell)
            is_currency(cell)

    return one


def csv() -> Target:
    from dealdb import DealDBError
    from dealdb.loader.sources.open import open_source

    file = Path("fuzzed.csv")

    def one(data: bytes) -> None:
        file.write_bytes(data)
        try:
            with ExitStack() as keep:
                source = open_source(file, format="csv", delimiter=None, keep=keep)
                for chunk in source.chunks():
                    assert chunk.frame.width < 10_000
        except DealDBError:
            pass

    return one


def log() -> Target:
    from dealdb import DealDBError
    from dealdb.store.bounds.wall import Reading
    from dealdb.store.log.entry import entry_of

    names = [
        b"hash",
        b"time",
        b"writer",
        b"counter",
        b"actor",
        b"kind",
        b"height",
        b"rows",
        b"data",
    ]

    def one(data: bytes) -> None:
        kind, _, rest = data.partition(b"|")
        rows, _, change = rest.partition(b"|")
        values = [b"0" * 16, b"1700000000000", b"w", b"1", b"ann", kind, b"3", rows, change]
        pairs = [each for pair in zip(names, values, strict=True) for each in pair]
        with suppress(DealDBError):
            # as the readers of the log do, which name their place
            with Reading("the log"):
                entry = entry_of((b"5-0", pairs))
            _ = entry.rows, entry.change
            entry.ensure_readable(None)

    return one


def chunks() -> Target:
    from dealdb import DealDBError
    from dealdb.store.archive.unpacking import values_of
    from dealdb.store.bounds.wall import Reading

    def one(data: bytes) -> None:
        with suppress(DealDBError), Reading("a chunk"):
            values_of(data, 3)

    return one


def _chunk() -> bytes:
    import io

    import polars as pl

    file = io.BytesIO()
    pl.DataFrame({"amount": ["1.50", None, "x"]}).write_parquet(file)
    return file.getvalue()


def _change() -> bytes:
    import polars as pl

    from dealdb.store.encoding import packed

    return packed(pl.DataFrame({"id": ["1"], "amount": ["5"]}))


# that one input may take more than those before it
_MOST_MB = 300
TARGETS: dict[str, Callable[[], Target]] = {
    each.__name__: each for each in (filters, sql, numbers, dates, money, csv, log, chunks)
}
# where the search begins
_SEEDS: dict[str, list[bytes | Callable[[], bytes]]] = {
    "filters": [b"stage = 'Won' AND amount > 5", b"NOT (closed BETWEEN '2026-01-01' AND today()) OR id IN ('1','2')",
                b"lower(stage) LIKE 'w%' AND amount * 2 - 1 >= abs(-5) AND stage IS NOT NULL"],
    "sql": [b"SELECT stage, sum(amount) AS n FROM deals GROUP BY ALL ORDER BY n DESC LIMIT 5",
            b"WITH a AS (SELECT * FROM deals) SELECT a.id, row_number() OVER (ORDER BY id) FROM a WHERE id LIKE '%1'"],
    "numbers": [b"1,234.50\n$5\n(12)\n1e3\n1.5M\n60%\n-,5\nEUR 5", b".00\n,0\n-.0\n1.750,-"],
    "dates": [b"2026-01-31\n31/01/2026 09:30\nJan 5, 2026\n1700000000\n20260131",
              b"5. Mai 2026\n2026-01-31T10:00:00.123Z"],
    "money": [b"5\n1,5\n-3", b"EUR\n$\nUS dollar\nCHF"],
    "csv": [b"id,name\n1,a\n2,\"b\"\"c\"\n", b"id;name\r\n1;a\r\n", "id\tn\n1\t2\n".encode("utf-16")],
    "log": [lambda: b"add||" + _change(), lambda: b"set|\x91\x01|" + _change(), b"delete|\x91\x01|\x91\xa11",
            b"schema||{}"],
    "chunks": [_chunk],
}  # fmt: skip


def bounded(target: Target) -> Target:
    """The target, which fails where one input takes much memory."""

    def one(data: bytes) -> None:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        target(data)
        more_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10
        if more_mb > _MOST_MB:
            msg = f"one input of {len(data):,} bytes took {more_mb:,} MB"
            raise MemoryError(msg)

    return one


def main() -> None:
    """Fuzz one target as the arguments say; libFuzzer ends the process."""
    import atheris

    name, *arguments = sys.argv[1:]
    with atheris.instrument_imports(include=["dealdb", "sqlglot"]):
        target = TARGETS[name]()
    corpus = Path("corpus") / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(_SEEDS[name]):
        (corpus / f"seed{number}").write_bytes(seed if isinstance(seed, bytes) else seed())
    atheris.Setup([sys.argv[0], *arguments, str(corpus)], bounded(target))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
