"""The command ``doctor``: whether settings, server and collection are fit for use, and what to do if not."""

from __future__ import annotations

import shlex
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from dealdb.cli.output.pager import show
from dealdb.cli.output.printing import print_rows
from dealdb.cli.output.streams import Output
from dealdb.cli.session import Session
from dealdb.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from dealdb import Finding


def doctor(session: Session) -> None:
    """
    Check settings, server, rights and collection.

    It changes nothing. Each line says ok, warn or fail, and what to do. The exit code is 1 when something fails.
    """
    findings = list(_findings(session))
    if session.output is Output.TABLE:
        show([line for finding in findings for line in _lines(finding)])
    else:
        rows = [{**asdict(finding), "state": str(finding.state)} for finding in findings]
        print_rows(rows, ["check", "state", "found", "advice"], session.output)
    if any(finding.state == "fail" for finding in findings):
        raise typer.Exit(1)


def _lines(finding: Finding) -> Iterator[str]:
    yield f"{finding.state:<4}  {finding.check:<11}  {finding.found}"
    if finding.advice:
        yield f"{'':<19}-> {finding.advice}"


def _open_to_others(file: Path) -> int:
    """Mode of a file that others than its owner may read or change; 0 where they may not."""
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
    except OSError:
        return 0
    return mode if mode & 0o066 else 0


def _findings(session: Session) -> Iterator[Finding]:
    # not at the top: the program's other commands do without
    from dealdb import Finding

    collection = f"collection {session.collection_name} (from {session.sources['url']})"
    with ExitStack() as stack:
        try:
            db = stack.enter_context(session.open())
        except (ConfigError, StoreError) as error:
            # a URL that can't be read is for the caller; the embedded server is what this is about
            if session.url is not None:
                raise
            yield Finding.ok("settings", f"embedded server, {collection}")
            advice = (
                "give --url or DEALDB_URL, or set XDG_DATA_HOME to a folder that can be written"
            )
            yield Finding.fail("server", str(error), advice)
            return
        yield Finding.ok("settings", f"{db.connection.settings.where}, {collection}")
        for file in session.secret_files:
            if mode := _open_to_others(file):
                found = f"others can read {file}, which has the password (mode {mode:04o})"
                yield Finding.warn("password", found, f"chmod 600 {shlex.quote(str(file))}")
        try:
            yield from db.examine()
        except StoreError as error:
            if session.url is not None:
                raise
            yield Finding.fail("server", str(error))
