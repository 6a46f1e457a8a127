"""
The store against a plain model: whatever happens in whatever order, every view of the deals is the same.

Two stores (as two processes would have them) save, delete, load, checkpoint and lose things; after each step
the hashes, the fold of the log, the live columns of both, and a newcomer's columns must equal a dictionary.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from dealdb.connection import RedisConnection
from dealdb.errors import ConflictError
from dealdb.store import SaveResult, Store
from dealdb.store.checkpoint import write_checkpoint
from dealdb.store.history import read_history
from dealdb.store.manifest import read_manifest
from dealdb.store.replica import Replica
from dealdb.values import Value
from servers import Server

IDS = st.sampled_from([f"d{n}" for n in range(6)])
TEXT = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ["", "|", "a,b", '"', "\x00", "ß€😀"]
)
MONEY = st.decimals(-(10**9), 10**9, places=2) | st.decimals(-1, 1, places=4)
VALUES: dict[str, st.SearchStrategy[Value]] = {
    "name": TEXT,
    "stage": st.sampled_from(["Lead", "Won", "Lost"]),
    "amount": MONEY,
    "closed": st.dates(),
    "updated": st.datetimes(timezones=st.just(UTC)),
    "note": TEXT,
    "seats": st.integers(-(2**63), 2**63 - 1),
    # -0.0 is kept apart from 0.0, which the model's == could not tell
    "score": st.floats(allow_nan=False, allow_infinity=False).filter(
        lambda x: x or str(x) == "0.0"
    ),
    "signed": st.booleans(),
}
CHANGES = st.dictionaries(st.sampled_from(sorted(VALUES)), st.none(), max_size=4).flatmap(
    lambda names: st.fixed_dictionaries({name: st.none() | VALUES[name] for name in names})
)
Model = dict[str, dict[str, Value]]


def frame_as_model(frame: pl.DataFrame) -> Model:
    rows = frame.to_dicts()
    return {
        row["id"]: {
            name: value for name, value in row.items() if value is not None and name != "id"
        }
        for row in rows
    }


class StoreMachine(RuleBasedStateMachine):
    """Rules are what users and servers do; the model is a dictionary."""

    server: Server

    def __init__(self) -> None:
        super().__init__()
        with self.server.client() as client:
            client.flushall()
        self.connection = RedisConnection()
        self.connection.connect(unix_socket=self.server.socket)
        self.link = self.connection.link()
        self.stores = [Store(self.link), Store(self.link)]
        self.model: Model = {}
        self.revs: dict[str, int] = {}
        self.history_is_whole = True

    def teardown(self) -> None:
        self.connection.close()

    def apply(self, deal_id: str, changes: Mapping[str, Value]) -> str:
        known = self.model.get(deal_id)
        after = {**(known or {}), **changes}
        after = {name: value for name, value in after.items() if value is not None}
        outcome = "inserted" if known is None else "unchanged" if after == known else "updated"
        if outcome == "updated" and "updated" not in changes:
            stamp = self.link.call("HGET", f"deal:{deal_id}", "updated")
            moment = datetime.fromisoformat(stamp.decode())
            assert abs(datetime.now(UTC) - moment).total_seconds() < 60
            after["updated"] = moment
        self.model[deal_id] = after
        return outcome

    @rule(who=st.sampled_from([0, 1]), deal_id=IDS, changes=CHANGES)
    def save(self, who: int, deal_id: str, changes: dict[str, Value]) -> None:
        result: SaveResult = self.stores[who].save({"id": deal_id, **changes})
        assert result.outcome == self.apply(deal_id, changes)
        if result.outcome == "unchanged":
            assert result.rev == self.revs[deal_id]
        self.revs[deal_id] = result.rev

    @rule(who=st.sampled_from([0, 1]), deal_id=IDS, guess=st.integers(0, 30), right=st.booleans())
    def save_expecting(self, who: int, deal_id: str, guess: int, *, right: bool) -> None:
        actual = self.revs.get(deal_id, 0)
        expected = actual if right else guess
        changes: dict[str, Value] = {"name": f"expected {expected}"}
        if expected != actual:
            with pytest.raises(ConflictError) as caught:
                self.stores[who].save({"id": deal_id, **changes}, expect_rev=expected)
            assert (caught.value.expected_rev, caught.value.actual_rev) == (expected, actual)
            return
        result = self.stores[who].save({"id": deal_id, **changes}, expect_rev=expected)
        assert result.outcome == self.apply(deal_id, changes)
        self.revs[deal_id] = result.rev

    @rule(who=st.sampled_from([0, 1]), deal_id=IDS)
    def delete(self, who: int, deal_id: str) -> None:
        assert self.stores[who].delete(deal_id) == (deal_id in self.model)
        self.model.pop(deal_id, None)
        self.revs.pop(deal_id, None)

    @rule(
        who=st.sampled_from([0, 1]),
        deals=st.dictionaries(
            IDS, st.tuples(st.none() | TEXT, st.none() | st.integers(-9, 9)), min_size=1
        ),
    )
    def load_batch(self, who: int, deals: dict[str, tuple[str | None, int | None]]) -> None:
        store = self.stores[who]
        columns = {
            "name": [name for name, _ in deals.values()],
            "amount": [None if amount is None else str(amount) for _, amount in deals.values()],
        }
        written = store.write(store.schema(), list(deals), columns)
        outcomes = [
            self.apply(
                deal_id, {"name": name, "amount": None if amount is None else Decimal(amount)}
            )
            for deal_id, (name, amount) in deals.items()
        ]
        counts = (written.inserted, written.updated, written.unchanged)
        assert counts == tuple(map(outcomes.count, ("inserted", "updated", "unchanged")))
        changed = [i for i, o in zip(deals, outcomes, strict=True) if o != "unchanged"]
        self.revs.update(dict.fromkeys(changed, written.seq))

    @rule(who=st.sampled_from([0, 1]))
    def query(self, who: int) -> None:
        assert frame_as_model(self.stores[who].snapshot().frame) == self.model

    @rule(who=st.sampled_from([0, 1]))
    def restart_process(self, who: int) -> None:
        self.stores[who] = Store(self.link)

    @precondition(lambda self: self.model)
    @rule()
    def checkpoint(self) -> None:
        newcomer = Store(self.link)
        newcomer.snapshot()
        assert newcomer._live is not None
        write_checkpoint(self.link, newcomer.keys, newcomer._live._replica)

    @rule()
    def lose_checkpoint(self) -> None:
        sealed = self.link.call("DEL", "deals:checkpoint")
        first = self.link.call("XRANGE", "deals:log", "-", "+", "COUNT", 1)
        # what was sealed and trimmed is lost with the manifest that says where it is
        if sealed and first and not first[0][0].startswith(b"1-"):
            self.history_is_whole = False

    @precondition(lambda self: self.link.call("KEYS", "deals:chunk:*"))
    @rule(cut=st.booleans())
    def damage_chunk(self, *, cut: bool) -> None:
        for key in self.link.call("KEYS", "deals:chunk:*"):
            if cut:
                self.link.call("DEL", key)
            else:
                self.link.call("SETRANGE", key, 40, b"damage")

    @precondition(lambda self: self.model)
    @rule()
    def lose_log(self) -> None:
        self.link.call("DEL", "deals:log")
        self.history_is_whole = False

    @rule()
    def flush(self) -> None:
        self.link.call("FLUSHDB")
        self.model, self.revs, self.history_is_whole = {}, {}, True

    @invariant()
    def every_view_agrees(self) -> None:
        hashes = {
            key.decode().removeprefix("deal:"): self.stores[0].get_many(
                [key.decode().removeprefix("deal:")]
            )[0]
            for key in self.link.call("KEYS", "deal:*")
        }
        values = {i: {n: v for n, v in (d or {}).items() if n != "id"} for i, d in hashes.items()}
        assert values == self.model, "hashes"
        assert {i: d.rev for i, d in hashes.items() if d} == self.revs, "revisions"
        assert self.stores[0].count() == len(self.model), "count"
        if self.history_is_whole:
            manifest = read_manifest(self.link, self.stores[0].keys)
            folded = Replica()
            folded.apply(
                read_history(self.link, self.stores[0].keys, manifest.history if manifest else ())
            )
            assert frame_as_model(folded.frame()) == self.model, "fold of the log"
        newcomer = Store(self.link).snapshot()
        assert frame_as_model(newcomer.frame) == self.model, "checkpoint and tail"


@pytest.mark.parametrize(
    "examples",
    [pytest.param(60, id="short"), pytest.param(3_000, id="long", marks=pytest.mark.slow)],
)
def test_store_agrees_with_model(server: Server, examples: int) -> None:
    StoreMachine.server = server
    run_state_machine_as_test(
        StoreMachine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
