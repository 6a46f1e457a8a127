"""What another program, or an evil one, leaves on the server."""

from __future__ import annotations

import io
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from hashlib import sha1
from typing import Any, Literal

import msgpack
import polars as pl

from hostile.case import World, case


def refused(ask: Callable[[], object], *, about: str = "") -> None:
    """Asking ends in an error of ours that names this; or, without it, in an answer."""
    from dealdb.errors import DealDBError

    said = ""
    try:
        ask()
    except DealDBError as error:
        said = str(error)
    assert about in said, said


def _client(world: World) -> Any:
    return world.client()


def _manifest(client: Any) -> bytes:
    return bytes(client.get("deals:checkpoint"))


@case("a number of 30 digits in a hash")
def long_number(world: World) -> None:
    db = world.database()
    db.save_deal({"id": "1", "amount": "5"})
    world.client().hset("deal:1", "amount", "9" * 30)
    deal = db.get_deal("1")
    assert deal is not None
    assert deal["amount"] == Decimal("9" * 30)


@case("numbers of a thousand million digits in a hash")
def endless_numbers(world: World) -> None:
    for text in ("1e999999999", "1E-99999999", "1" * 1_000_000):
        with world.client() as client:
            client.flushall()
            db = world.database()
            db.save_deal({"id": "1", "amount": "5", "name": "a"})
            client.hset("deal:1", mapping={"amount": text, "name": "b"})
            refused(lambda db=db: db.get_deal("1"), about="'amount': expected decimal(2)")  # type: ignore[misc]
            report = db.repair()
            assert [d.problem for d in report.remaining] == ["unreadable"]
            assert db.query.find()["amount"].to_list() == [None]
            # what the repair has written to the log keeps no feed from going on
            last = list(world.database().changes(since=0, timeout_s=0.05))[-1]
            assert last.deals[0].values["name"] == "b"
            assert last.deals[0].values["amount"] is None
            assert world.database().as_of("2999-01-01").query.find()["amount"].to_list() == [None]


@case("a list of two thousand lists in a hash, and in a save")
def deep_list(world: World) -> None:
    db = world.database()
    db.save_deal({"id": "1", "tags": ["a"]})
    world.client().hset("deal:1", "tags", "[" * 2_000)
    refused(lambda: db.get_deal("1"), about="'tags': expected list")
    refused(lambda: db.save_deal({"id": "2", "tags": "[" * 2_000}), about="a list of texts")
    assert db.query.find()["tags"].to_list() == [["a"]]


@case("dates and floats beyond every calendar and number")
def beyond_the_calendar(world: World) -> None:
    from datetime import UTC, date, datetime

    db = world.database()
    now = datetime(2026, 1, 1, tzinfo=UTC)
    db.save_deal({"id": "1", "closed": date(2026, 1, 1), "at": now, "rate": 0.5})
    texts = {"closed": "+290000-01-01", "at": "+290000-01-01T00:00:00Z", "rate": "1e999"}
    _client(world).hset("deal:1", mapping=texts)
    db.repair()
    [row] = db.query.find().rows(named=True)
    assert (row["closed"], row["at"], row["rate"]) == (None, None, None)
    assert db.check().deals == 1


def _entry(client: Any, kind: bytes, **fields: bytes) -> None:
    """Make the last entry of a kind say something else, and all hashes of the chain right again."""
    log = client.xrange("deals:log")
    twisted = max(place for place, (_, each) in enumerate(log) if each[b"kind"] == kind)
    log[twisted][1].update({name.encode(): value for name, value in fields.items()})
    last = b""
    client.delete("deals:log")
    for entry_id, each in log:
        before = last or each[b"writer"]
        words = (before, entry_id[:-2], each[b"writer"], each[b"counter"], each[b"time"])
        each[b"hash"] = last = sha1(b" ".join(words)).hexdigest()[:16].encode()
        client.xadd("deals:log", each, id=entry_id)
    client.hset("deals:meta", "hash", last)


def _packed(frame: pl.DataFrame, compression: Literal["lz4", "zstd"] = "lz4") -> bytes:
    file = io.BytesIO()
    frame.write_ipc_stream(file, compression=compression)
    return file.getvalue()


_HUGE = msgpack.packb([400_000_000])


@case("log entries whose rows, heights and columns nobody has given", seconds=20, slow=True)
def huge_entries(world: World) -> None:
    one_text = pl.DataFrame([pl.Series("id", ["x" * 400_000]).new_from_index(0, 200)])
    entries: dict[str, tuple[bytes, dict[str, bytes]]] = {
        "rows": (b"set", {"rows": _HUGE}),
        "height": (b"set", {"height": b"400000000"}),
        "height of an add": (b"add", {"height": b"400000000"}),
        "a number of 5,000 digits": (b"set", {"height": b"9" * 5_000}),
        "deep msgpack": (b"set", {"data": b"\x91" * 100_000}),
        "msgpack that says 4 milliards": (b"set", {"data": b"\xdd\xff\xff\xff\xff" * 200}),
        "an entry of one long text": (b"add", {"data": _packed(one_text)}),
        "an entry that unpacks to 80 MB": (b"add", {"data": _packed(one_text, "zstd")}),
        "columns that are no texts": (b"add", {"data": _packed(pl.DataFrame({"id": [1]}))}),
        "a stream that says 2**60 bytes": (b"add", {"data": _lying_stream()}),
        "a schema that is no schema": (b"schema", {"data": b"[" * 100_000}),
        "a time after the calendar": (b"set", {"time": b"999999999999999999"}),
        "a writer and an actor that are one text together": (
            b"set",
            {"writer": b"\xc3", "actor": b"\xa9"},
        ),
    }
    for name, (kind, fields) in entries.items():
        with world.client() as client:
            client.flushall()
            _filled(world)
            _entry(client, kind, **fields)
            asked = {
                "find": lambda: world.database().query.find(),
                "check": lambda: world.database().check(),
                "repair": lambda: world.database().repair(),
                "history": lambda: world.database().deal_history("1"),
                "changes": lambda: list(world.database().changes(since=0, timeout_s=0.01)),
            }
            for question, ask in asked.items():
                # the history of a deal unpacks no more than it needs
                is_told = question in ("find", "check", "repair")
                print(f"  {name}: {question}")
                refused(ask, about="dealdb doctor" if is_told else "")


def _lying_stream() -> bytes:
    data = _packed(pl.DataFrame({"id": ["x" * 1_000, "y" * 1_000]}))
    # the number before each packed buffer
    place = data.rindex(b"\x04\x22\x4d\x18") - 8
    return data[:place] + (2**60).to_bytes(8, "little") + data[place + 8 :]


def _filled(world: World) -> None:
    """Some deals, those of a load among them."""
    file = world.folder / "deals.csv"
    file.write_text("id,amount\n" + "".join(f"{n},{n}\n" for n in range(50)))
    db = world.database()
    db.loader.load(file)
    db.save_deal({"id": "1", "amount": 7})


@case("a state that says 300 million rows, and no log")
def huge_state(world: World) -> None:
    db = world.database()
    db.save_deal({"id": "1", "amount": 5})
    client: Any = world.client()
    client.hset("deals:meta", "rows", "300000000")
    client.delete("deals:log")
    refused(lambda: world.database().query.find(), about="has had 300,000,000 rows")
    refused(lambda: world.database().check(), about="has had 300,000,000 rows")
    assert world.database().get_deal("1") is not None


def _checkpointed(world: World) -> None:
    from dealdb.store.checkpoint.write import write_checkpoint

    _filled(world)
    db = world.database()
    db.query.find()
    assert write_checkpoint(db._store.link, db._store.keys, db._store._live.replica())


@case("chunks of a checkpoint that unpack to gigabytes", seconds=25)
def huge_chunks(world: World) -> None:
    from dealdb.store.archive.digest import digest_of

    chunks: dict[str, pl.Series] = {
        "one long text": pl.Series(["x" * 500_000]).new_from_index(0, 200),
        "too many rows": pl.Series([None] * 70_000, dtype=pl.String),
        "deep lists": pl.Series([[[["a"]]]]),
        "bytes": pl.Series([b"\xff"] * 50),
        "nothing": pl.Series([], dtype=pl.String),
    }
    for values in chunks.values():
        file = io.BytesIO()
        values.to_frame("values").write_parquet(file, compression="zstd")
        blob = file.getvalue()
        with world.client() as client:
            client.flushall()
            _checkpointed(world)
            client.set(f"deals:chunk:{digest_of(blob)}", blob)
            manifest = json.loads(_manifest(client))
            manifest["generations"][0]["columns"]["chunks"]["name"] = [digest_of(blob)]
            client.set("deals:checkpoint", json.dumps(manifest))
            # the checkpoint is as good as gone: the log is there
            assert world.database(cache=False).query.find().height == 50


@case("a manifest of 400 million rows, of chunks that there are, and other manifests", seconds=20)
def huge_manifest(world: World) -> None:
    _checkpointed(world)
    client: Any = world.client()
    text = client.get("deals:checkpoint")
    manifest = json.loads(text)
    [generation] = manifest["generations"]
    chunks = generation["columns"]["chunks"]
    generation["rows"] = 6_000 * 65_536
    generation["columns"]["chunks"] = {name: some * 6_000 for name, some in chunks.items()}
    client.set("deals:checkpoint", json.dumps(manifest))
    refused(lambda: world.database(cache=False).query.find(), about="has had 393,216,000 rows")
    digest = chunks["id"][0].encode()
    for evil in (
        b"[" * 100_000,
        text.replace(digest, b"x\\u0000y"),
        text.replace(digest, b"../../x"),
    ):
        client.set("deals:checkpoint", evil)
        assert world.database(cache=world.folder / "cache").query.find().height == 50


@case("a state that is gone or damaged", seconds=20, slow=True)
def damaged_state(world: World) -> None:
    from dealdb.store.upkeep.doctor import findings

    def lose(client: Any) -> None:
        client.delete("deals:meta")

    def be_another(client: Any) -> None:
        lose(client)
        client.hset("deals:meta", "a", "b")

    fields = {
        "seq": ("99999999999999", "1e9", "9" * 5_000),
        "hash": ("", "\xff"),
        "rows": ("300000000",),
        "schema": ("[" * 100_000, "{}"),
        "time": ("9" * 17,),
    }
    damages: list[Callable[[object], object]] = [lose, be_another]
    for name, texts in fields.items():
        damages += [
            lambda client, name=name, text=text: client.hset("deals:meta", name, text)  # type: ignore[misc]
            for text in texts
        ]
    for damage in damages:
        with world.client() as client:
            client.flushall()
            _filled(world)
            damage(client)
            refused(lambda: world.database().check(), about="dealdb repair")
            store, health = world.database()._store, world.database().health()
            found = list(findings(store.link, store.keys, health, None))
            assert any(each.state == "fail" and "dealdb repair" in each.advice for each in found)
            world.database().repair()
            assert world.database().check().ok
            assert world.database().save_deal({"id": "new"}).outcome == "inserted"
            assert world.database().query.find().height == 51


@case("saved queries, load notes, records and revisions that are none")
def other_texts(world: World) -> None:
    db = world.database()
    db.save_deal({"id": "1"})
    client: Any = world.client()
    for text in (b"[" * 100_000, b"\xff", b"{}", b""):
        client.hset("deals:queries", mapping={"big": text, "mapping:x": text, "table:rates": text})
        refused(lambda: db.rates.frame(), about="the rates in")
        refused(lambda: db.query.saved(), about="'big' can't be read")
        refused(lambda: db.loader.mappings())
        client.hset("deals:writers", "load:x", text)
        refused(lambda: db._store.take_over("x"))
    client.hset("deal:1", "_rev", "x")
    refused(lambda: db.get_deal("1"), about="(_rev) is no number")


@case("replies without an end", seconds=20)
def endless_replies(world: World) -> None:
    from dealdb import DealDatabase

    def sent(beginning: bytes, more: bytes, pause_s: float = 0.0) -> Iterator[tuple[bytes, float]]:
        yield beginning, 0.0
        while True:
            yield more, pause_s

    some = b"x" * 2**18
    for pieces, about in (
        (sent(b"$500000000000\r\n", some), "500,000,000,000 bytes"),
        (sent(b"*2\r\n$1\r\na\r\n$500000000000\r\n", some), "500,000,000,000 bytes"),
        (sent(b"*1000000000\r\n", b":1\r\n" * 60_000), "1,000,000,000 elements"),
        (sent(b"*1\r\n*1000000000\r\n", b"*0\r\n" * 60_000), "1,000,000,000 elements"),
        (sent(b"$1000\r\n", b"x", 0.3), "did not answer in time"),
    ):
        with _said(pieces) as port:
            db = DealDatabase("127.0.0.1", port, socket_timeout_s=1, retry_deadline_s=1)
            refused(lambda db=db: db.get_deal("1"), about=about)  # type: ignore[misc]


class _said:
    """A server that says this to everybody."""

    def __init__(self, pieces: Iterator[tuple[bytes, float]]) -> None:
        self._pieces = pieces
        self._ended = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))

    def __enter__(self) -> int:
        threading.Thread(target=self._serve, daemon=True).start()
        return int(self._listening.getsockname()[1])

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._listening.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while not self._ended.is_set():
                caller, _ = self._listening.accept()
                with caller, suppress(OSError):
                    caller.recv(2**16)
                    for piece, pause_s in self._pieces:
                        if self._ended.wait(pause_s):
                            return
                        caller.sendall(piece)
