"""JSON read value by value from a text that comes in pieces, with the place of each value."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal

from dealdb.errors import LoadError
from dealdb.formats.exact_json import exact_number
from dealdb.loader.chunk import RowPlace
from dealdb.loader.sources.text_file import check_row

_BLANKS = re.compile(r"[\s,\ufeff]*")
_INSIDE = re.compile(r"\[\s*(\S)")
_NUMBERS = (int, float, Decimal)
# as many characters may follow what is taken for a number, and belong to it: 12|e+
_TAIL = 3
_CONSTANTS = {"NaN": None, "Infinity": float("inf"), "-Infinity": float("-inf")}
# JSON numbers never pass through a float: an amount arrives with the digits that the file has
DECODER = json.JSONDecoder(parse_float=exact_number, parse_constant=_CONSTANTS.__getitem__)


class JsonText:
    """
    A text of JSON, and how far it was read.

    Parameters
    ----------
    name
        What messages call it.
    pieces
        Its text, each piece with the bytes of the file read so far.
    first_offset
        Byte of the file where it begins, or None.
    """

    def __init__(
        self, name: str, pieces: Iterator[tuple[str, int]], first_offset: int | None
    ) -> None:
        self.name = name
        self.done = 0
        self._pieces = pieces
        self._text = ""
        self._at = 0
        self._line = 1
        self._offset = first_offset

    @property
    def place(self) -> RowPlace:
        """Where what comes next is."""
        return RowPlace(self._line, "", self._offset)

    def next_character(self) -> str:
        """The one that the next value or bracket begins with; empty at the end."""
        while True:
            found = _BLANKS.match(self._text, self._at)
            self._move(found.end() if found else self._at)
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._read_on():
                return ""

    def after_bracket(self) -> str:
        """First character inside the array that comes next; empty if the text ends before."""
        while not (found := _INSIDE.match(self._text, self._at)):
            if not self._read_on():
                return ""
        return found[1]

    def skip(self, character: str) -> None:
        """
        Go past a bracket or colon.

        Raises
        ------
        LoadError
            If something else stands there.
        """
        if self.next_character() != character:
            raise self.not_json()
        self._move(self._at + 1)

    def value(self) -> tuple[object, RowPlace]:
        """
        The next value, and where it is.

        Raises
        ------
        LoadError
            If there is none, or it ends too early.
        """
        self.next_character()
        while True:
            try:
                value, end = DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as problem:
                # twice as much, so that a value over many pieces is not read as often as there are pieces
                unread = len(self._text) - self._at
                if self._read_on():
                    while len(self._text) < 2 * unread and self._read_on():
                        pass
                    continue
                raise self.not_json() from problem
            except (ValueError, RecursionError) as problem:
                msg = f"{self.name}, line {self._line}: {problem}"
                raise LoadError(msg) from problem
            # a number near the end of the piece may continue in the next one, also behind its point or exponent
            is_cut = len(self._text) - end < (_TAIL if isinstance(value, _NUMBERS) else 1)
            if is_cut and self._read_on():
                continue
            place = RowPlace(self._line, self._text[self._at : end], self._offset)
            self._move(end)
            return value, place

    def not_json(self) -> LoadError:
        """The error for a text that can't be read from here on."""
        return LoadError(
            f"{self.name}, line {self._line}: this is not JSON, or an array or object ends too early"
        )

    def _read_on(self) -> bool:
        piece, self.done = next(self._pieces, ("", self.done))
        if not piece:
            return False
        self._text = self._text[self._at :]
        self._at = 0
        check_row(self.name, self._line, self._text)
        self._text += piece
        return True

    def _move(self, end: int) -> None:
        passed = self._text[self._at : end]
        self._line += passed.count("\n")
        if self._offset is not None:
            self._offset += len(passed.encode())
        self._at = end
