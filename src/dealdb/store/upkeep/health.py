"""What is said of a server: its health with that of a collection, and what a doctor finds in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Self

from dealdb.connection import NodeHealth, ServerHealth
from dealdb.connection.server.info import removes_deals
from dealdb.connection.server.nodes import grouped
from dealdb.model.notebook import facts_html

OLDEST = {"redis": (6, 2), "valkey": (7, 2)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Health(ServerHealth):
    """
    State of the server, of the connection to it and of the collection.

    Attributes
    ----------
    deals, log_length
        Deals in the collection, and entries in its log; None where they can't be read.
    columns_bytes
        Memory of the collection's columns in this process; None before the first query.
    """

    deals: int | None = None
    log_length: int | None = None
    columns_bytes: int | None = None

    @classmethod
    def of_server(cls, server: ServerHealth) -> Self:
        """The state of a server, with nothing known of a collection yet."""
        return cls(**{field.name: getattr(server, field.name) for field in fields(server)})

    def _repr_html_(self) -> str:
        return facts_html(
            "health", {field.name: getattr(self, field.name) for field in fields(self)}
        )


class State(StrEnum):
    """How one thing is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """
    One thing that was looked at.

    Attributes
    ----------
    check
        What was looked at.
    state
        ``ok``; ``warn``: it works, and may cost data or time; ``fail``: it will not work.
    found
        What was found.
    advice
        What to do; empty where there is nothing to do.
    """

    check: str
    state: State
    found: str
    advice: str = ""

    @classmethod
    def ok(cls, check: str, found: str) -> Self:
        """One that is as it should be."""
        return cls(check=check, state=State.OK, found=found)

    @classmethod
    def warn(cls, check: str, found: str, advice: str) -> Self:
        """One that works, and may cost data or time."""
        return cls(check=check, state=State.WARN, found=found, advice=advice)

    @classmethod
    def fail(cls, check: str, found: str, advice: str = "") -> Self:
        """One that will not work."""
        return cls(check=check, state=State.FAIL, found=found, advice=advice)


def of_server(health: ServerHealth, hidden: frozenset[str]) -> Iterator[Finding]:
    """
    What there is to say of a server that answers.

    Of a cluster once where it is the same of all nodes that answer; else of those of which it is.

    Parameters
    ----------
    health
        What it has said of itself.
    hidden
        Commands that it has not, by which it would say more.
    """
    nodes = [node for node in health.nodes if node.reachable]
    for look in (_version, _memory, _persistence, _role):
        found = grouped([(node.address, look(node, hidden)) for node in nodes], len(nodes))
        if len(found) < 2:
            yield found[0][1] if found else look(health, hidden)
            continue
        for names, finding in found:
            yield replace(finding, found=f"{names}: {finding.found}")


def _version(health: ServerHealth | NodeHealth, hidden: frozenset[str]) -> Finding:
    found = f"{health.flavor or 'unknown'} {health.version or ''}".strip()
    oldest = OLDEST.get(health.flavor or "")
    if oldest is None or not health.version:
        advice = f"{_ask(hidden)}, or see that it is Redis 6.2, Valkey 7.2 or later"
        return Finding.warn("version", found, advice)
    if tuple(map(int, health.version.split(".")[:2])) >= oldest:
        return Finding.ok("version", found)
    advice = f"upgrade it to {health.flavor} {'.'.join(map(str, oldest))} or later"
    return Finding.fail("version", found, advice)


def _memory(health: ServerHealth | NodeHealth, hidden: frozenset[str]) -> Finding:
    policy = health.memory_policy
    if policy is None:
        return Finding.warn("eviction", "unknown", _ask(hidden))
    limit = f"limit {health.memory_max_bytes:,} bytes" if health.memory_max_bytes else "no limit"
    found = f"{policy}, {limit}"
    if not removes_deals(policy):
        return Finding.ok("eviction", found)
    state = State.FAIL if health.memory_max_bytes else State.WARN
    advice = "the server may remove deals: set maxmemory-policy noeviction"
    return Finding(check="eviction", state=state, found=found, advice=advice)


def _persistence(health: ServerHealth | NodeHealth, hidden: frozenset[str]) -> Finding:
    found = health.persistence
    if found.startswith("aof") and not found.startswith("aof no"):
        return Finding.ok("persistence", found)
    advice = {
        "none": "a restart loses every deal: set appendonly yes",
        "unknown": _ask(hidden) if hidden else "give +info and +config|get (+config on Redis 6.2)",
        "rdb": "a crash loses what came after the last snapshot: set appendonly yes",
    }.get(found, "a crash loses the last half minute: set appendfsync everysec")
    return Finding.warn("persistence", found, advice)


def _role(health: ServerHealth | NodeHealth, hidden: frozenset[str]) -> Finding:
    if health.role == "slave":
        return Finding.fail(
            "role", "replica", "it refuses changes and lags behind: use its primary"
        )
    if health.role is None:
        return Finding.warn("role", "unknown", _ask(hidden))
    return Finding.ok("role", "primary")


def _ask(hidden: frozenset[str]) -> str:
    """How to learn what could not be asked."""
    if not hidden:
        return "give +info"
    *firsts, last = sorted(hidden)
    names = f"{', '.join(firsts)} and {last}" if firsts else last
    return f"this server has no {names}, as is usual for managed services: look in its console"
