"""
Mending the files of an embedded server that refuses to start on them.

A power failure, or a disk that lies, can leave zeros or garbage at the end of the append-only file, and then the server
reads none of it. What comes before is whole: each commit is one transaction there, or one command. Mending copies the
files, and cuts off what comes after the last whole commit. It can't mend the compact part of the data.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dealdb.connection.embedded.folder import DataFolder, default_folder
from dealdb.errors import ConfigError, StoreDamaged

_MANIFEST = "appendonly.aof.manifest"
_ENTRY = re.compile(r"file (\S+) seq \d+ type ([bhi])")
_COUNT = re.compile(rb"\*(\d{1,9})\r\n")
_LENGTH = re.compile(rb"\$(\d{1,10})\r\n")
_NOTE = re.compile(rb"#[^\r\n]*\r\n")
_COMMIT = re.compile(rb"\*1\r\n\$4\r\nEXEC\r\n", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class MendReport:
    """
    What mending did.

    Attributes
    ----------
    cut_bytes
        Bytes that were cut off; 0 when everything was whole, and nothing was changed.
    cut_commits
        Whole transactions among them, which came after the damage and can't be read past it.
    kept_bytes
        Bytes kept of the file that was cut; 0 when none was.
    file
        The file that was cut, or None.
    copy
        Folder with the files as they were, or None.
    """

    cut_bytes: int = 0
    cut_commits: int = 0
    kept_bytes: int = 0
    file: Path | None = None
    copy: Path | None = None


def mend(path: Path | None = None) -> MendReport:
    """
    Cut off the end of an embedded server's data that can't be read, after copying all of it.

    Parameters
    ----------
    path
        Folder of the data, as for ``EmbeddedServer.start``.

    Returns
    -------
    MendReport
        What was cut; nothing while the server runs, as it has read its data then.

    Raises
    ------
    ConfigError
        If there are no data in the folder, or there is no room for the copy; nothing was changed.
    StoreDamaged
        If the list of the files itself is damaged.

    Cost
    ----
    It reads all but the compact part, about a second for 40 MB, and copies all where something is to be cut.
    """
    folder = DataFolder(default_folder() if path is None else Path(path))
    with folder.starting():
        lock = folder.server()
        try:
            return _mend(folder) if lock.take() else MendReport()
        except OSError as error:
            raise ConfigError(f"the data in {folder.path} can't be mended: {error}") from None
        finally:
            lock.close()


def whole_bytes(data: bytes | mmap.mmap) -> int:
    r"""
    How far an append-only file can be read: the end of its last whole transaction or single command.

    Examples
    --------
    >>> whole_bytes(b"*1\r\n$4\r\nPING\r\n" + bytes(100))
    14
    """
    whole, inside = 0, False
    for name, end in _commands(data):
        inside = name == b"MULTI" or (inside and name != b"EXEC")
        if not inside:
            whole = end
    return whole


def _commands(data: bytes | mmap.mmap) -> Iterator[tuple[bytes, int]]:
    """Name and end of each command, up to the first that is not one."""
    at = _after_notes(data, 0)
    while found := _COUNT.match(data, at):
        name, at = b"", found.end()
        for number in range(int(found[1])):
            length = _LENGTH.match(data, at)
            if length is None:
                return
            start, at = length.end(), length.end() + int(length[1]) + 2
            if data[at - 2 : at] != b"\r\n":
                return
            if number == 0:
                name = data[start : at - 2].upper()
        if not name.isalpha():
            return
        at = _after_notes(data, at)
        yield name, at


def _after_notes(data: bytes | mmap.mmap, at: int) -> int:
    while note := _NOTE.match(data, at):
        at = note.end()
    return at


def _mend(folder: DataFolder) -> MendReport:
    files = _listed(folder)
    for file in files:
        with _content(file) as data:
            kept, size = whole_bytes(data), len(data)
            commits = len(_COMMIT.findall(data, kept))
        if kept < size:
            break
    else:
        return MendReport()
    later = files[files.index(file) + 1 :]
    report = MendReport(
        file=file,
        kept_bytes=kept,
        cut_bytes=size - kept + sum(other.stat().st_size for other in later),
        cut_commits=commits + sum(map(_commits, later)),
        copy=_copied(folder),
    )
    _cut(folder, file, kept, later)
    return report


def _listed(folder: DataFolder) -> list[Path]:
    """The files that come after the compact part, in the order in which the server reads them."""
    manifest = folder.data / _MANIFEST
    if not manifest.exists():
        raise ConfigError(f"there are no data of an embedded server in {folder.path}")
    entries = [_ENTRY.match(line) for line in manifest.read_text(errors="replace").splitlines()]
    files = [folder.data / entry[1] for entry in entries if entry and entry[2] == "i"]
    if None in entries or not entries or not all(file.exists() for file in files):
        msg = (
            f"the list of the data's files is damaged, or one of them is missing: {manifest}; "
            "restore a backup of the folder"
        )
        raise StoreDamaged(msg)
    return files


@contextlib.contextmanager
def _content(file: Path) -> Iterator[bytes | mmap.mmap]:
    with file.open("rb") as opened:
        if not file.stat().st_size:
            # nothing can't be mapped
            yield b""
            return
        with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield data


def _commits(file: Path) -> int:
    with _content(file) as data:
        return len(_COMMIT.findall(data))


def _copied(folder: DataFolder) -> Path:
    copy = folder.path / f"damaged-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}"
    try:
        shutil.copytree(folder.data, copy)
    except (OSError, shutil.Error):
        shutil.rmtree(copy, ignore_errors=True)
        raise
    # on the disk before anything is cut
    os.sync()
    return copy


def _cut(folder: DataFolder, file: Path, kept: int, later: Sequence[Path]) -> None:
    """Shorten a file, and take those after it off the list: the server reads no file behind a gap."""
    if later:
        manifest = folder.data / _MANIFEST
        names = {other.name for other in later}
        lines = manifest.read_text().splitlines(keepends=True)
        fresh = manifest.with_name("temp-" + manifest.name)
        fresh.write_text("".join(line for line in lines if line.split()[1] not in names))
        os.sync()
        fresh.replace(manifest)
    with file.open("r+b") as opened:
        opened.truncate(kept)
        os.fsync(opened.fileno())
    for other in later:
        other.unlink()
