"""
No change goes to a server that removes deals to make room: it would forget what it has acknowledged.

Only a policy ``allkeys-*`` does so. The ``volatile-*`` ones remove keys that expire, and no key of a deal does.
"""

from __future__ import annotations

from collections.abc import Mapping

from dealdb.connection import Link
from dealdb.connection.protocol.translate import is_cut
from dealdb.connection.server.info import ask_info, removes_deals
from dealdb.errors import NotDurable, ServerUnavailable


def refuse_eviction(link: Link) -> None:
    """
    Refuse a server that removes deals when its memory is full; one that can't be asked passes.

    Raises
    ------
    NotDurable
        If it does; nothing was written.
    ServerUnavailable
        If there is no answer; nothing was written.

    Cost
    ----
    One round trip.
    """
    info = _about_memory(link)
    policy, limit = info.get("maxmemory_policy", ""), int(info.get("maxmemory", 0))
    if limit and removes_deals(policy):
        raise NotDurable(
            f"{link.settings.where} removes deals when its memory is full (maxmemory-policy {policy}, maxmemory "
            f"{limit:,} bytes): nothing was written; set maxmemory-policy noeviction, or open the database with "
            "allow_eviction=True"
        )


def _about_memory(link: Link) -> Mapping[str, str]:
    try:
        return ask_info(link, "memory")
    except ServerUnavailable as problem:
        if not is_cut(problem):
            raise
        # a proxy that does not pass INFO: whether it passes the change, the change will show
        return {}
