"""The commands that look at the server: ``health``, ``info``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from dealdb.answers.asked import counted
from dealdb.cli.arguments import stage_lines
from dealdb.cli.output.printing import print_facts
from dealdb.cli.output.streams import Output, note
from dealdb.cli.session import Session
from dealdb.cli.settings import config_file
from dealdb.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from dealdb import DealDatabase, Health
    from dealdb.connection import NodeHealth
    from dealdb.store.archive.chunk_cache import ChunkCache


def health(session: Session) -> None:
    """
    Print the health of server, pool and collection.

    The exit code is 3 when the server can't be reached.
    """
    with session.open() as db:
        report = db.health()
        where = db.connection.settings.where
    if session.output is Output.TABLE:
        print_health(where, report)
    else:
        facts = asdict(report)
        if not report.nodes:
            # only a cluster has some
            del facts["nodes"]
        print_facts({"server": where, **facts}, session.output)
    if not report.reachable:
        raise typer.Exit(3)


def info(session: Session) -> None:
    """
    Print version, settings, stages, columns and their memory.

    Also where each setting comes from: the first of an option, an environment variable, the configuration file, and a
    default.
    """
    from importlib.metadata import version

    file = config_file(os.environ)
    known: dict[str, Any] = {
        "version": version("dealdb"),
        "configuration": None if file is None else str(file),
    }
    try:
        with session.open() as db:
            known |= _settings(db, session)
            known |= _contents(db)
    except (ConfigError, StoreError) as error:
        # where things are matters most where they don't work; the error follows
        server = {"server": f"none: {error}", "collection": session.collection_name}
        _print_info(known | server if "server" not in known else known, session)
        raise
    _print_info(known, session)


def _contents(db: DealDatabase) -> dict[str, Any]:
    stages = db.pipeline
    return {
        "deals": len(db),
        "stages": {stage.name: str(stage.kind) for stage in stages},
        "columns": {field.name: field.describe() for field in db.schema.fields},
        "columns_bytes": _columns_bytes(db),
        "_lines": list(stage_lines(stages)),
    }


def _print_info(facts: dict[str, Any], session: Session) -> None:
    stages = facts.pop("_lines", None)
    labels = {label: name for label, name in _SETTINGS.items() if label in facts}
    sources = {label: session.sources[name] for label, name in labels.items()}
    if session.output is not Output.TABLE:
        print_facts({**facts, "settings_from": sources}, session.output)
        return
    shown = {
        label: f"{'none' if facts[label] is None else facts[label]} ({source})"
        for label, source in sources.items()
    }
    lists = {} if stages is None else {
        "deals": f"{facts['deals']:,}",
        "stages": stages,
        "columns": [" ".join(pair) for pair in facts["columns"].items()],
        "columns_bytes": f"{_megabytes(facts['columns_bytes'])} in the memory of a process that queries",
    }  # fmt: skip
    configuration = facts["configuration"] or "none"
    print_facts({**facts, "configuration": configuration, **shown, **lists}, Output.TABLE)


def _columns_bytes(db: DealDatabase) -> int:
    """What all columns take up in the memory of a process: it is this one that reads them."""
    db.query.frame()
    return db.health().columns_bytes or 0


# as people see them, by the names that the sources have
_SETTINGS = {
    "server": "url",
    "database": "db",
    "collection": "collection",
    "partitions": "partitions",
    "password": "password_file",
    "actor": "actor",
    "max_connections": "max_connections",
    "pool_timeout_s": "pool_timeout_s",
    "socket_timeout_s": "socket_timeout_s",
    "retry_deadline_s": "retry_deadline_s",
    "cache": "cache",
    "cache_mb": "cache_mb",
    "durability": "durability",
    "linger_s": "linger_s",
    "allow_eviction": "allow_eviction",
    "sql_timeout_s": "sql_timeout_s",
    "sql_memory_mb": "sql_memory_mb",
    "sql_isolated": "sql_isolated",
}


def _settings(db: DealDatabase, session: Session) -> dict[str, Any]:
    """What is in force, by label; of the password only whether there is one."""
    in_force = db.connection.settings
    special = {
        "server": in_force.where,
        "database": db.connection.db,
        "collection": session.collection_name,
        "partitions": session.options.get("partitions", "those of the collection"),
        "password": "none" if in_force.password is None else "given",
        "actor": session.options.get("actor", "login name"),
        "cache": _cache(db.cache, embedded=session.url is None),
        "cache_mb": db.cache and db.cache.max_bytes // 1_000_000,
        "durability": session.options.get("durability", "memory"),
        "linger_s": db.linger_s,
        "allow_eviction": "on" if session.options.get("allow_eviction") else "off",
        **asdict(db.sql_limits),
        "sql_isolated": "on" if db.sql_limits.sql_isolated else "off",
    }
    others = {label: getattr(in_force, label) for label in _SETTINGS if label not in special}
    return {**special, **others}


def _cache(cache: ChunkCache | None, *, embedded: bool) -> str:
    if cache is None:
        return "off: the embedded server has its data on this machine" if embedded else "off"
    trouble = cache.trouble()
    used = f"not used: {trouble}" if trouble else f"{_megabytes(cache.size())} used"
    return f"{cache.folder}, {used}"


def print_health(where: str, report: Health) -> None:
    """Print the health in words: facts to stdout, warnings to stderr."""
    print_facts(dict(_health_lines(where, report)), Output.TABLE)
    for warning in report.warnings:
        note(f"warning: {warning}")


def _health_lines(where: str, report: Health) -> Iterator[tuple[str, str]]:
    yield "server", where
    if not report.reachable:
        yield "reachable", "no"
        return
    ping = "" if report.ping_ms is None else f"{report.ping_ms:.2f} ms"
    yield "reachable", "yes" + (f", ping {ping}" if ping else "")
    yield (
        "version",
        f"{report.flavor or 'unknown'} {report.version or ''}, {report.role or 'role unknown'}",
    )
    for node in report.nodes:
        yield f"node {node.address}", ", ".join(_of_node(node))
    yield "memory", _memory(report)
    yield "persistence", report.persistence
    yield "durability", f"{', '.join(report.durability)} can be asked for"
    yield "pool", f"{report.pool_in_use} of {report.pool_size} in use, {report.pool_waited} waited"
    if report.deals is not None:
        yield (
            "deals",
            f"{report.deals:,}, {counted(report.log_length or 0, 'entry', 'entries')} in the log",
        )
    if report.columns_bytes is not None:
        yield "columns", f"{_megabytes(report.columns_bytes)} in the memory of this process"


def _of_node(node: NodeHealth) -> Iterator[str]:
    if not node.reachable:
        yield "does not answer"
        return
    yield f"{node.flavor or 'unknown'} {node.version or ''}".strip()
    yield node.role or "role unknown"
    if node.ping_ms is not None:
        yield f"ping {node.ping_ms:.2f} ms"
    yield f"memory {_memory(node)}"
    yield f"persistence {node.persistence}"


def _memory(report: Health | NodeHealth) -> str:
    if report.memory_used_bytes is None:
        return "unknown"
    limit = (
        f"of {_megabytes(report.memory_max_bytes)}" if report.memory_max_bytes else "used, no limit"
    )
    return f"{_megabytes(report.memory_used_bytes)} {limit}, {report.memory_policy}"


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.1f} MB"
