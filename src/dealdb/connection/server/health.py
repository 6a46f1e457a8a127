"""What a server says of itself, as far as it lets this user ask."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from dealdb.connection.link import Link
from dealdb.connection.protocol.translate import is_missing_right
from dealdb.connection.server.dangers import find_dangers
from dealdb.connection.server.info import (
    ask_config,
    ask_info,
    flavor,
    is_denied,
    removes_deals,
    whole,
)
from dealdb.connection.server.nodes import NodeHealth, ask_each, ask_slots, gone, grouped
from dealdb.errors import AccessDenied, ServerRefused, StoreError

UNKNOWN = "unknown"
# the first version of Redis that tells whether a change is on its disk
_WITH_WAITAOF = (7, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerHealth:
    """
    State of the server and of the connection to it.

    What the server's ACL does not let this user ask is None, or ``"unknown"``.

    Attributes
    ----------
    reachable
        The server answered, and let this user in.
    flavor
        ``"valkey"`` or ``"redis"``.
    version
        The server's own version; Valkey also names a Redis version that it is compatible with.
    role
        ``"master"`` or ``"slave"``, in the server's words.
    ping_ms
        Round trip of a PING, milliseconds.
    memory_used_bytes, memory_max_bytes
        Memory of the server's data, and its limit; a limit of 0 means none.
    memory_policy
        What it removes when the limit is reached, e.g. ``"noeviction"``.
    persistence
        ``"aof everysec"``, ``"aof always"``, ``"aof no"``, ``"rdb"``, both as ``"aof everysec, rdb"``,
        ``"none"`` or ``"unknown"``.
    durability
        What a change may ask for here: ``"memory"``, and ``"disk"`` and ``"replicated"`` where the server can tell.
    pool_size, pool_in_use, pool_waited
        Most sockets, sockets in use, and how many callers have had to wait for one so far.
    warnings
        What threatens the data or the answers, one sentence each; of a cluster with the nodes that it is about.
    nodes
        Each node of a cluster that has some of the keys; empty where there is no cluster. Of them all together,
        ``ping_ms`` is the longest, memory the sum, and a limit the sum of theirs where all have one. Of version, role,
        policy and persistence each kind is named that there is. A change may ask for what all of them can promise.
    """

    reachable: bool
    flavor: str | None = None
    version: str | None = None
    role: str | None = None
    ping_ms: float | None = None
    memory_used_bytes: int | None = None
    memory_max_bytes: int | None = None
    memory_policy: str | None = None
    persistence: str = UNKNOWN
    durability: tuple[str, ...] = ()
    pool_size: int = 0
    pool_in_use: int = 0
    pool_waited: int = 0
    warnings: tuple[str, ...] = ()
    nodes: tuple[NodeHealth, ...] = ()


def ping(link: Link) -> float:
    """Round trip of a PING, milliseconds."""
    began = time.perf_counter()
    link.call("PING")
    return (time.perf_counter() - began) * 1000


def ask_server(link: Link) -> ServerHealth:
    """
    What the server tells, or each node of a cluster, as far as its ACL lets this user ask; nothing of the pool.

    Raises
    ------
    AccessDenied
        If the login is refused.
    ServerUnavailable, PoolTimeout
        If there is no answer.

    Cost
    ----
    Four round trips: PING, INFO and two CONFIG GET; some more where something is suspicious. Of a cluster five for
    each node, all at once; those that don't answer are waited for as long as ``retry_deadline_s``.
    """
    return ask_nodes(link) if link.settings.cluster else ask_one(link)


def ask_one(link: Link) -> ServerHealth:
    """What one server tells, or one node."""
    ping_ms, refusal = _ping_or_refusal(link)
    info = {} if is_denied(link, "INFO") else ask_info(link)
    fsync = _config(link, "appendfsync")
    health = ServerHealth(
        reachable=True,
        ping_ms=ping_ms,
        flavor=flavor(info),
        version=info.get(f"{flavor(info)}_version"),
        role=info.get("role"),
        memory_used_bytes=whole(info.get("used_memory")),
        memory_max_bytes=whole(info.get("maxmemory")),
        memory_policy=info.get("maxmemory_policy"),
        persistence=_persistence(info, fsync, _config(link, "save")),
        durability=_durability(info, fsync),
    )
    dangers = [str(danger) for danger in find_dangers(link, info)]
    return replace(health, warnings=tuple(refusal + _warnings(health) + dangers))


def _config(link: Link, name: str) -> str | None:
    return None if is_denied(link, "CONFIG") else ask_config(link, name)


def _ping_or_refusal(link: Link) -> tuple[float | None, list[str]]:
    """Milliseconds; or None with what the server says instead, e.g. that its disk is full."""
    try:
        return ping(link), []
    except ServerRefused as error:
        return None, [str(error)]
    except AccessDenied as error:
        if not is_missing_right(error):
            raise
        return None, []


def _persistence(info: Mapping[str, str], fsync: str | None, points: str | None) -> str:
    aof = info.get("aof_enabled")
    if aof is None:
        return UNKNOWN
    kept = [f"aof {fsync}" if fsync else "aof"] if aof == "1" else []
    if points:
        kept.append("rdb")
    if not kept and points is None:
        return UNKNOWN
    return ", ".join(kept) or "none"


def _durability(info: Mapping[str, str], fsync: str | None) -> tuple[str, ...]:
    tells_of_disk = fsync == "always" or flavor(info) == "valkey" or _version(info) >= _WITH_WAITAOF
    kinds = {
        "memory": True,
        "disk": info.get("aof_enabled") == "1" and tells_of_disk,
        "replicated": (whole(info.get("connected_slaves")) or 0) > 0,
    }
    return tuple(kind for kind, offered in kinds.items() if offered and info)


def _version(info: Mapping[str, str]) -> tuple[int, ...]:
    numbers = info.get("redis_version", "").split(".")[:2]
    return tuple(int(number) for number in numbers if number.isdigit())


def _warnings(health: ServerHealth) -> list[str]:
    found = []
    policy, limit = health.memory_policy, health.memory_max_bytes
    if policy is not None and removes_deals(policy):
        when = (
            f"at its limit of {limit} bytes" if limit else "as soon as it gets a limit (maxmemory)"
        )
        found.append(f"the server removes deals {when}: its policy is {policy}; set noeviction")
    elif policy not in (None, "noeviction") and limit:
        found.append(
            f"the server removes keys at its limit of {limit} bytes, though not deals: {policy}"
        )
    if health.persistence == "none":
        found.append(
            "the server keeps nothing on disk: a restart loses every deal; set appendonly yes"
        )
    if health.role == "slave":
        found.append(
            "the server is a replica: it refuses changes and may lag behind; use its primary"
        )
    return found


def ask_nodes(link: Link) -> ServerHealth:
    """What all nodes of a cluster tell that have keys; one that does not answer is a warning, unless none does."""
    links = link.each_node()
    found: dict[str, ServerHealth] = {}
    lost: dict[str, StoreError] = {}
    for node, health in ask_each(links, ask_one):
        # its address only now: another one may have taken its place
        if isinstance(health, StoreError):
            lost[node.address] = health
        else:
            found[node.address] = health
    if not found:
        raise next(iter(lost.values()))
    said = [(address, warning) for address, each in found.items() for warning in each.warnings]
    warnings = [f"{names}: {text}" for names, text in grouped(said, len(links))]
    dangers = [gone(address, problem) for address, problem in lost.items()]
    dangers += ask_slots([node for node in links if node.address in found])
    return _of_all(
        list(found.values()),
        nodes=(
            *map(_node, found.items()),
            *(NodeHealth(address=each, reachable=False) for each in lost),
        ),
        warnings=(*map(str, dangers), *warnings),
    )


def _node(known: tuple[str, ServerHealth]) -> NodeHealth:
    address, health = known
    return NodeHealth(
        address=address,
        reachable=True,
        flavor=health.flavor,
        version=health.version,
        role=health.role,
        ping_ms=health.ping_ms,
        memory_used_bytes=health.memory_used_bytes,
        memory_max_bytes=health.memory_max_bytes,
        memory_policy=health.memory_policy,
        persistence=health.persistence,
    )


def _of_all(
    found: Sequence[ServerHealth], nodes: tuple[NodeHealth, ...], warnings: tuple[str, ...]
) -> ServerHealth:
    limits = [each.memory_max_bytes for each in found]
    return ServerHealth(
        reachable=True,
        flavor=_kinds(each.flavor for each in found),
        version=_kinds(each.version for each in found),
        role=_kinds(each.role for each in found),
        ping_ms=max((each.ping_ms for each in found if each.ping_ms is not None), default=None),
        memory_used_bytes=_sum(each.memory_used_bytes for each in found),
        # one without a limit takes all that there is
        memory_max_bytes=0 if 0 in limits else _sum(limits),
        memory_policy=_kinds(each.memory_policy for each in found),
        persistence=_kinds((each.persistence for each in found), "; ") or UNKNOWN,
        durability=tuple(
            kind for kind in found[0].durability if all(kind in each.durability for each in found)
        ),
        warnings=warnings,
        nodes=nodes,
    )


def _kinds(texts: Iterable[str | None], between: str = ", ") -> str | None:
    """Each of some texts once; None where one is not known."""
    known = list(texts)
    return None if None in known else between.join(dict.fromkeys(filter(None, known)))


def _sum(numbers: Iterable[int | None]) -> int | None:
    """Their sum; None where one is not known."""
    known = list(numbers)
    return None if None in known else sum(filter(None, known))
