"""Bounds that the operating system holds a process to."""

from __future__ import annotations

import os
import resource
import tempfile
from pathlib import Path

_STATUS = Path("/proc/self/status")
_FILES = 256
_MB = 2**20
# beside the statement's own: stacks of threads, and what an allocator keeps
_SLACK_MB = 64
# of processor time beside that of the threads until they are stopped
_SLACK_S = 10
# of the memory that a statement may take, a result may fill this part: it is copied once more
RESULT_PART = 2


def impose(memory_mb: int) -> None:
    """
    Hold this process to so much more memory than it has now, no files worth the name, and nothing left of a crash.

    What counts as memory is what is written to and shared with nobody: tables that are handed over don't. A bound
    on addresses (``RLIMIT_AS``) would count these too, and what allocators only reserve.
    """
    _bound(resource.RLIMIT_CORE, 0)
    _bound(resource.RLIMIT_NOFILE, _FILES)
    _bound(resource.RLIMIT_FSIZE, memory_mb * _MB // RESULT_PART)
    if _STATUS.exists():
        _bound(resource.RLIMIT_DATA, _data_bytes() + (memory_mb + _SLACK_MB) * _MB)


def allow_seconds(timeout_s: float, threads: int) -> None:
    """Let this process compute for one more statement; its parent ends it earlier, unless that stands still."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime + timeout_s * threads + _SLACK_S)
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    bound = seconds if most == resource.RLIM_INFINITY else min(seconds, most)
    resource.setrlimit(resource.RLIMIT_CPU, (bound, most))


def leave_folders() -> None:
    """Make the working directory one that has nothing, and in which nothing can be made."""
    folder = Path(tempfile.mkdtemp(prefix="dealdb"))
    os.chdir(folder)
    folder.rmdir()


def private_mb() -> float:
    """Megabytes of memory that this process shares with nobody; 0 where the system does not say."""
    return _status("RssAnon") / 1024


def _data_bytes() -> int:
    return _status("VmData") * 1024


def _status(name: str) -> int:
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)


def _bound(kind: int, most: int) -> None:
    _, now = resource.getrlimit(kind)
    bound = most if now == resource.RLIM_INFINITY else min(most, now)
    resource.setrlimit(kind, (bound, bound))
