"""The file of rows that were not loaded."""

from __future__ import annotations

import codecs
import csv
import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from io import TextIOWrapper
from itertools import chain, count, islice
from pathlib import Path
from typing import IO, Any

from dealdb.errors import LoadError
from dealdb.formats.formulas import guarded, unguarded
from dealdb.formats.output_file import begun, followed, is_stream
from dealdb.loader.chunk import Reject, unmarked

COLUMNS = ("source", "line", "offset", "column", "value", "code", "message", "raw")

# code of the line that isn't a rejected row
HEADER = "header"


# a row of a rejects file has at most so much of its source
_MOST_OF_A_LINE = 1024 * 1024
# where all of so many fail for one column, the rest will too
HOPELESS_ROWS = 500


class RejectsFile(AbstractContextManager["RejectsFile"]):
    """
    Writes rejected rows, and counts them; the file comes into being with the first one.

    Parameters
    ----------
    source
        What the first column says.
    header
        Delimiter and line of the column names of the source, which a corrected file needs to be loaded again.
    places
        Where to write: the first path that can be written is taken. Empty for a count without a file.
    append
        Whether rows that are in the file already stay there.
    named
        Whether the user has named the place: it may be a link to a file then, or a pipe.

    Attributes
    ----------
    path
        The file, or None while there is none.
    reasons
        Rejected rows by ``column: code``.
    """

    def __init__(
        self,
        source: str,
        header: tuple[str, str] | None,
        places: Iterable[Path],
        *,
        append: bool = False,
        named: bool = False,
    ) -> None:
        self.path: Path | None = None
        self.reasons: Counter[str] = Counter()
        self._source = source
        self._header = header
        self._places = list(places)
        self._append = append
        self._named = named
        self._file: IO[str] | None = None
        self._writer: Any = None

    def add(self, rejects: Iterable[Reject]) -> None:
        """
        Write some more rows.

        Raises
        ------
        LoadError
            If the file can't be written.
        """
        for reject in map(_with_headers, rejects):
            reason = f"{reject.column}: {reject.code}" if reject.column else reject.code
            self.reasons[reason] += 1
            self._keep(reject)
        self._flush()

    def note(self, rows: Iterable[Reject]) -> None:
        """
        Write some rows that were loaded without their bad cells; they don't count as rejected.

        Raises
        ------
        LoadError
            If the file can't be written.
        """
        for row in map(_with_headers, rows):
            also = f"; also bad: {', '.join(row.others)}" if row.others else ""
            self._keep(replace(row, message=f"{row.message}; loaded without it{also}"))
        self._flush()

    def _keep(self, reject: Reject) -> None:
        if not self._places:
            return
        if self._writer is None:
            self._open()
        self._write(reject)

    def _flush(self) -> None:
        if self._file:
            # what a killed load leaves has to be known for its own by the one that continues it;
            # and a file that is followed is looked at meanwhile
            self._file.flush()

    def n_without(self, code: str) -> int:
        """Rejected rows, but for those of a code."""
        return sum(n for reason, n in self.reasons.items() if not reason.endswith(code))

    def check_hope(self) -> None:
        """
        Stop a load of which every row so far fails for one column: one option mends it, and no row would be loaded.

        Raises
        ------
        LoadError
            If that is so, and the rows are many.
        """
        n_rejected = self.reasons.total()
        if n_rejected < HOPELESS_ROWS or len(self.reasons) != 1:
            return
        [reason] = self.reasons
        column, _, code = reason.rpartition(": ")
        if column:
            msg = (
                f"all {n_rejected:,} rows so far of {self._source} are rejected for column {column!r} ({code}); "
                f"nothing was loaded; mapping={{{column!r}: None}} leaves the column out"
            )
            raise LoadError(msg)

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def _write(self, reject: Reject) -> None:
        self._writer.writerow(
            (self._source, reject.line, reject.offset, reject.column, guarded(reject.value), reject.code,
             reject.message, guarded(reject.raw))
        )  # fmt: skip

    def _open(self) -> None:
        problem: OSError | None = None
        for place in self._places:
            try:
                file, is_new = self._opened(place)
            except OSError as reason:
                problem = reason
                continue
            self.path = place
            self._file = TextIOWrapper(file, encoding="utf-8", newline="")
            self._writer = csv.writer(self._file)
            if not is_new:
                return
            self._writer.writerow(COLUMNS)
            if self._header:
                delimiter, raw = self._header
                self._write(
                    Reject(
                        line=1,
                        value=delimiter,
                        code=HEADER,
                        message="names of the columns",
                        raw=raw,
                    )
                )
            return
        why = problem.strerror or problem if problem else ""
        msg = f"rejected rows can't be written to {self._places[0]}: {why}; choose another with rejects"
        raise LoadError(msg) from problem

    def _opened(self, place: Path) -> tuple[IO[bytes], bool]:
        """The file, and whether it has no rows yet."""
        if self._named:
            if is_stream(place):
                return place.open("wb"), True
            place = followed(place)
        if self._append and (there := _own_file(place, os.O_RDWR | os.O_APPEND)):
            there.seek(0, os.SEEK_END)
            return there, there.tell() == 0
        return begun(place), True


def _with_headers(reject: Reject) -> Reject:
    others = tuple(map(unmarked, reject.others))
    return replace(reject, column=unmarked(reject.column), others=others)


def default_place(source: str) -> Path:
    """
    Where the rejects of a source go by default: the working directory, and never over those of another source.

    The folder of the source is often one that others use, such as one of shared data.
    """
    name = Path(source).name
    names = chain([f"{name}.rejects.csv"], (f"{name}-{n}.rejects.csv" for n in count(2)))
    return next(place for place in map(Path, names) if _is_free(place, source))


def places_for(name: str | None, rejects: str | Path | bool) -> list[Path]:  # noqa: FBT001
    """
    Where the rejects file of a source may be, the best place first.

    Parameters
    ----------
    name
        Of the source; None where it has no name that a file could be called after.
    rejects
        A path, or whether there is to be a file at all.
    """
    if not isinstance(rejects, bool):
        return [Path(rejects)]
    if not rejects or name is None:
        return []
    here = default_place(name)
    # a user who may not write in the working directory may write where the file is
    return [here, Path(name).parent / here]


def _is_free(place: Path, source: str) -> bool:
    try:
        there = _own_file(place, os.O_RDONLY)
        if there is None:
            return True
        with TextIOWrapper(there, encoding="utf-8-sig", newline="") as file:
            # a line of somebody else's file may have no end
            rows = csv.reader(line[:_MOST_OF_A_LINE] for line in islice(_lines(file), 2))
            names, first = next(rows, None), next(rows, None)
    except (OSError, ValueError, csv.Error):
        return False
    # a load that was killed may have left one without a row
    return not names or (tuple(names) == COLUMNS and (first is None or first[0] == source))


def _lines(file: IO[str]) -> Iterator[str]:
    while line := file.readline(_MOST_OF_A_LINE):
        yield line


def _own_file(place: Path, flags: int) -> IO[bytes] | None:
    """
    A file of this user that is there; None where nothing is.

    Raises
    ------
    OSError
        If it is a link, a pipe or a file of somebody else, who may have put it there to have it written to.
    """
    try:
        found = os.open(place, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    there = os.fstat(found)
    if not stat.S_ISREG(there.st_mode) or there.st_uid != os.geteuid():
        os.close(found)
        msg = "it is not a file of yours"
        raise PermissionError(0, msg)
    return os.fdopen(found, "rb" if flags == os.O_RDONLY else "r+b")


def is_rejects_file(path: Path) -> bool:
    """Whether a file is one that ``RejectsFile`` wrote, whatever program saved it since."""
    with path.open("rb") as file:
        start = file.read(200).removeprefix(codecs.BOM_UTF8)
    first = start.splitlines()[0] if start else b""
    return re.split(rb"[,;\t]", first.replace(b'"', b"")) == [name.encode() for name in COLUMNS]


def restored(path: Path, folder: Path) -> tuple[Path, str, str | None]:
    """
    Rows of a rejects file in the form of their source: a file in ``folder``, its format and delimiter.

    Raises
    ------
    LoadError
        If it is damaged, or has rows of several sources.
    """
    try:
        rows = _saved(path)
    except (csv.Error, UnicodeError) as problem:
        msg = f"{path} can't be read as a file of rejected rows: {problem}"
        raise LoadError(msg) from problem
    if (
        any(None in (*row, *row.values()) for row in rows)
        or len({row["source"] for row in rows}) > 1
    ):
        msg = f"{path} is not a file of rejected rows of one source any more: each line has {len(COLUMNS)} cells"
        raise LoadError(msg)
    delimiter = unguarded(rows[0]["value"]) if rows and rows[0]["code"] == HEADER else None
    lines = [unguarded(row["raw"]) for row in rows]
    if delimiter is None:
        # an element of an array may go over several lines, where a line end is a blank like any other
        lines = [re.sub(r"[\r\n]+", " ", line) for line in lines]
    target = folder / "rejects"
    target.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="")
    return target, "csv" if delimiter else "jsonl", delimiter


def _saved(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        # a spreadsheet may have saved it with other separators
        names = file.readline()
        separator = next((each for each in ";\t" if each in names), ",")
        file.seek(0)
        return list(csv.DictReader(file, delimiter=separator))
