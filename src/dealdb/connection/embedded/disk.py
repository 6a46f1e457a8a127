"""What a full disk does to an embedded server, reported as such: the server can only log it, and end."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

# with less than this the next change may be the one that does not fit
LOW_BYTES = 1_048_576
FULL_BYTES = 65_536
# how long a report of the server is taken to be about what failed just now
RECENT_S = 10.0
# two starts
_TAIL_BYTES = 4_096
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WHEN = re.compile(r"(\d+) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d)")
_SIGNS = (
    "No space left on device",
    "Disk quota exceeded",
    "Read-only file system",
    "Input/output error",
    "File too large",
)


def disk_trouble(folder: Path, log: Path) -> str | None:
    """
    A sentence when the disk under an embedded server is full, or the server has just failed to write; else None.

    Parameters
    ----------
    folder
        Where its data is.
    log
        Its report.
    """
    if found := _low(folder):
        return found
    sign = _reported(log)
    if sign is None:
        return None
    return (
        f"the server could not write to its disk ({sign}): "
        f"{folder} has {_free_bytes(folder) or 0:,} bytes left; its log is {log}"
    )


def _low(folder: Path) -> str | None:
    free = _free_bytes(folder)
    if free is None or free >= LOW_BYTES:
        return None
    full = "full" if free < FULL_BYTES else "almost full"
    return (
        f"the disk is {full}: {folder} has {free:,} bytes left; "
        "make room, and the server continues by itself"
    )


def _free_bytes(folder: Path) -> int | None:
    try:
        disk = os.statvfs(folder)
    except OSError:
        return None
    # what is kept back for root is not available to anybody else
    blocks = disk.f_bavail if os.geteuid() else disk.f_bfree
    return blocks * disk.f_frsize


def _reported(log: Path) -> str | None:
    """What the server has just reported of its disk."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return None
    for line in reversed(lines):
        for sign in _SIGNS:
            if sign in line and time.time() - _moment(line) < RECENT_S:
                return sign
    return None


def _moment(line: str) -> float:
    """When the server wrote a line, as seconds since 1970; 0 where it does not say."""
    found = _WHEN.search(line)
    if found is None or found[2] not in _MONTHS:
        return 0.0
    # in the local time of the server, which is ours
    day, year, hour, minute, second = (int(found[n]) for n in (1, 3, 4, 5, 6))
    month = _MONTHS.index(found[2]) + 1
    return time.mktime((year, month, day, hour, minute, second, 0, 0, -1))
