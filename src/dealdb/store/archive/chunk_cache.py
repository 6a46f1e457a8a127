"""
Chunks of checkpoints in a folder of this machine, so that the next process need not fetch them again.

A file is named by the digest of its chunk and holds what the server holds under that digest, so it needs no word of
which server or history it came from: the manifest, which is always read from the server, says which digests count. What
is in a file is compared with its name before use. So files may be removed at any time, and one that is cut short,
damaged or another's is as good as absent; that is also why they are not synced to the disk.

What was made of chunks is kept as well, by a name that says of which, and with a digest of its own.

Not decoded: Polars copies what it reads, mapped or not, and decodes these chunks faster than it reads the same columns
from Arrow files, which are eight times as large (``docs/operations.md`` has the figures).
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from dealdb import folders
from dealdb.errors import ConfigError
from dealdb.store.archive.digest import DIGITS, digest_of, is_whole

DEFAULT_MB = 256
_SUFFIX = ".parquet"
_MADE = ".made"
_UNFINISHED = ".unfinished"
# of the room, what is made of chunks may take: it is of less use than they
_MADE_PART = 2
# what a process that died has left of a file goes after so long
_UNFINISHED_S = 3_600


def make_cache(where: bool | Path | str, megabytes: int) -> ChunkCache | None:  # noqa: FBT001 as users give it
    """
    Cache as settings describe it: in the user's cache directory for True, in a folder, or None for False.

    Raises
    ------
    ConfigError
        If they are none of these, or not a bound.

    Examples
    --------
    >>> make_cache(False, 256) is None
    True
    >>> make_cache(tmp_path / "cache", 0)
    Traceback (most recent call last):
    dealdb.ConfigError: cache_mb must be an integer of at least 1: got 0
    """
    if type(megabytes) is not int or megabytes < 1:
        msg = f"cache_mb must be an integer of at least 1: got {megabytes!r}"
        raise ConfigError(msg)
    if isinstance(where, bool):
        folder = folders.cache() if where else None
    elif isinstance(where, str | Path) and Path(where).is_absolute():  # type: ignore[redundant-expr]  # callers may be untyped
        folder = Path(where)
    else:
        msg = f"cache must be True, False or the full path of a folder: got {where!r}"
        raise ConfigError(msg)
    return None if folder is None else ChunkCache(folder, megabytes * 1_000_000)


class CachedChunks(Protocol):
    """Where chunks are looked for before the server is asked for them, and kept when it was."""

    def find(self, digests: Iterable[str]) -> dict[str, bytes]:
        """Those of some chunks that are there and whole, by their digest."""
        ...

    def keep(self, chunks: Mapping[str, bytes]) -> None:
        """Add chunks, by their digest."""
        ...


class ChunkCache:
    """
    A folder of chunks, for this user alone; any number of processes may share it.

    Nothing of it ever fails a query: what can't be read is fetched, and what can't be written is not kept.

    Parameters
    ----------
    folder
        Made when it is first written to, so that only its user may enter.
    max_bytes
        Bytes that its files may take; those that were not used for longest go first.

    Examples
    --------
    >>> from dealdb.store.archive.digest import digest_of
    >>> cache, chunk = ChunkCache(tmp_path / "cache", max_bytes=1_000), b"a chunk"
    >>> cache.keep({digest_of(chunk): chunk})
    >>> list(cache.find([digest_of(chunk), "0" * 32]).values())
    [b'a chunk']
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder = folder
        self.max_bytes = max_bytes

    def trouble(self) -> str | None:
        """Why the folder is not used, or None where nothing speaks against it."""
        try:
            found = self.folder.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            return error.strerror
        if found.st_uid != os.geteuid() or found.st_mode & 0o077:
            return "others may enter it: it has to be its user's alone (chmod 700)"
        return None

    def find(self, digests: Iterable[str]) -> dict[str, bytes]:
        """Those of some chunks that are there and whole, by their digest."""
        if self.trouble():
            return {}
        found = {digest: self._read(digest, _SUFFIX) for digest in digests}
        return {digest: blob for digest, blob in found.items() if blob is not None}

    def keep(self, chunks: Mapping[str, bytes]) -> None:
        """Add chunks, by their digest, as far as the folder can be written to."""
        if not chunks or self.trouble():
            return
        with suppress(OSError):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for digest, blob in chunks.items():
                self._write(f"{digest}{_SUFFIX}", blob)
            self._shrink()

    def find_made(self, name: str) -> bytes | None:
        """What was made of chunks, by its name; None where it is not there, or not whole."""
        return None if self.trouble() else self._read(name, _MADE)

    def keep_made(self, name: str, blob: bytes) -> None:
        """Add what was made of chunks, unless it is very large, as far as the folder can be written to."""
        if len(blob) > self.max_bytes // _MADE_PART or self.trouble():
            return
        with suppress(OSError):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._write(f"{name}{_MADE}", _digest_of_made(name, blob).encode() + blob)
            self._shrink()

    def size(self) -> int:
        """Bytes that its files take."""
        return sum(size for _, size, _ in self._files())

    def _read(self, name: str, suffix: str) -> bytes | None:
        path = self.folder / f"{name}{suffix}"
        try:
            blob = path.read_bytes()
        except OSError:
            return None
        found = _whole_chunk(name, blob) if suffix == _SUFFIX else _whole_made(name, blob)
        if found is None:
            return None
        with suppress(OSError):
            # what was used last goes last; the time of access is not kept everywhere
            os.utime(path)
        return found

    def _write(self, name: str, blob: bytes) -> None:
        unfinished = self.folder / f"{secrets.token_hex(8)}{_UNFINISHED}"
        try:
            new = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(new, "wb") as file:
                file.write(blob)
            # other processes see the whole file, or the one before it
            unfinished.replace(self.folder / name)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise

    def _shrink(self) -> None:
        late = time.time() - _UNFINISHED_S
        files = sorted(self._files(), reverse=True)
        kept = 0
        for used_at, size, path in files:
            unfinished = path.name.endswith(_UNFINISHED)
            kept += size
            if kept > self.max_bytes or (unfinished and used_at < late):
                kept -= size
                # another process may have been quicker
                path.unlink(missing_ok=True)

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        """When each of its files was last used, its bytes, and where it is; nobody else's files."""
        with suppress(OSError), os.scandir(self.folder) as entries:
            for entry in entries:
                if entry.name.endswith((_SUFFIX, _MADE, _UNFINISHED)):
                    with suppress(FileNotFoundError):
                        found = entry.stat(follow_symlinks=False)
                        yield found.st_mtime, found.st_size, Path(entry.path)


def _whole_chunk(digest: str, found: bytes) -> bytes | None:
    return found if is_whole(digest, found) else None


def _digest_of_made(name: str, blob: bytes) -> str:
    # with the name: a file that was given another one is none
    return digest_of(b"".join((name.encode(), blob)))


def _whole_made(name: str, found: bytes) -> bytes | None:
    blob = found[DIGITS:]
    return blob if _digest_of_made(name, blob).encode() == found[:DIGITS] else None
