"""Text that is longer than the terminal goes through a pager, as in git."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from dealdb.cli.output.streams import painted, say

_command: ContextVar[Sequence[str]] = ContextVar("command", default=())


def pager_command(environment: Mapping[str, str]) -> list[str]:
    """
    Program and arguments of the pager that the environment asks for; empty for none.

    Examples
    --------
    >>> pager_command({}), pager_command({"PAGER": "more -s"}), pager_command({"PAGER": "cat"})
    (['less'], ['more', '-s'], [])
    """
    words = shlex.split(environment.get("PAGER", "less"))
    return [] if words == ["cat"] or environment.get("TERM") == "dumb" else words


@contextmanager
def paging(*, wanted: bool) -> Iterator[None]:
    """Let ``show`` use the pager of the environment meanwhile."""
    token = _command.set(pager_command(os.environ) if wanted else ())
    try:
        yield
    finally:
        _command.reset(token)


def show(lines: Sequence[str]) -> None:
    """Print lines: through the pager where one is wanted and they don't fit the terminal."""
    program = shutil.which(_command.get()[0]) if _command.get() else None
    if not program or not sys.stdout.isatty() or len(lines) < shutil.get_terminal_size().lines:
        for line in lines:
            say(line)
        return
    # not at the top: most output needs no pager
    import subprocess

    sys.stdout.flush()
    # as in git: colours pass, nothing is cleared at the end
    environment = {"LESS": "FRX", **os.environ}
    command = [program, *_command.get()[1:]]
    text = "".join(f"{painted(line)}\n" for line in lines)
    with subprocess.Popen(command, stdin=subprocess.PIPE, text=True, env=environment) as pager:  # noqa: S603 the user's own choice
        try:
            pager.communicate(text)
        except KeyboardInterrupt:
            # it is for the pager: less ends its search on it, and continues
            pager.wait()
