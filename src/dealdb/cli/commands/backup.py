"""The commands ``backup`` and ``restore``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dealdb.answers.asked import counted
from dealdb.cli.output.printing import print_facts
from dealdb.cli.output.streams import Output, note
from dealdb.cli.session import Session
from dealdb.errors import ConfigError

if TYPE_CHECKING:
    from dealdb import BackupReport, RestoreReport


def backup(
    session: Session,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File to write.")],
    force: Annotated[  # noqa: FBT002 a flag
        bool, typer.Option("--force", help="Replace a file of that name.")
    ] = False,
    without_history: Annotated[  # noqa: FBT002 a flag
        bool, typer.Option("--without-history", help="Only the present deals.")
    ] = False,
    check: Annotated[  # noqa: FBT002 a flag
        bool, typer.Option("--check", help="Check an existing file; needs no server.")
    ] = False,
) -> None:
    """
    Write the collection into one file, with its history.

    Schema, pipeline, saved queries and mappings are in it. It is as of one commit, while others keep changing deals.
    What other programs did to the hashes is not in it: run dealdb check before. Only you can read the file.
    """
    from dealdb import DealDatabase

    if check:
        if force or without_history:
            msg = "--check writes nothing: leave out --force and --without-history"
            raise ConfigError(msg)
        _print_backup(DealDatabase.check_backup(file, bar=True), session.output)
        return
    with session.open() as db:
        report = db.backup(file, history=not without_history, overwrite=force, bar=True)
    _print_backup(report, session.output)


def restore(
    session: Session,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File that backup wrote.")],
) -> None:
    """
    Write a collection from a backup; it has to be empty.

    The file is checked first, and what is written is read back. Until all is written, every other command says
    that a restore is under way. One that was killed starts over when it is run again.
    """
    with session.open() as db:
        report = db.restore(file, bar=True)
    _print_restore(report, session.output)


def _print_backup(report: BackupReport, output: Output) -> None:
    if output is not Output.TABLE:
        print_facts({**asdict(report), "path": report.path}, output)
        return
    print_facts(
        {
            "file": f"{report.path} ({report.bytes:,} bytes)",
            "deals": f"{report.deals:,} of the collection {report.collection}, {counted(report.fields, 'column')}"
            + _in_partitions(report.partitions),
            "history": counted(report.commits, "commit") if report.history else "none",
            "commit": _commit(report.seq, report.hash)
            + (f" of {report.when:%Y-%m-%d %H:%M:%S}Z" if report.when else ""),
            "queries": f"{report.queries:,} saved",
            "sha256": report.sha256,
            "time": f"{report.seconds:.2f} s",
        },
        output,
    )


def _print_restore(report: RestoreReport, output: Output) -> None:
    if output is not Output.TABLE:
        print_facts(asdict(report), output)
        return
    print_facts(
        {
            "collection": f"{report.collection}, from {report.path} of the collection {report.source}",
            "deals": f"{report.deals:,}{_in_partitions(report.partitions)}",
            "history": counted(report.commits, "commit") if report.history else "none",
            "commit": _commit(report.seq, report.hash),
            "queries": f"{report.queries:,} saved",
            "time": f"{report.seconds:.2f} s",
        },
        output,
    )
    if report.cleared:
        note(f"keys of a restore that did not finish, removed first: {report.cleared:,}")


def _in_partitions(n: int) -> str:
    return f", in {n} partitions" if n > 1 else ""


def _commit(seq: int, chain: str) -> str:
    return f"{seq:,} {chain}" if seq else "none yet"
