"""What ``dealdb load --follow`` does: one file, loaded as it grows, until Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

from dealdb.cli.output.streams import note
from dealdb.errors import ConfigError

if TYPE_CHECKING:
    from dealdb import DealDatabase, LoadReport

# options of load that make sense for a file without an end, as the parts call them
_TAKEN = {
    "format",
    "mapping",
    "types",
    "dates",
    "decimal_point",
    "id_from",
    "on_conflict",
    "bad_cells",
    "fold",
    "durability",
    "rejects",
}


def check_followed(files: Sequence[str], given: Mapping[str, Any], *, dry_run: bool) -> None:
    """
    Refuse what can't be followed.

    Raises
    ------
    ConfigError
        If it is standard input, more than one file, or not JSON Lines; or an option needs the whole file.
    """
    if len(files) != 1 or files[0] == "-":
        msg = "--follow takes one file, by its name"
        raise ConfigError(msg)
    refused = [*(set(given) - _TAKEN), *(["dry_run"] if dry_run else [])]
    if refused or given.get("format", "jsonl") != "jsonl":
        name = (
            f"--{sorted(refused)[0].replace('_', '-').rstrip('-')}"
            if refused
            else "another --format"
        )
        msg = f"--follow and {name} exclude each other: it loads JSON Lines as they come"
        raise ConfigError(msg)


def follow_file(
    db: DealDatabase, file: str, given: Mapping[str, Any], *, from_end: bool
) -> LoadReport:
    """Load a file as it grows until Ctrl-C; what was done then."""
    options = {name: value for name, value in given.items() if name != "format"}
    note(f"following {file}; Ctrl-C ends it")
    with _stopped_by_interrupt() as stop:
        return db.loader.follow(file, **options, from_end=from_end, stop=stop, tell=note)


@contextmanager
def _stopped_by_interrupt() -> Iterator[threading.Event]:
    """An event that Ctrl-C sets, so that what was read is loaded; a second Ctrl-C interrupts."""
    stop = threading.Event()
    before = signal.getsignal(signal.SIGINT)

    def interrupted(_number: int, _frame: FrameType | None) -> None:
        stop.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, interrupted)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
