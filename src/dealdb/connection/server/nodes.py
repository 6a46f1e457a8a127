"""What the nodes of a cluster say of themselves, and of it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

from dealdb.connection.link import Link
from dealdb.connection.server.dangers import Danger, ask_dangers
from dealdb.connection.server.info import parse_info, whole
from dealdb.errors import AccessDenied, ServerRefused, StoreError

N_SLOTS = 16_384
Said = TypeVar("Said", bound=Hashable)
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeHealth:
    """
    State of a node of a cluster that has some of the keys.

    What its ACL does not let this user ask is None, or ``"unknown"``.

    Attributes
    ----------
    address
        Host and port.
    reachable
        It answered, and let this user in.
    flavor, version, role, ping_ms, memory_used_bytes, memory_max_bytes, memory_policy, persistence
        As of ``ServerHealth``.
    """

    address: str
    reachable: bool
    flavor: str | None = None
    version: str | None = None
    role: str | None = None
    ping_ms: float | None = None
    memory_used_bytes: int | None = None
    memory_max_bytes: int | None = None
    memory_policy: str | None = None
    persistence: str = "unknown"


def dangers_of_all(link: Link) -> list[Danger]:
    """
    What threatens saves or data on a server, or on any node of a cluster, with the nodes that it is about.

    Raises
    ------
    StoreError
        If there is no answer; of a cluster, a node that gives none is a danger.

    Cost
    ----
    As ``ask_dangers``; of a cluster that for each node, and a round trip more.
    """
    if not link.settings.cluster:
        return ask_dangers(link)
    nodes, said, lost = link.each_node(), [], []
    for node, found in ask_each(nodes, ask_dangers):
        if isinstance(found, StoreError):
            lost.append((node.address, found))
        else:
            said += [(node.address, danger) for danger in found]
    unasked = {address for address, _ in lost}
    answering = [node for node in nodes if node.address not in unasked]
    away = [gone(address, problem) for address, problem in lost]
    return [*away, *ask_slots(answering), *together(said, len(nodes))]


def ask_each(
    nodes: Sequence[Link], ask: Callable[[Link], Answer]
) -> list[tuple[Link, Answer | StoreError]]:
    """Ask all nodes at once, each in a thread: one that hangs holds up none of the others. In their order."""

    def asked(node: Link) -> Answer | StoreError:
        try:
            return ask(node)
        except StoreError as problem:
            return problem

    # no more than may have a connection: they would wait for those that hang
    n = min(len(nodes), max((node.settings.max_connections for node in nodes), default=1))
    threads = ThreadPoolExecutor(max(n, 1), thread_name_prefix="dealdb-nodes")
    try:
        return list(zip(nodes, threads.map(asked, nodes), strict=True))
    finally:
        # an interrupt waits for nobody
        threads.shutdown(wait=False)


def gone(address: str, problem: StoreError) -> Danger:
    """The danger of a node that does not answer."""
    found = f"the node {address} does not answer: {problem}"
    advice = "its deals can't be read or saved until it is back, or a replica takes its place"
    return Danger(check="cluster", grave=True, found=found, advice=advice)


def ask_slots(nodes: Sequence[Link]) -> list[Danger]:
    """
    What the nodes say of the cluster that threatens it. A round trip to each.

    Of nodes that say the same there is but one danger.
    """
    found: list[tuple[str, Danger]] = []
    for node, told in ask_each(nodes, lambda each: each.call("CLUSTER", "INFO", retry=True)):
        if isinstance(told, AccessDenied | ServerRefused):
            # what a user may not ask is not known
            continue
        if isinstance(told, StoreError):
            found.append(("", gone(node.address, told)))
            continue
        found.extend((node.address, danger) for danger in _of_slots(parse_info(told)))
    return together(found, len(nodes))


def _of_slots(told: dict[str, str]) -> Iterable[Danger]:
    advice = "start the nodes that have them, or give them to others: redis-cli --cluster fix"
    without = N_SLOTS - (whole(told.get("cluster_slots_assigned")) or 0)
    failed = whole(told.get("cluster_slots_fail")) or 0
    is_down = told.get("cluster_state") != "ok"
    parts = [f"{without:,} of {N_SLOTS:,} slots have no owner"] if without else []
    parts += [f"the owner of {failed:,} slots has failed"] if failed else []
    if is_down:
        parts.append("the cluster is down (cluster_state), and takes no commands")
    if parts:
        yield Danger(check="cluster", grave=True, found="; ".join(parts), advice=advice)


def together(said: Iterable[tuple[str, Danger]], n_nodes: int) -> list[Danger]:
    """
    Dangers of nodes, each once, with the nodes that they are of.

    Examples
    --------
    >>> danger = Danger(check="disk", grave=True, found="it is full", advice="free some")
    >>> [each.found for each in together([("a:1", danger), ("b:1", danger)], 3)]
    ['a:1, b:1: it is full']
    """
    return [
        replace(danger, found=f"{names}: {danger.found}") if names else danger
        for names, danger in grouped(said, n_nodes)
    ]


def grouped(said: Iterable[tuple[str, Said]], n_nodes: int) -> list[tuple[str, Said]]:
    """What some nodes have said, each once, with their addresses; ``each node`` where all have."""
    by_what: dict[Said, list[str]] = {}
    for address, what in said:
        by_what.setdefault(what, []).append(address)
    return [
        ("each node" if len(names) == n_nodes > 1 else ", ".join(filter(None, names)), what)
        for what, names in by_what.items()
    ]
