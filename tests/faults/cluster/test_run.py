"""Short runs on a cluster: the processes, some deeds, the judge. ``make faults-cluster`` is the long one."""

from __future__ import annotations

import json

import pytest

from faults.cluster.run import Plan, execute
from networks import why_not


@pytest.mark.parametrize(
    "kinds", [("killed", "slot moved key by key"), ("cut off", "hidden from clients")]
)
def test_nothing_acknowledged_is_lost_on_a_cluster_in_some_seconds(
    flavor: str, kinds: tuple[str, ...]
) -> None:
    takes_networks = "cut off" in kinds
    if takes_networks and (reason := why_not()):
        pytest.skip(reason)
    plan = Plan(
        server=flavor, seed=7, partitions=4, changes=2_000, deeds=2, minutes=0.5, processes=1,
        networks=takes_networks, only=kinds, least_changes=300,
    )  # fmt: skip
    result = execute(plan)
    assert result["verdict"] == "clean", json.dumps(result, indent=1, default=str)
    assert set(result["deeds"]) == set(kinds)
