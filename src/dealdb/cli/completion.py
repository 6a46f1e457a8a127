"""What may come where on the command line, for a shell that asks at Tab."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable
from contextlib import redirect_stderr
from typing import TYPE_CHECKING

import typer

from dealdb.cli.registry import answer_shells
from dealdb.cli.session import session_from
from dealdb.errors import DealDBError

if TYPE_CHECKING:
    from dealdb import DealDatabase

# set by the script of a shell when it asks what may come next
VARIABLE = "_DEALDB_COMPLETE"
# of ASCII only what means nothing to bash, zsh and fish, also as the first character
_HARMLESS = r"[\w\-.+@%,/\u0080-\U0010ffff](?:[\w \-.+@%,/=\u0080-\U0010ffff]*[^ ])?"


def prepare() -> None:
    """Let typer answer what a shell asks, when one does."""
    if VARIABLE in os.environ:
        answer_shells(is_harmless)


def is_harmless(text: str) -> bool:
    """
    Whether a shell takes a text as it is, wherever Tab puts it: nothing in it runs, expands or steers the terminal.

    Names and values of a collection may come from anybody who can write to it. bash inserts what it is offered as it
    is, and zsh evaluates it, so a text that would need quotes is not offered. A blank is quoted for bash.

    Examples
    --------
    >>> is_harmless("stage=On hold"), is_harmless("-amount"), is_harmless("$(reboot)")
    (True, True, False)
    """
    # compiled when a shell asks: it takes as long as to import ten modules
    return re.fullmatch(_HARMLESS, text) is not None and text.isprintable()


def complete_columns(ctx: typer.Context, incomplete: str) -> list[str]:
    """Lists of columns, a minus kept, that the text may become."""
    done, comma, last = incomplete.rpartition(",")
    sign = "-" if last.startswith("-") else ""
    names = _ask(ctx, _fields)
    return [f"{done}{comma}{sign}{name}" for name in names if name.startswith(last[len(sign) :])]


def complete_pair(ctx: typer.Context, incomplete: str) -> list[str]:
    """Fields with an equals sign; after ``stage=`` the stages."""
    if incomplete.startswith("stage="):
        begin = incomplete.removeprefix("stage=")
        stages = _ask(ctx, _stages)
        return [f"stage={stage}" for stage in stages if stage.startswith(begin)]
    return [f"{name}=" for name in _ask(ctx, _fields) if name.startswith(incomplete)]


def _fields(db: DealDatabase) -> list[str]:
    return list(db.schema)


def _stages(db: DealDatabase) -> list[str]:
    return [stage.name for stage in db.pipeline]


def _ask(ctx: typer.Context, question: Callable[[DealDatabase], list[str]]) -> list[str]:
    """Answer of the database that the command line names so far; nothing where there is none."""
    given = {**(ctx.parent.params if ctx.parent else {}), **ctx.params}
    options = {
        name: given[name] for name in ("url", "db", "collection") if given.get(name) is not None
    }
    try:
        # nor would a warning be read there
        with redirect_stderr(io.StringIO()), session_from(options, os.environ).open() as db:
            # a name that begins with a minus could be an option
            return [name for name in question(db) if is_harmless(name) and name[:1] != "-"]
    except DealDBError:
        # a message would end up in the middle of the line
        return []
