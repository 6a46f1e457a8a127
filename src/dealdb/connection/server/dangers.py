"""What threatens saves or data on a server, found in what it says of itself."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from dealdb.connection.link import Link
from dealdb.connection.protocol.replies import NODE
from dealdb.connection.server.info import ask_config, ask_info, flavor, is_denied, mode, whole
from dealdb.connection.server.telling import sentinel

logger = logging.getLogger(__name__)

_MEMORY = "memory"
# share of the memory limit, or of the connections, from which on there is little room
_FULL = 0.9
# the first release of each line without CVE-2025-49844, by which a script can run any code in the server
_HOLE = "CVE-2025-49844"
_REPAIRED = {
    "redis": {"6.2": 20, "7.2": 11, "7.4": 6, "8.0": 4, "8.2": 2},
    "valkey": {"7.2": 11, "8.0": 6, "8.1": 4},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Danger:
    """
    Something that threatens saves or data.

    Attributes
    ----------
    check
        What it concerns, in a word.
    grave
        Saves can't work, or what they save gets lost.
    found
        What was found.
    advice
        What to do.
    """

    check: str
    grave: bool
    found: str
    advice: str

    def __str__(self) -> str:
        return f"{self.found}: {self.advice}"


@dataclass(frozen=True, slots=True)
class Told:
    """
    What a server has told.

    Attributes
    ----------
    info
        Of INFO; empty where it may not be asked.
    config
        Asks for one value of CONFIG GET; None where that may not be asked.
    """

    info: Mapping[str, str]
    config: Callable[[str], str | None]

    def number(self, name: str) -> int:
        """A number of INFO, 0 if it is missing."""
        return whole(self.info.get(name)) or 0


def ask_dangers(link: Link) -> list[Danger]:
    """
    What threatens saves or data on a server, as far as its ACL lets this user ask; of a cluster, on one node.

    Raises
    ------
    StoreError
        If there is no answer.

    Cost
    ----
    A round trip for INFO, and one for each CONFIG GET that something suspicious calls for.
    """
    return find_dangers(link, {} if is_denied(link, "INFO") else ask_info(link))


def find_dangers(link: Link, info: Mapping[str, str]) -> list[Danger]:
    """The same from the reply to INFO that is there already."""
    if mode(info) == "sentinel":
        found, _, advice = (sentinel(link) or "").partition(": ")
        return [Danger(check="server", grave=True, found=found, advice=advice)]
    told = Told(info, lambda name: None if is_denied(link, "CONFIG") else ask_config(link, name))
    in_cluster = bool(link.settings.cluster)
    looks = [look for look in _LOOKS if not (in_cluster and look is _cluster)]
    dangers = [danger for look in looks for danger in look(told)]
    for danger in dangers:
        if danger.check == _MEMORY:
            logger.warning("%s: %s", link.settings.where_db(link.db), danger.found)
    return dangers


def _cluster(told: Told) -> Iterator[Danger]:
    if mode(told.info) == "cluster":
        found, _, advice = NODE.partition(": ")
        found = found.replace("it is", "the server is")
        yield Danger(check="cluster", grave=True, found=found, advice=advice)


def _replicas(told: Told) -> Iterator[Danger]:
    # the server says how many are in step only if it wants some
    if "min_slaves_good_slaves" not in told.info:
        yield from _unwatched(
            told.number("connected_slaves"), in_cluster=mode(told.info) == "cluster"
        )
        return
    good = told.number("min_slaves_good_slaves")
    wanted = whole(told.config("min-replicas-to-write")) or 1
    if good < wanted:
        found = f"the server takes changes only with {wanted} replicas in step (min-replicas-to-write), and has {good}"
        advice = "bring the replicas back, or lower min-replicas-to-write"
        yield Danger(check="replicas", grave=True, found=found, advice=advice)


def _unwatched(n_replicas: int, *, in_cluster: bool) -> Iterator[Danger]:
    """A primary that freezes or is cut off acknowledges changes, and drops them once a replica has taken its place."""
    if n_replicas:
        found = (
            f"the server acknowledges changes that none of its replicas has (it has {n_replicas}, and "
            "min-replicas-to-write is 0): they are lost when a replica takes its place"
        )
        enough = "with two replicas or more, set min-replicas-to-write 1"
        fixed = "a client on a fixed address lost all that it saved in the ten seconds after a replaced primary woke up"
        advice = enough if in_cluster else f"connect by redis+sentinel://; {enough}; {fixed}"
        yield Danger(check="replicas", grave=False, found=found, advice=advice)


def _elections(told: Told) -> Iterator[Danger]:
    """A server that comes back after a crash is to fetch what its successor has, before it can be chosen again."""
    if mode(told.info) != "cluster" or not told.number("connected_slaves"):
        return
    if told.config("cluster-replica-validity-factor") == "0":
        found = (
            "a replica that does not have its data yet may become the primary of this cluster "
            "(cluster-replica-validity-factor is 0), and changes of several seconds are lost then"
        )
        advice = "set it to 10 on all nodes, as it is by default"
        yield Danger(check="replicas", grave=False, found=found, advice=advice)


def _disk(told: Told) -> Iterator[Danger]:
    if told.number("aof_enabled") and told.info.get("aof_last_write_status") == "err":
        found = "the server can't write its append-only file, and takes no changes until it can"
        yield Danger(check="disk", grave=True, found=found, advice=_FREE_SPACE)
    if told.info.get("aof_last_bgrewrite_status") == "err":
        found = "the server could not rewrite its append-only file, which grows until it can"
        yield Danger(check="disk", grave=False, found=found, advice=_FREE_SPACE)
    if told.info.get("rdb_last_bgsave_status") == "err":
        refuses = told.config("stop-writes-on-bgsave-error") != "no" and told.config("save") != ""
        so = "and takes no changes until it can" if refuses else "which the next restart may need"
        found = f"the server could not write its last snapshot, {so}"
        yield Danger(check="disk", grave=refuses, found=found, advice=_FREE_SPACE)


_FREE_SPACE = "free space on its disk, and look at its log"


def _memory(told: Told) -> Iterator[Danger]:
    limit = told.number("maxmemory")
    # what a server removes keys for is another danger
    if not limit or told.info.get("maxmemory_policy") != "noeviction":
        return
    used = told.number("used_memory") - told.number("mem_not_counted_for_evict")
    if used > _FULL * limit:
        found = f"the server's memory is {'full' if used > limit else 'nearly full'}: {used:,} of {limit:,} bytes"
        advice = "raise maxmemory, or remove what it need not hold; a full server refuses changes"
        yield Danger(check=_MEMORY, grave=used > limit, found=found, advice=advice)


def _replica(told: Told) -> Iterator[Danger]:
    if told.info.get("role") != "slave":
        return
    if told.info.get("slave_read_only") == "0":
        found = "the server is a replica that takes changes (replica-read-only no), and drops them with its next sync"
        advice = "save on its primary, and set replica-read-only yes"
        yield Danger(check="replica", grave=True, found=found, advice=advice)
    if told.info.get("master_link_status") == "down":
        found = "the server is a replica without a link to its primary: what it shows is old"
        yield Danger(check="replica", grave=True, found=found, advice="connect to the primary")


def _clients(told: Told) -> Iterator[Danger]:
    n_clients, limit = told.number("connected_clients"), told.number("maxclients")
    if limit and n_clients > _FULL * limit:
        found = f"the server has {n_clients:,} of at most {limit:,} connections, and refuses more"
        advice = "raise maxclients, or close some"
        yield Danger(check="clients", grave=False, found=found, advice=advice)


def _pause(told: Told) -> Iterator[Danger]:
    if told.info.get("paused_actions", "none") != "none":
        left_s = told.number("paused_timeout_milliseconds") / 1000
        found = f"the server holds changes back for {left_s:,.1f} s more ({told.info.get('paused_reason')})"
        yield Danger(
            check="pause", grave=False, found=found, advice="wait, or end it with CLIENT UNPAUSE"
        )


def _security(told: Told) -> Iterator[Danger]:
    kind = flavor(told.info)
    version = told.info.get(f"{kind}_version", "")
    line, _, release = version.rpartition(".")
    repaired = _REPAIRED.get(kind or "", {}).get(line, 0)
    if release.isdecimal() and int(release) < repaired:
        found = f"{kind} {version} lets scripts run any code in it ({_HOLE}), unless its packager has closed that hole"
        advice = f"upgrade it to {line}.{repaired} or later"
        yield Danger(check="security", grave=False, found=found, advice=advice)


_LOOKS = (_cluster, _replicas, _elections, _disk, _memory, _replica, _clients, _pause, _security)
