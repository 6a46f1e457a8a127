"""The file of a backup on the disk: for its owner's eyes, and there only when it is whole."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from dealdb.errors import BackupError, ConfigError

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_BUFFER = 2**20


@contextmanager
def new_file(path: Path, *, overwrite: bool) -> Iterator[IO[bytes]]:
    """
    A file that gets its name when the block ends well, and is gone when it does not.

    Only its owner may read it (0600), since deals are in it.

    Parameters
    ----------
    overwrite
        Whether a file of that name may be replaced; a link is, too, and never followed.

    Raises
    ------
    ConfigError
        If there is such a file and it is not to be replaced, or its folder can't be written to.
    BackupError
        If it can't be written to its end, as on a full disk.
    """
    _check_target(path, overwrite=overwrite)
    unfinished = path.with_name(f".{path.name[:200]}.{secrets.token_hex(8)}.unfinished")
    try:
        new = os.open(unfinished, _NEW, 0o600)
    except OSError as problem:
        msg = f"{path}: can't be written: {problem.strerror}"
        raise ConfigError(msg) from problem
    try:
        with os.fdopen(new, "wb", buffering=_BUFFER) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _give_name(unfinished, path, overwrite=overwrite)
    except OSError as problem:
        msg = f"{path}: can't be written: {problem.strerror}; no file was left"
        raise BackupError(msg) from problem
    finally:
        unfinished.unlink(missing_ok=True)


def _check_target(path: Path, *, overwrite: bool) -> None:
    if path.is_dir():
        msg = f"{path} is a folder: name a file"
        raise ConfigError(msg)
    if not overwrite and os.path.lexists(path):
        raise _taken(path)


def _taken(path: Path) -> ConfigError:
    return ConfigError(
        f"{path} already exists: name another file, or replace it with overwrite=True"
    )


def _give_name(unfinished: Path, path: Path, *, overwrite: bool) -> None:
    if overwrite:
        unfinished.replace(path)
    else:
        try:
            # unlike a rename, it fails where another has made such a file meanwhile
            os.link(unfinished, path, follow_symlinks=False)
        except FileExistsError:
            raise _taken(path) from None
        except OSError:
            # a file system without hard links
            _check_target(path, overwrite=False)
            unfinished.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    # the name is on the disk only then; some file systems can't do that
    with suppress(OSError):
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """
    A file to read, which a link may name.

    Raises
    ------
    BackupError
        If it is not there, can't be read, or is not a file.
    """
    if path.exists() and not path.is_file():
        # a pipe can't be read twice, and would wait for ever
        msg = f"{path} is not a file"
        raise BackupError(msg)
    try:
        file = path.open("rb")
    except OSError as problem:
        msg = f"{path}: can't be read: {problem.strerror}"
        raise BackupError(msg) from problem
    with file:
        yield file


@contextmanager
def unnamed_file() -> Iterator[IO[bytes]]:
    """A file in the folder of temporary files, as long as the block lasts; for errors see ``in_unnamed_files``."""
    # its own end would raise again what there was no room for
    file = TemporaryFile()  # noqa: SIM115
    try:
        yield file
    finally:
        with suppress(OSError):
            file.close()


@contextmanager
def in_unnamed_files() -> Iterator[None]:
    """
    Tell of a folder of temporary files that can't be written to.

    Raises
    ------
    BackupError
        Instead of the error of the system.
    """
    try:
        yield
    except OSError as problem:
        msg = (
            f"the files that a restore into another number of partitions needs can't be written: {problem.strerror}; "
            "nothing was restored; TMPDIR names a folder with more room"
        )
        raise BackupError(msg) from problem
