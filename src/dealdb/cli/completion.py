"""What may come where on the command line, for a shell that asks at Tab."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

from dealdb.cli.session import session_from
from dealdb.errors import DealDBError

if TYPE_CHECKING:
    from dealdb import DealDatabase

# set by the script of a shell when it asks what may come next
VARIABLE = "_DEALDB_COMPLETE"


def prepare() -> None:
    """Let typer answer what a shell asks, when one does."""
    if VARIABLE in os.environ:
        from typer.completion import get_completion_inspect_parameters

        # what registers the shells
        get_completion_inspect_parameters()


def complete_columns(ctx: typer.Context, incomplete: str) -> list[str]:
    """Lists of columns, a minus kept, that the text may become."""
    done, comma, last = incomplete.rpartition(",")
    sign = "-" if last.startswith("-") else ""
    names = _ask(ctx, lambda db: list(db.schema))
    return [f"{done}{comma}{sign}{name}" for name in names if name.startswith(last[len(sign) :])]


def complete_pair(ctx: typer.Context, incomplete: str) -> list[str]:
    """Fields with an equals sign; after ``stage=`` the stages."""
    if incomplete.startswith("stage="):
        begin = incomplete.removeprefix("stage=")
        stages = _ask(ctx, lambda db: [stage.name for stage in db.pipeline])
        return [f"stage={stage}" for stage in stages if stage.startswith(begin)]
    return [
        f"{name}=" for name in _ask(ctx, lambda db: list(db.schema)) if name.startswith(incomplete)
    ]


def _ask(ctx: typer.Context, question: Callable[[DealDatabase], list[str]]) -> list[str]:
    """Answer of the database that the command line names so far; nothing where there is none."""
    given = {**(ctx.parent.params if ctx.parent else {}), **ctx.params}
    options = {
        name: given[name] for name in ("url", "db", "collection") if given.get(name) is not None
    }
    try:
        with session_from(options, os.environ).open() as db:
            return question(db)
    except DealDBError:
        # a message would end up in the middle of the line
        return []
