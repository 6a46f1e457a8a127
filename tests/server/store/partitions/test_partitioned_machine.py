"""A collection of partitions against its model, whatever happens in whatever order."""

from __future__ import annotations

import pytest

from partition_machine import PartitionMachine, prepare, run
from servers import Server


@pytest.mark.parametrize("partitions", [1, 3, 4])
@pytest.mark.parametrize(
    ("examples", "steps"),
    [
        pytest.param(6, 15, id="short"),
        pytest.param(1_000, 25, id="long", marks=pytest.mark.slow),
    ],
)
def test_partitions_agree_with_model(
    server: Server, examples: int, steps: int, partitions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PartitionMachine, "server", server, raising=False)
    prepare(PartitionMachine, partitions, monkeypatch)
    run(PartitionMachine, examples, steps)
