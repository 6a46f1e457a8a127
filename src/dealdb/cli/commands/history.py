"""The commands for the log: ``history`` of a deal; ``check`` and ``repair`` of what other programs did."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from dealdb.cli.adopting import may_adopt
from dealdb.cli.arguments import pairs, seconds
from dealdb.cli.option_names import in_options
from dealdb.cli.output.printing import print_facts, print_frame, print_rows, table_file
from dealdb.cli.output.streams import Output, note, say
from dealdb.cli.session import Parquet, Session, Xlsx
from dealdb.errors import (
    ConfigError,
    DealNotFound,
    PoolTimeout,
    ServerUnavailable,
    StoreDamaged,
)

if TYPE_CHECKING:
    from dealdb import DealDatabase
    from dealdb.store.upkeep.check import Difference

_COLUMNS = ["deal", "problem", "field", "in_hash", "in_history"]


def history(
    session: Session,
    id_: Annotated[str, typer.Argument(metavar="ID", help="Id of a deal, or: load FILE.")],
    file_: Annotated[
        str | None, typer.Argument(metavar="FILE", help="With load: history from elsewhere.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="load: hubspot, salesforce or pipedrive, or a label."),
    ] = None,
    stages: Annotated[
        str | None, typer.Option(metavar="FILE", help="load: what ids of stages are called.")
    ] = None,
    zone: Annotated[
        str, typer.Option(metavar="NAME", help="load: time zone of moments that name none.")
    ] = "UTC",
    dry_run: Annotated[  # noqa: FBT002 a flag
        bool, typer.Option("--dry-run", help="load: read and count, and write nothing.")
    ] = False,
    parquet: Parquet = None,
    xlsx: Xlsx = None,
) -> None:
    """
    Print every change of one deal, or load history.

    A row for each field that a commit changed: when, who, before and after. A deal that was deleted has a history, too.

    dealdb history load FILE adds what HubSpot, Salesforce, Pipedrive or a table with id, at, field and value say of the
    past. No deal changes by it.
    """
    if file_ is not None:
        if id_ != "load":
            msg = f"history takes one ID, or load FILE; {file_[:60]!r} is one too many"
            raise ConfigError(msg)
        with session.open() as db:
            report = db.history.load(
                file_, source=source, stages=stages, zone=zone, dry_run=dry_run
            )
        kept = report.rejects_file
        print_facts(
            {**asdict(report), "rejects_file": None if kept is None else str(kept)}, session.output
        )
        return
    with session.open() as db:
        frame = db.deal_history(id_)
    if frame.is_empty():
        raise DealNotFound(id_)
    file = table_file(parquet, xlsx)
    if session.output is Output.TABLE and file is None:
        # for the eye, and for the width of a terminal
        whole = frame["when"].equals(frame["at"]) and frame["source"].null_count() == frame.height
        seconds = frame.with_columns(frame[name].dt.truncate("1s") for name in ("when", "at"))
        # what says nothing new takes no room
        frame = seconds.drop("seq", *(("at", "source") if whole else ()))
    print_frame(frame, session.output, file)


def check(session: Session) -> None:
    """
    Compare every deal's hash with the log; change nothing.

    It finds what other programs did to the hashes, and facts kept for metrics that are missing or damaged. The exit
    code is 1 when there is any of it.
    """
    with session.open() as db:
        report = db.check()
        n_foreign = db.count_foreign()
    facts: dict[str, Any] = {"deals": report.deals}
    if session.output is Output.JSON:
        facts["lost_facts"] = list(report.lost_facts)
    _print_differences(facts, "differences", report.differences, session.output)
    if report.lost_facts:
        note(f"facts that are missing or damaged: {', '.join(report.lost_facts)}")
        note("dealdb repair --facts makes them again; no deal is affected")
    if report.differences:
        how = " --adopt" if n_foreign else ""
        note(f"dealdb repair{how} adopts what the hashes hold")
        if not n_foreign:
            note("dealdb repair --from-history puts back what the history holds")
    if not report.ok:
        raise typer.Exit(1)


def repair(
    session: Session,
    adopt: Annotated[  # noqa: FBT002 a flag
        bool,
        typer.Option(
            "--adopt", help="Adopt hashes of another program that nobody has adopted; do not ask."
        ),
    ] = False,
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="HASHFIELD=FIELD",
            help="Field that a hash field becomes in every deal, beside itself; HASHFIELD= for none.",
        ),
    ] = None,
    from_history: Annotated[  # noqa: FBT002 a flag
        bool,
        typer.Option(
            "--from-history",
            help="Adopt nothing: give the hashes what the history has, where they say otherwise.",
        ),
    ] = False,
    facts: Annotated[  # noqa: FBT002 a flag
        bool,
        typer.Option(
            "--facts",
            help="Adopt nothing: make the facts again that checkpoints keep for metrics on history.",
        ),
    ] = False,
    every: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Again and again, such as 10s or 5m, until Ctrl-C."),
    ] = None,
    data: Annotated[  # noqa: FBT002 a flag
        bool,
        typer.Option(
            "--data", help="Mend the embedded server's files instead, when it can't start on them."
        ),
    ] = False,
) -> None:
    """
    Adopt what other programs did to the hashes.

    The log gets what the hashes hold. It is safe alongside other writers, and safe to repeat. The exit code is 1 when
    something is left that only a person can resolve: a text that does not fit its field's type.

    Hashes of another program that nobody has adopted are shown by all commands, and only this one writes to them. At a
    terminal it asks first; elsewhere it takes --adopt. Each hash gets _row and _rev, and fields such as amount beside
    its own that mean the same. Its own fields stay as they are. docs/existing-redis.md says more.

    A damaged value looks like a change of another program. dealdb check shows beforehand what hash and history hold.
    With --from-history, the history's values are put back, also for deals whose hash is gone.

    With --facts, the facts that checkpoints keep for metrics on history are made again from the log: after a restore,
    or where dealdb doctor names some that are missing or damaged.

    With --every it prints a line only when it has adopted or removed something.

    With --data it copies the files of the embedded server, and cuts off what a power failure or a bad disk has left at
    their end and the server can't read. It reports what was cut.
    """
    if data:
        if adopt or mapping or from_history or facts or every is not None:
            msg = "--data mends files, and takes no other option"
            raise ConfigError(msg)
        _mend(session)
        return
    if facts:
        if adopt or mapping or from_history or every is not None:
            msg = "--facts adopts nothing, and takes no other option"
            raise ConfigError(msg)
        with session.open() as db:
            kept = db.repair(facts=True).facts
        print_facts({"facts": kept}, session.output)
        return
    if from_history and (adopt or mapping or every is not None):
        msg = "--from-history adopts nothing, and takes no other option"
        raise ConfigError(msg)
    pause_s = None if every is None else seconds("--every", every)
    fields = {k: v or None for k, v in pairs("--map", "HASHFIELD=FIELD", mapping)}
    with session.open() as db:
        if not from_history:
            adopt = adopt or (db.count_foreign() > 0 and may_adopt(session))
        if pause_s is not None:
            _keep_repairing(db, pause_s, adopt=adopt, mapping=fields)
        report = db.repair(adopt=adopt, mapping=fields or None, from_history=from_history)
    done: dict[str, Any] = {"adopted": report.adopted, "removed": report.removed}
    if from_history:
        done = {"restored": report.restored}
    if report.moved:
        done["moved"] = report.moved
    if session.output is Output.JSON:
        done |= {"mapping": dict(report.mapping), "notes": list(report.notes)}
        done["changed"] = _rows(report.changed)
    elif session.output is Output.TABLE and report.changed:
        print_rows(_rows(report.changed), _COLUMNS, session.output)
    _print_differences(done, "remaining", report.remaining, session.output)
    if adopt or fields:
        for name, field in report.mapping.items():
            note(f"{name} -> {field}")
        for line in report.notes:
            note(in_options(line))
    if report.remaining:
        for line in _advice(report.remaining, from_history=from_history):
            note(line)
        raise typer.Exit(1)


def _advice(left: Sequence[Difference], *, from_history: bool) -> Iterator[str]:
    """What a person can do about what a repair has left."""
    n_foreign = sum(each.problem == "foreign" for each in left)
    if from_history:
        yield "the history has nothing of these: dealdb repair adopts what the hashes hold"
    elif n_foreign < len(left):
        yield "set these fields to values of their type, or clear them: dealdb save id=ID FIELD="
    if n_foreign and not from_history:
        yield (
            "foreign: their deals say something else where they belong (dealdb keys ID), or nobody can tell whose they "
            "are: save what is right, and DEL these keys"
        )


def _keep_repairing(
    db: DealDatabase, pause_s: float, *, adopt: bool, mapping: Mapping[str, str | None]
) -> NoReturn:
    """Repair until a signal ends it, also beyond times without a server."""
    known: tuple[Difference, ...] = ()
    away, wanted = False, mapping or None
    while True:
        try:
            report = db.repair(adopt=adopt, mapping=wanted)
        except (ServerUnavailable, PoolTimeout) as problem:
            if not away:
                note(f"{problem}; waiting for it")
            away = True
        else:
            away, wanted = False, None
            if report.adopted or report.removed:
                say(
                    f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}  adopted {report.adopted:,}, removed {report.removed:,}"
                )
                # a reader of a pipe wants each line when it happens
                sys.stdout.flush()
            if report.remaining and report.remaining != known:
                note(f"left for a person: {len(report.remaining):,}; dealdb repair lists them")
            known = report.remaining
        time.sleep(pause_s)


def _mend(session: Session) -> None:
    from dealdb import DealDatabase

    if session.url is not None:
        msg = "repair --data is for the embedded server: mend a server's files on its own machine"
        raise ConfigError(msg)
    report = DealDatabase.mend()
    if report.cut_bytes:
        # before the server starts: it may find more that it does not understand
        note(f"a copy of the files as they were is in {report.copy}")
    try:
        with session.open() as db:
            deals = len(db)
    except StoreDamaged as problem:
        # without the advice to do what has just been done
        found = str(problem).partition("; dealdb repair --data")[0]
        msg = f"what is damaged can't be cut off: restore a backup of the folder; {found}"
        raise StoreDamaged(msg) from None
    facts = {**asdict(report), "deals": deals}
    shown = {
        name: str(value) if isinstance(value, Path) else value for name, value in facts.items()
    }
    print_facts(shown, session.output)


def _print_differences(
    facts: dict[str, Any], name: str, differences: Sequence[Difference], output: Output
) -> None:
    """Counts and differences: as one object in JSON, the differences alone in CSV."""
    rows = _rows(differences)
    if output is Output.JSON:
        print_facts({**facts, name: rows}, output)
        return
    if output is Output.TABLE:
        counts = {key: f"{count:,}" for key, count in facts.items()}
        print_facts({**counts, name: f"{len(rows):,}" if rows else "none"}, output)
    if rows or output is not Output.TABLE:
        print_rows(rows, _COLUMNS, output)


def _rows(differences: Sequence[Difference]) -> list[dict[str, Any]]:
    return [{**asdict(each), "problem": str(each.problem)} for each in differences]
