"""What a run says of hashes of another program, and asks before it adopts them; other warnings of the library too."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

from dealdb.cli.output.streams import agrees, note
from dealdb.cli.session import Session
from dealdb.errors import NotAdopted
from dealdb.formats.controls import visible

# what is shown of categories that would take long to import
_CATEGORIES = ("NotAdoptedWarning", "TextDatesWarning")


@contextmanager
def telling() -> Iterator[None]:
    """Print on standard error what the library warns of: hashes that are shown and not adopted, dates that are text."""
    with warnings.catch_warnings():
        others = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *rest: object) -> None:
            if category.__name__ in _CATEGORIES:
                note(f"warning: {message}")
            else:
                others(visible(str(message)), category, *rest)  # type: ignore[arg-type]

        # whatever the environment asks for: it is a message for a person here
        warnings.filterwarnings("always", ".* (shown and not adopted|the column is text)")
        warnings.showwarning = show  # type: ignore[assignment]
        with _logged():
            yield


@contextmanager
def _logged() -> Iterator[None]:
    """Print what is logged, where nobody has said where to, as other messages: it may have a server's words in it."""
    # not at the top: --help logs nothing, and starts no threads
    import logging
    import threading
    import traceback

    def show_of_thread(args: threading.ExceptHookArgs) -> None:
        note("".join(traceback.format_exception(args.exc_type, args.exc_value, args.exc_traceback)))

    before, before_of_threads = logging.lastResort, threading.excepthook
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: note(handler.format(record))  # type: ignore[method-assign]
    logging.lastResort = handler
    threading.excepthook = show_of_thread
    try:
        yield
    finally:
        logging.lastResort = before
        threading.excepthook = before_of_threads


def asking(session: Session, command: Callable[[], None]) -> None:
    """Run a command; where it needs hashes adopted first, ask at a terminal, and run it again."""
    try:
        command()
    except NotAdopted:
        if not may_adopt(session):
            raise
        # it brings all answers, and most commands adopt nothing
        from dealdb.answers.asked import counted

        with session.open() as db:
            report = db.repair(adopt=True)
        note(f"adopted {counted(report.adopted, 'hash', 'hashes')}")
        command()


def may_adopt(session: Session) -> bool:
    """True where a person at a terminal wants hashes of another program adopted; False where nobody can be asked."""
    if not sys.stdin.isatty():
        return False
    with session.open() as db:
        n = db.count_foreign()
    hashes, each = ("1 hash", "it") if n == 1 else (f"{n:,} hashes", "each")
    if not agrees(f"Adopt {hashes}? It adds _row and _rev to {each}."):
        note("nothing adopted")
        raise typer.Exit(1)
    return True
