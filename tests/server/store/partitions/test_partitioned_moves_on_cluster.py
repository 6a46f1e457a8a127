"""Partitions on a cluster against their model while slots move: between commits, between reads, and within a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import hypothesis.strategies as st
import pytest
from hypothesis.stateful import precondition, rule

from clusters import Cluster
from dealdb.connection import RedisConnection
from dealdb.connection.retry import Pauses
from dealdb.store.partitions.layout import slot_of, tag_of
from lossy import Fault, FaultyLink
from moving import Mover, MovingLink, Step
from partition_machine import FAULTS, IDS, WHO, PartitionMachine, prepare, run
from servers import Server

NUMBERS = st.integers(0, 3)
# most slots of these tests have some ten keys
N_KEYS = st.integers(0, 12)


class MovingMachine(PartitionMachine):
    """The same, with rules for what those do who run the cluster."""

    cluster: Cluster
    mover: Mover
    can_move_whole = True

    def connected(self) -> RedisConnection:
        for node in self.cluster.primaries:
            with node.client() as client:
                client.flushall()
        self.mover.bring_home(map(self.slot, range(self.partitions)))
        return RedisConnection().connect_url(self.cluster.url)

    def link_of_process(self) -> FaultyLink:
        return MovingLink(self.link, self.network, self.mover)

    def teardown(self) -> None:
        try:
            super().teardown()
        finally:
            self.mover.finish()

    def slot(self, number: int) -> int:
        return slot_of(tag_of(number % self.partitions, self.partitions))

    @rule(number=NUMBERS, n=N_KEYS)
    def move(self, number: int, n: int) -> None:
        self.mover.go_on(self.slot(number), n)

    @rule(
        number=NUMBERS, steps=st.lists(st.tuples(st.integers(0, 6), N_KEYS), min_size=1, max_size=4)
    )
    def move_meanwhile(self, number: int, steps: list[tuple[int, int]]) -> None:
        """Between the calls of what users do next."""
        self.mover.planned.extend(Step(calls, self.slot(number), n) for calls, n in steps)

    @rule()
    def end_move(self) -> None:
        self.mover.finish()

    @precondition(lambda self: self.can_move_whole and not self.mover.is_moving)
    @rule(number=NUMBERS)
    def move_whole(self, number: int) -> None:
        slot = self.slot(number)
        self.cluster.move_whole(slot, self.cluster.other(slot))

    @rule(
        who=WHO, ids=st.lists(IDS, unique=True, min_size=2), at=st.integers(0, 3), n=N_KEYS,
        fault=FAULTS, give_up=st.booleans(),
    )  # fmt: skip
    def load_while_moving(
        self, who: int, ids: list[str], at: int, n: int, fault: Fault | None, *, give_up: bool
    ) -> None:
        """New deals in a batch each, sent at once, and their slot moves between two of them."""
        self.delete_many(who, ids, None, give_up=False)
        self.mover.within = (at, n)
        self.add_batches(who, [{deal: ("a", 1)} for deal in ids], fault, give_up=give_up)
        self.mover.within = None


@pytest.fixture(scope="module")
def two(new_servers: Callable[..., Server]) -> Cluster:
    return Cluster(new_servers, 2, has_replicas=False)


@pytest.fixture
def patch(
    two: Cluster, flavor: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[pytest.MonkeyPatch]:
    """A move goes on while somebody waits for it."""
    mover = Mover(two)
    for name, value in (
        ("cluster", two), ("mover", mover), ("can_move_whole", flavor == "valkey9"),
    ):  # fmt: skip
        monkeypatch.setattr(MovingMachine, name, value, raising=False)
    monkeypatch.setattr(Pauses, "wait", lambda _: mover.wait())
    yield monkeypatch
    mover.finish()


@pytest.mark.parametrize("partitions", [1, 3, 4])
@pytest.mark.parametrize(
    ("examples", "steps"),
    [
        pytest.param(3, 12, id="short"),
        pytest.param(300, 25, id="long", marks=pytest.mark.slow),
    ],
)
def test_partitions_agree_with_model_while_slots_move(
    patch: pytest.MonkeyPatch, examples: int, steps: int, partitions: int
) -> None:
    prepare(MovingMachine, partitions, patch)
    run(MovingMachine, examples, steps)


@pytest.mark.parametrize("n", [0, 2, 12], ids=["no key", "some keys", "all keys"])
@pytest.mark.parametrize("give_up", [False, True])
def test_a_move_that_meets_a_batch_in_its_middle(
    patch: pytest.MonkeyPatch, n: int, *, give_up: bool
) -> None:
    """What the machine does by chance, for certain: one commit runs, and the next is elsewhere."""
    prepare(MovingMachine, 1, patch)
    machine = MovingMachine()
    link = machine.links[0]
    assert isinstance(link, MovingLink)
    # the first commit brings the script, on its own
    machine.save(0, "d0", {"name": "a"}, None, 0, give_up=False)
    machine.load_while_moving(0, ["d1", "d2", "d3"], 0, n, None, give_up=give_up)
    assert link.torn == 1
    assert machine.mover.is_moving or machine.mover.ended == 1
    machine.every_view_agrees()
    assert set(machine.models[0].hashes) == ({"d0", "d1"} if give_up else {"d0", "d1", "d2", "d3"})
    machine.settle(0)
    machine.end_move()
    machine.every_view_agrees()
    machine.teardown()
