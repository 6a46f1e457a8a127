"""The state of server and collection, and a check of every deal on demand."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import polars as pl

from dealdb.board.page_request import PageRequest
from dealdb.board.pages.page import BoardPage, Shown
from dealdb.errors import StoreError

if TYPE_CHECKING:
    from dealdb.connection import NodeHealth
    from dealdb.formats.locale import Locale
    from dealdb.store.upkeep.doctor import Finding
    from dealdb.store.upkeep.health import Health

# more of them say no more; the command line has all
MOST_TOLD = 20


def show(asked: PageRequest) -> Shown:
    """What ``db.health()`` says, and the lines of ``dealdb doctor``."""
    health = asked.db.health()
    findings, gone = _findings(asked)
    table = pl.DataFrame(
        [{**asdict(each), "state": str(each.state)} for each in findings],
        schema=dict.fromkeys(("check", "state", "found", "advice"), pl.String),
    )
    return Shown(
        for_template={
            "health": health,
            "facts": _facts(health, asked.locale),
            "findings": findings,
            "gone": gone,
        },
        data=lambda: {"health": asdict(health), "findings": table.to_dicts()},
        table=table,
    )


def _findings(asked: PageRequest) -> tuple[list[Finding], str | None]:
    """What was looked at, and what ended it early."""
    found: list[Finding] = []
    try:
        found.extend(asked.db.examine())
    except StoreError as error:
        return found, str(error)
    return found, None


def _facts(health: Health, locale: Locale) -> list[tuple[str, str]]:
    """What is known, in words."""

    def memory(size: int | None) -> str | None:
        return None if size is None else f"{locale.number(round(size / 1e6, 1))} MB"

    version = " ".join(filter(None, (health.flavor, health.version)))
    most = memory(health.memory_max_bytes) if health.memory_max_bytes else "no limit"
    used = memory(health.memory_used_bytes)
    facts = {
        "server": version or None,
        "role": health.role,
        "round trip": None if health.ping_ms is None else f"{locale.number(health.ping_ms, 2)} ms",
        "deals": None if health.deals is None else locale.number(health.deals),
        "entries in the log": None
        if health.log_length is None
        else locale.number(health.log_length),
        "memory of the server": f"{used} of {most}" if used else None,
        "when it is full": health.memory_policy,
        "kept on disk": health.persistence,
        "changes may ask for": ", ".join(health.durability) or None,
        "columns in this process": memory(health.columns_bytes),
        "sockets": f"{health.pool_in_use} of {health.pool_size} in use",
    }
    facts |= {f"node {node.address}": _of_node(node, locale) for node in health.nodes}
    return [(name, text if text is not None else "not told") for name, text in facts.items()]


def _of_node(node: NodeHealth, locale: Locale) -> str:
    if not node.reachable:
        return "does not answer"
    ping = None if node.ping_ms is None else f"{locale.number(node.ping_ms, 2)} ms"
    known = (node.role, ping, node.memory_policy, f"on disk: {node.persistence}")
    return ", ".join(filter(None, known))


def check(asked: PageRequest, _body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """
    Compare every deal's hash with the log, as ``dealdb check`` does; it changes nothing, so a read-only board may.

    Raises
    ------
    StoreError
        If the server can't be asked.
    """
    report = asked.db.check()
    found = [each.deal for each in report.differences]
    return 200, {
        "ok": report.ok,
        "deals": report.deals,
        "differences": len(found),
        "ids": found[:MOST_TOLD],
        "lost_facts": len(report.lost_facts),
    }


HEALTH = BoardPage(
    path="/health",
    title="Health",
    template="health.html",
    show=show,
    has_filter=False,
    needs_server=False,
)
