"""
Another program, or an evil one, writes to the keys of a collection: readers say so, and live.

A small collection with a log, sealed history, imported facts, a checkpoint with facts as tables, a saved query, rates,
quotas and a note on a load is twisted in one place or several, with digests made right again; then everything is asked
of it. Hypothesis chooses what is twisted, so
that what is found is made small.
"""

from __future__ import annotations

import base64
import gc
import io
import json
import random
import re
import time
import traceback
import zlib
from collections.abc import Callable, Iterator
from datetime import date
from hashlib import sha1, sha256
from itertools import count
from pathlib import Path
from typing import Any

import hypothesis
import hypothesis.strategies as st
import msgpack
import polars as pl
import redis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import HypothesisException

from dealdb import DealDatabase
from dealdb.errors import DealDBError
from dealdb.store.archive.digest import digest_of
from dealdb.store.checkpoint.write import write_checkpoint
from dealdb.store.encoding import packed, unpacked_facts
from dealdb.store.facts.facts import Facts
from dealdb.store.facts.rebuild import state_of_facts
from fuzz import Found, Tell

# the reader has 250, the process of DuckDB 280, where what both share counts twice; an input may take 300 more
MEMORY_MB = 850
_MOST_SECONDS = 10.0
_ROUND = settings(
    # then the engine begins anew: it remembers each try
    max_examples=200,
    deadline=None,
    database=None,
    print_blob=False,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
_TEXTS = [
    b"", b"\0", b"x\0y", b"1e999999999", b"1E-99999999", b"[" * 50_000, b"9" * 5_000, b"\xff\xfe", b"\xed\xa0\x80",
    b"+290000-01-01", b"-1", b"0", b"1", b"true", b"null", b"{}", b"[]", b"1e9", b"400000000", b"99999999999999",
    b"9223372036854775808", b"restore", b"a" * 100_000, b"\x91\xce\x17\xd7\x84\x00", b"\xdd\xff\xff\xff\xff" * 99,
]  # fmt: skip
_VALUES: list[Any] = [
    None, True, -1, 0, 1, 1.5, 2**31, 2**53, 2**63 - 1, 400_000_000, 10**15, "", "x\0y", "\ud800", "0" * 16, "0" * 32,
    "0" * 64, "[" * 500, [], {}, [[]], [[1, 2], [3]], {"a": {}}, ["id"], "id", "text", "decimal", 99, 65_536, 65_537,
]  # fmt: skip
_FRAMES: list[Callable[[], pl.Series]] = [
    # one text in views
    lambda: pl.Series(["x" * 500_000]).new_from_index(0, 200),
    lambda: pl.Series([0, 10**8]).cast(pl.Int32).cast(pl.Date),
    lambda: pl.Series([float("inf"), float("nan")]),
    lambda: pl.Series([[["a"]]]),
    lambda: pl.Series([{"a": 1}]),
    lambda: pl.Series([b"\xff"]),
    lambda: pl.Series([None] * 65_536),
    lambda: pl.Series([None] * 100_000, dtype=pl.String),
    lambda: pl.Series([], dtype=pl.String),
    lambda: pl.Series([2**63 - 1, -(2**63)]).cast(pl.Datetime("us", "UTC")),
    lambda: pl.Series(["1", "1", "1"]),
]


class _TimeIsUp(KeyboardInterrupt):
    """In the middle of a round; Hypothesis lets interrupts through."""


def fuzz(url: str, folder: Path, ends_at: float, seed: int, tell: Tell) -> None:
    """Twist and ask until it is time to end."""
    with redis.Redis.from_url(url, protocol=2) as client:
        _fuzz(url, client, folder, ends_at, seed, tell)


def _fuzz(url: str, client: Any, folder: Path, ends_at: float, seed: int, tell: Tell) -> None:
    _make(url, client, folder)
    kept = {key: client.dump(key) for key in client.keys("*")}

    smallest = ""

    def tried(chance: random.Random) -> None:
        nonlocal smallest
        if time.monotonic() > ends_at:
            raise _TimeIsUp
        client.flushdb()
        for key, dumped in kept.items():
            client.restore(key, 0, dumped)
        twisted = "; ".join(_twist(client, chance) for _ in range(chance.choice([1, 1, 1, 2, 3])))
        # before it is asked: a process that dies can't say it any more
        tell(f"{number}: {twisted}")
        # a process of its own for each would be most of the time
        isolated = chance.random() < 0.1
        found = "\n".join(_ask(url, folder, isolated=isolated))
        if isolated:
            # what one try took is not the next one's
            gc.collect()
        if found:
            smallest = f"{twisted}\n{found}"
            raise AssertionError(smallest)

    for number in count(seed):
        try:
            hypothesis.seed(number)(_ROUND(given(st.randoms())(tried)))()
        except (AssertionError, HypothesisException) as problem:
            tell(Found(f"seed {number}: {smallest or problem}"))
            smallest = ""
        except _TimeIsUp:
            if smallest:
                tell(Found(f"seed {number}: {smallest}"))
            return


def _make(url: str, client: Any, folder: Path) -> None:
    client.flushdb()
    with DealDatabase.from_url(url, cache=False) as db:
        rows = ["id,amount,stage,created,tags,note"]
        rows += [
            f"{n},{n}.5,{'Won' if n % 3 else 'New'},2026-01-{n % 28 + 1:02},a,n{n}"
            for n in range(60)
        ]
        (folder / "deals.csv").write_text("\n".join(rows))
        db.loader.load(folder / "deals.csv")
        db.save_deal(
            {"id": "1", "labels": ["a", "b"], "seats": 3, "at": date(2026, 1, 1), "rate": 0.5}
        )
        db.delete_deal("2")
        _tell_of_before(db, "3")
        _checkpoint(db)
        for n in range(5):
            db.save_deal({"id": str(n), "amount": n})
        _checkpoint(db)
        db.save_deal({"id": "9", "note": "new"})
        db.save_deal({"id": "8", "stage": "Won"}, at="2026-02-03T10:00Z")
        _tell_of_before(db, "4")
        db.rates.load([{"date": "2026-01-01", "currency": "USD", "rate": "0.9"}])
        db.quotas.load(
            [{"period_start": "2026-01-01", "period": "quarter", "key": "", "amount": "900"}]
        )
        db.loader.load(folder / "deals.csv")
        db.query.save("big", where="amount > 5")
    client.hset("deals:writers", "load:x", "0123456789abcdef 1 1 2 0 0 {}")


def _tell_of_before(db: DealDatabase, deal: str) -> None:
    stages = [("2026-01-03", "New"), ("2026-01-09", "Demo")]
    rows = [{"id": deal, "at": at, "field": "stage", "value": stage} for at, stage in stages]
    db.history.load([*rows, {"id": "gone", "at": "2026-01-05", "field": "amount", "value": "7"}])


def _checkpoint(db: DealDatabase) -> None:
    db.query.find()
    write_checkpoint(db._store.link, db._store.keys, db._store._live.replica())


# twisting ------------------------------------------------------------------------------------------


def _twist(client: Any, chance: random.Random) -> str:
    key = chance.choice(sorted(client.keys("*")) or [b"deals:meta"])
    if chance.random() < 0.05:
        client.delete(key)
        replace: Callable[[], Any] = chance.choice(
            [
                lambda: client.set(key, chance.choice(_TEXTS)),
                lambda: client.hset(key, "a", "b"),
                lambda: client.rpush(key, "a"),
                lambda: None,
            ]
        )
        replace()
        return f"{key!r} is another"
    kind = client.type(key)
    how = {b"string": _string, b"hash": _hash, b"stream": _stream, b"set": _set}.get(kind)
    return f"{key!r}: {how(client, chance, key)}" if how else f"{key!r} left"


def _bytes(chance: random.Random, found: bytes) -> bytes:
    """Some bytes, twisted."""
    place, other = chance.randrange(len(found) + 1), chance.randrange(len(found) + 1)
    match chance.randrange(7):
        case 0:
            return found[:place]
        case 1:
            return found[:place] + bytes([chance.randrange(256)]) + found[place + 1 :]
        case 2:
            return found[:place] + found[other:]
        case 3:
            return found[:place] + chance.randbytes(chance.randrange(1, 9)) + found[place:]
        case 4:
            # a number in a header
            size = chance.choice(
                [b"\xff" * 4, b"\x00\x84\xd7\x17", b"\xff" * 7 + b"\x7f", b"\0" * 8]
            )
            return found[:place] + size + found[place + len(size) :]
        case 5:
            return re.sub(
                rb"\d+", lambda _: chance.choice([b"0", b"400000000", b"9" * 30]), found, count=1
            )
    return chance.choice(_TEXTS)


def _document(chance: random.Random, document: Any) -> Any:
    """A document with one thing in it twisted."""
    if chance.random() < 0.15 or not isinstance(document, dict | list) or not document:
        return chance.choice(
            [*_VALUES, document if not isinstance(document, list) else document * 2]
        )
    if isinstance(document, dict):
        name = chance.choice(sorted(document))
        if chance.random() < 0.1:
            return {key: value for key, value in document.items() if key != name}
        return document | {name: _document(chance, document[name])}
    place = chance.randrange(len(document))
    return [*document[:place], _document(chance, document[place]), *document[place + 1 :]]


def _json(chance: random.Random, found: bytes) -> bytes:
    if chance.random() < 0.3:
        return _bytes(chance, found)
    try:
        return json.dumps(_document(chance, json.loads(found)), separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        return _bytes(chance, found)


def _string(client: Any, chance: random.Random, key: bytes) -> str:
    found = client.get(key) or b""
    if key == b"deals:checkpoint":
        client.set(key, _json(chance, found))
        return "twisted"
    if chance.random() < 0.4:
        client.set(key, _bytes(chance, found))
        return "twisted"
    blob = _blob(chance, key, found)
    if client.type("deals:checkpoint") != b"string":
        return "left"
    manifest = client.get("deals:checkpoint")
    if key.startswith(b"deals:index:"):
        return _index(client, chance, key, found)
    if key.startswith(b"deals:chunk:"):
        name = digest_of(blob).encode()
        client.set(b"deals:chunk:" + name, blob)
        client.set("deals:checkpoint", manifest.replace(key.removeprefix(b"deals:chunk:"), name))
    else:
        client.set(key, blob)
        old, new = sha256(found).hexdigest(), sha256(blob).hexdigest()
        client.set("deals:checkpoint", manifest.replace(old.encode(), new.encode()))
    return "twisted, with its digest"


def _index(client: Any, chance: random.Random, key: bytes, found: bytes) -> str:
    """An index, twisted in its head or its blocks, whose digests are right again."""
    try:
        document = json.loads(client.get("deals:checkpoint"))
        place = next(each[6] for each in document["history"] if each[6][0] == key.decode())
        head = msgpack.unpackb(found[: place[2]])
        blocks = found[place[2] :]
        if chance.random() < 0.5:
            head = _document(chance, head)
        else:
            size = int.from_bytes(head[5][:4], "little")
            packed_again = zlib.compress(_bytes(chance, zlib.decompress(blocks[:size])))
            block = chance.choice([_bytes(chance, blocks[:size]), packed_again])
            blocks = block + blocks[size:]
            head[5] = len(block).to_bytes(4, "little") + head[5][4:]
            head[6] = sha256(block).digest()[:8] + head[6][8:]
        packed_head = bytes(msgpack.packb(head, unicode_errors="surrogatepass"))
    except (ValueError, OverflowError, TypeError, LookupError, StopIteration, zlib.error):
        client.set(key, _bytes(chance, found))
        return "twisted"
    place[1:] = [digest_of(packed_head), len(packed_head)]
    client.set(key, packed_head + blocks)
    client.set("deals:checkpoint", json.dumps(document, separators=(",", ":")))
    return "twisted, with its digests"


def _blob(chance: random.Random, key: bytes, found: bytes) -> bytes:
    if chance.random() < 0.5:
        return _bytes(chance, found)
    file = io.BytesIO()
    if key.startswith(b"deals:chunk:") and (table := _table_of(found)) is not None:
        _twisted_column(chance, table).write_parquet(file, compression="zstd", statistics=False)
        return file.getvalue()
    if key.startswith(b"deals:chunk:"):
        chance.choice(_FRAMES)().to_frame("values").write_parquet(
            file, compression="zstd", statistics=False
        )
        return file.getvalue()
    try:
        frame = pl.read_ipc(found)
    except pl.exceptions.PolarsError:
        return _bytes(chance, found)
    _twisted_column(chance, frame).write_ipc(file, compression="zstd")
    return file.getvalue()


def _table_of(found: bytes) -> pl.DataFrame | None:
    """A table of facts, or None for the rows of a column."""
    try:
        frame = pl.read_parquet(found)
    except pl.exceptions.PolarsError:
        return None
    return frame if frame.width > 1 else None


def _twisted_column(chance: random.Random, frame: pl.DataFrame) -> pl.DataFrame:
    """A table with another column, or other rows."""
    if chance.random() < 0.2:
        return chance.choice([frame[:1], frame[:0], pl.concat([frame, frame]), frame.reverse()])
    name = chance.choice(frame.columns)
    values = [None, -1, 0, 1, 7, 2**32 - 1, 2**62, 253_402_300_800_000, "", "x", "1", "stage"]
    value = chance.choice([*values, "set", "retract", "merge", b"\xff", ["x"], "x" * 100_000])
    height = frame.height
    new = [value] * height if chance.random() < 0.5 else [value, *frame[name].to_list()[1:]]
    try:
        twisted = pl.Series(name, new[:height], strict=False)
        if chance.random() < 0.7:
            twisted = twisted.cast(frame[name].dtype, strict=False)
        return frame.with_columns(twisted)
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
        return frame.drop(name)


def _hash(client: Any, chance: random.Random, key: bytes) -> str:
    fields = client.hgetall(key)
    name = chance.choice(sorted(fields))
    found = fields[name]
    if name.startswith(b"table:") and chance.random() < 0.6:
        value = _small_table(chance, found)
    else:
        value = _json(chance, found) if found[:1] in b"[{" else _bytes(chance, found)
    if chance.random() < 0.05:
        client.hdel(key, name)
        return f"{name!r} gone"
    client.hset(key, name, value)
    if name in (b"schema", b"pipeline") and chance.random() < 0.7:
        client.hset(key, name + b"_version", sha1(value).hexdigest()[:16])
    return f"{name!r} is {value[:60]!r}"


def _small_table(chance: random.Random, found: bytes) -> bytes:
    """Rates or quotas, with one of their rows or versions twisted."""
    try:
        document = json.loads(found)
        said = json.loads(zlib.decompress(base64.b64decode(document["rows"])))
        text = json.dumps(_document(chance, said), separators=(",", ":")).encode()
        document["rows"] = base64.b64encode(zlib.compress(text)).decode()
    except (ValueError, TypeError, KeyError, zlib.error, RecursionError):
        return _bytes(chance, found)
    return json.dumps(document, separators=(",", ":")).encode()


def _stream(client: Any, chance: random.Random, key: bytes) -> str:
    entries = client.xrange(key)
    if not entries:
        return "left"
    place = chance.randrange(len(entries))
    entry_id, fields = entries[place]
    name = chance.choice([*fields, b"data", b"data", b"rows"])
    fields[name] = value = _of_entry(chance, fields.get(b"kind", b""), name, fields.get(name, b""))
    if chance.random() < 0.7:
        _chain(entries)
    client.delete(key)
    for each_id, each in entries:
        client.xadd(key, each, id=each_id)
    if chance.random() < 0.7:
        client.hset("deals:meta", "hash", entries[-1][1].get(b"hash", b""))
    return f"{entry_id!r} {name!r} is {value[:60]!r}"


def _of_entry(chance: random.Random, kind: bytes, name: bytes, found: bytes) -> bytes:
    if name == b"data" and kind in (b"schema", b"pipeline"):
        return _json(chance, found)
    if chance.random() < 0.4 or name not in (b"data", b"rows"):
        return _bytes(chance, found)
    if name == b"data" and kind == b"add":
        values = chance.choice(_FRAMES)()
        frames = [
            lambda: pl.DataFrame([pl.Series("id", ["x" * 500_000]).new_from_index(0, 200)]),
            lambda: pl.DataFrame([values.alias("id")]),
            lambda: pl.DataFrame({"id": ["1"], "nothing": ["x"]}),
            lambda: pl.DataFrame({"name": ["1"]}),
        ]
        return packed(chance.choice(frames)())
    if name == b"data" and kind == b"facts":
        try:
            return packed(_twisted_column(chance, unpacked_facts(found)))
        except (ValueError, pl.exceptions.PolarsError):
            return _bytes(chance, found)
    try:
        document = _document(chance, msgpack.unpackb(found))
        return bytes(msgpack.packb(document, unicode_errors="surrogatepass"))
    except (ValueError, OverflowError, TypeError):
        return _bytes(chance, found)


def _chain(entries: list[tuple[bytes, dict[bytes, bytes]]]) -> None:
    """Make the chain hashes right, as far as they can be told from the first entry."""
    last = entries[0][1].get(b"hash", b"")
    for number, (entry_id, fields) in enumerate(entries):
        if number:
            words = (
                last,
                entry_id[:-2],
                *(fields.get(n, b"") for n in (b"writer", b"counter", b"time")),
            )
            fields[b"hash"] = last = sha1(b" ".join(words)).hexdigest()[:16].encode()


def _set(client: Any, chance: random.Random, key: bytes) -> str:
    client.sadd(key, chance.choice(_TEXTS))
    return "another member"


# asking --------------------------------------------------------------------------------------------


def _ask(url: str, folder: Path, *, isolated: bool) -> Iterator[str]:
    questions: dict[str, Callable[[DealDatabase], object]] = {
        "find": lambda db: db.query.find(),
        "some": lambda db: db.query.find("amount > 3", columns=["id", "amount"], limit=5).rows(),
        "get": lambda db: db.get_deals(["1", "2", "9", "59"]),
        "history": lambda db: [db.deal_history(deal) for deal in ("1", "2", "9", "59", "none")],
        "as_of": lambda db: db.as_of("2026-01-01").query.find(),
        "changes": _follow,
        "facts": lambda db: _all_of(db._store.facts()),
        "events": lambda db: _all_of(db._store.event_facts()),
        "funnel": lambda db: db.analytics.funnel(),
        "money": lambda db: db.analytics.waterfall(since="2026-01-01", to="EUR"),
        "rates": lambda db: db.rates.frame(),
        "quotas": lambda db: db.quotas.frame(),
        "facts of now": lambda db: state_of_facts(db._store.link, db._store.keys),
        "sql": lambda db: db.query.sql("SELECT count(*), max(amount) FROM deals"),
        "health": lambda db: db.health(),
        "saved": lambda db: db.query.saved(),
        "mappings": lambda db: db.loader.mappings(),
        "stages": lambda db: db.pipeline,
        "check": lambda db: db.check(),
        "backup": lambda db: db.backup(folder / "b.backup", overwrite=True),
        "note": lambda db: db._store.take_over("x"),
        "save": lambda db: db.save_deal({"id": "1", "amount": 7}),
        "delete": lambda db: db.delete_deal("5"),
        "repair": lambda db: db.repair(),
        "repair facts": lambda db: db.repair(facts=True),
        "checkpoint": _checkpoint,
        "facts again": lambda db: _all_of(db._store.facts()),
        "find again": lambda db: db.query.find().rows(),
    }
    with DealDatabase.from_url(url, cache=False, sql_isolated=isolated) as db:
        for name, ask in questions.items():
            began = time.monotonic()
            try:
                ask(db)
            except DealDBError:
                pass
            except BaseException:
                yield f"{name}: {traceback.format_exc()}"
            if time.monotonic() - began > _MOST_SECONDS:
                yield f"{name} took {time.monotonic() - began:.1f} s"


def _all_of(facts: Facts) -> None:
    for name in facts.schema:
        facts.of(name)


def _follow(db: DealDatabase) -> None:
    with db.changes(since=0, timeout_s=0.01) as feed:
        for commit in feed:
            repr(commit)
