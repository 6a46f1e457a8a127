"""
The judge: compares what the server has, and every view that dealdb gave of it, with what was acknowledged.

It shares no code with dealdb. It knows docs/protocol.md (``history``, ``fold``), the journals of the workers
(``model``), and tables of deals that processes with dealdb have written down as they saw them.
"""

from __future__ import annotations

import io
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgpack
import polars as pl
import redis

from faults.fold import Fold, difference, tidy
from faults.history import COLLECTION, Damaged, Entry, read_entries, read_sealed, texts_of
from faults.model import Model, Op, explain

_SHOWN = 20
# the mark of what was there before the first worker
FIRST = "first"


@dataclass
class Verdict:
    """
    What is wrong, by kind; nothing where all lists are empty.

    Attributes
    ----------
    lost
        Acknowledged changes that are not in the log.
    doubled
        Changes that are in it more than once.
    denied
        Changes that were reported as not sent, or resolved as not happened, and are there.
    wrong
        Reads that missed what was acknowledged before, or gave what nobody had written.
    unlike
        Views that differ: hashes, log, sealed history, frames, past, feed.
    """

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    denied: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    unlike: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not any(vars(self).values())

    def figures(self) -> dict[str, Any]:
        """Numbers, and the first few of each kind in words."""
        found = {name: len(these) for name, these in vars(self).items()}
        return {**found, "examples": {n: t[:_SHOWN] for n, t in vars(self).items() if t}}


@dataclass
class Log:
    """
    What one pass over the log finds.

    Attributes
    ----------
    marks
        How often each mark of a single save is there.
    loads
        Of each load: rows, and how many different ones.
    events
        By deal: marks of its saves in their order, and "" for a delete.
    counted
        By shared deal: the values that it was counted up to.
    """

    marks: Counter[str] = field(default_factory=Counter)
    loads: dict[str, tuple[int, int]] = field(default_factory=dict)
    events: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    counted: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    hashes: list[bytes] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    _rows: list[pl.Series] = field(default_factory=list)

    def take(self, entry: Entry) -> None:
        self.hashes.append(entry.hash)
        self.times.append(entry.time)
        if entry.kind == "add":
            added = entry.added
            if "mark" in added.columns:
                self._rows.append(added["mark"])
        elif entry.kind == "set":
            self._set(*msgpack.unpackb(entry.data or b""))
        elif entry.kind == "delete":
            for deal in msgpack.unpackb(entry.data or b"")[0]:
                self.events[deal].append("")

    def _set(self, ids: list[str], fields: list[str], columns: list[list[Any]]) -> None:
        change = dict(zip(fields, columns, strict=True))
        marks = change.get("mark")
        if marks is None:
            return
        if marks[0] and marks[0].startswith("L"):
            self._rows.append(pl.Series("mark", marks, dtype=pl.String))
            return
        for place, (deal, mark) in enumerate(zip(ids, marks, strict=True)):
            if mark is None:
                continue
            self.marks[mark] += 1
            if deal.startswith("cas"):
                self.counted[deal].append(int(change["n"][place]))
            else:
                self.events[deal].append(mark)

    def finish(self) -> None:
        """Count the rows of loads, all at once."""
        if self._rows:
            rows = pl.concat([part.rename("mark") for part in self._rows]).to_frame()
            load = pl.col("mark").str.split(":").list.first().alias("load")
            counts = rows.group_by(load).agg(pl.len(), pl.col("mark").n_unique().alias("unique"))
            self.loads = {name: (n, unique) for name, n, unique in counts.iter_rows()}
            self._rows = []


class Checker:
    """
    Judges a run.

    Parameters
    ----------
    folder
        Of the run: journals, ``log.msgpack``, and tables ``*.parquet``.
    client
        The server, at rest.
    """

    def __init__(self, folder: Path, client: redis.Redis) -> None:
        self.model = Model.read(folder)
        self.log = Log()
        self.verdict = Verdict(wrong=list(self.model.wrong))
        self._folder = folder
        self._client = client
        self._fold = Fold()

    def moments(self, n: int) -> dict[int, int]:
        """Commits, and the millisecond of which they are the last: none before is later, none behind as early."""
        times, latest, found = self.log.times, 0, {}
        after = list(times)
        for place in range(len(after) - 2, -1, -1):
            after[place] = min(after[place], after[place + 1])
        for place, time in enumerate(times[:-1]):
            latest = max(latest, time)
            if latest < after[place + 1]:
                found[place + 1] = latest
        step = max(len(found) // n, 1)
        return dict(list(found.items())[step // 2 :: step][:n])

    def read_log(self) -> None:
        """The first pass: chain, counters and marks."""
        before, counters = b"", dict[str, int]()
        for number, entry in enumerate(self._entries(), 1):
            if not before:
                before = entry.writer.encode()
            if entry.seq != number or not entry.follows(before):
                self.verdict.unlike.append(f"commit {entry.seq} does not follow {number - 1}")
            if counters.get(entry.writer, 0) >= entry.counter:
                self.verdict.doubled.append(f"counter {entry.counter} of writer {entry.writer}")
            counters[entry.writer], before = entry.counter, entry.hash
            self.log.take(entry)
        self.log.finish()

    def _entries(self) -> Iterator[Entry]:
        return read_entries(self._folder / "log.msgpack")

    def judge(self) -> Verdict:
        """Everything; ``read_log`` comes before."""
        self._check_singles()
        self._check_order()
        self._check_loads()
        self._check_counted()
        self._check_feed()
        self._check_tables()
        self._check_sealed()
        return self.verdict

    # every change once -------------------------------------------------------------------------------------------

    def _check_singles(self) -> None:
        for op in self.model.of("save", "compete"):
            count = self.log.marks.pop(op.mark, 0)
            self._compare(op, count, int(op.effect))
        self.verdict.unlike += [
            f"nobody made the change {mark!r}" for mark in self.log.marks if mark != FIRST
        ]

    def _compare(self, op: Op, count: int, expected: int = 1) -> None:
        words = f"{op.kind} {op.mark} of {op.deal}: {count} times in the log, {op.outcome}"
        if count > 1:
            self.verdict.doubled.append(words)
        elif op.fate == "must" and count < expected:
            self.verdict.lost.append(words)
        elif op.fate == "never" and count:
            self.verdict.denied.append(words)

    def _check_order(self) -> None:
        for deal, ops in self.model.deals.items():
            lost, denied, odd = explain(ops, self.log.events.get(deal, []))
            self.verdict.lost += [f"delete {mark} of {deal}" for mark in lost]
            self.verdict.denied += [f"delete of {words}" for words in denied]
            self.verdict.wrong += odd

    def _check_loads(self) -> None:
        for op in self.model.of("load", "refused load"):
            rows, unique = self.log.loads.get(op.mark, (0, 0))
            words = f"{op.kind} {op.mark}: {rows} rows, {unique} of {op.n}, {op.outcome}"
            if rows > unique:
                self.verdict.doubled.append(words)
            if op.kind == "refused load":
                self.verdict.denied += [words] if rows else []
            elif op.fate == "must" and unique < int(op.n):
                self.verdict.lost.append(words)

    def _check_counted(self) -> None:
        for deal, values in self.log.counted.items():
            if values != list(range(1, len(values) + 1)):
                self.verdict.unlike.append(f"{deal} was counted with gaps: {values[:50]}")

    def _check_feed(self) -> None:
        """Each commit once, in order, by one feed after another."""
        wanted = len(self.log.hashes)
        for number, told in enumerate(self.model.told, 1):
            seq, token = int(told[0]), told[1].partition("-")[2].encode()
            if seq != number or seq > wanted or self.log.hashes[seq - 1] != token:
                self.verdict.unlike.append(f"the feed told {told} as its commit {number}")
                return
        if len(self.model.told) < wanted:
            words = f"the feed ended with {len(self.model.told)} commits of {wanted}"
            self.verdict.unlike.append(words)

    # one state ---------------------------------------------------------------------------------------------------

    def _check_tables(self) -> None:
        pasts = {int(path.stem[5:]): path for path in self._folder.glob("past-*.parquet")}
        for entry in self._entries():
            self._fold.apply(entry)
            if entry.seq in pasts:
                self._view(f"as_of commit {entry.seq}", pasts[entry.seq])
        table = self._fold.table()
        if table["id"].is_duplicated().any():
            self.verdict.unlike.append("the log has a deal in two rows")
        self._unlike("log and hashes", table, self._hashes())
        for path in sorted(
            [*self._folder.glob("old-*.parquet"), *self._folder.glob("fresh*.parquet")]
        ):
            self._view(path.stem, path)
        self._check_meta(table.height)

    def _view(self, name: str, path: Path) -> None:
        seen = pl.read_parquet(path)
        types = self._fold.schema
        texts = tidy(
            pl.DataFrame([texts_of(seen[c], types[c]) for c in seen.columns if c in types])
        )
        self._unlike(f"log and {name}", self._fold.table(), texts, besides=("_row", "_rev"))

    def _unlike(
        self, what: str, one: pl.DataFrame, other: pl.DataFrame, besides: Iterable[str] = ()
    ) -> None:
        found = difference(one, other, besides=tuple(besides))
        self.verdict.unlike += [f"{what}: {words}" for words in found]

    def _hashes(self) -> pl.DataFrame:
        prefix, parts = f"{COLLECTION}:".encode(), []
        keys = list(self._client.scan_iter(prefix + b"*", count=5000))
        for begin in range(0, len(keys), 5000):
            with self._client.pipeline(transaction=False) as pipeline:
                for key in keys[begin : begin + 5000]:
                    pipeline.hgetall(key)
                found: list[dict[bytes, bytes]] = pipeline.execute()
            ids = [key.removeprefix(prefix) for key in keys[begin : begin + 5000]]
            names = sorted({name for deal in found for name in deal})
            columns = {b"id": ids, **{name: [deal.get(name) for deal in found] for name in names}}
            parts.append(pl.DataFrame({n.decode(): _texts(v) for n, v in columns.items()}))
        # SCAN may give a key twice
        table = pl.concat(parts, how="diagonal") if parts else pl.DataFrame({"id": []})
        return tidy(table.unique("id"))

    def _check_meta(self, deals: int) -> None:
        found: Any = self._client.hgetall(f"{COLLECTION}s:meta")
        last = self.log.hashes[-1] if self.log.hashes else b""
        told = (int(found[b"seq"]), found[b"hash"], int(found[b"deals"]))
        if told != (len(self.log.hashes), last, deals):
            wanted = (len(self.log.hashes), last, deals)
            self.verdict.unlike.append(f"meta says {told}, the log {wanted}")

    def _check_sealed(self) -> None:
        """What was sealed is what was seen while it was written."""
        try:
            sealed = read_sealed(self._client)
            for seen, entry in zip(self._entries(), sealed, strict=False):
                if not _same(seen, entry):
                    self.verdict.unlike.append(f"commit {seen.seq} was sealed as another")
        except Damaged as problem:
            self.verdict.unlike.append(f"the sealed history: {problem}")


def _texts(values: list[bytes | None]) -> pl.Series:
    texts = [None if value is None else value.decode() for value in values]
    return pl.Series(texts, dtype=pl.String)


def _same(one: Entry, other: Entry) -> bool:
    if one[:9] != other[:9]:
        return False
    if one.kind != "add":
        return one.data == other.data
    # when segments are merged, the same deals are packed again
    return _added(one).equals(_added(other))


def _added(entry: Entry) -> pl.DataFrame:
    if entry.deals is not None:
        return entry.deals
    return pl.read_ipc_stream(io.BytesIO(entry.data or b""))


def write_result(path: Path, result: dict[str, Any]) -> None:
    """A run's result, as JSON."""
    path.write_text(json.dumps(result, indent=2, default=str) + "\n")
