"""The wall around decoding: what dealdb did not write is one error, whatever the decoder says of it."""

from __future__ import annotations

from types import TracebackType

from dealdb.engines import is_interrupt
from dealdb.errors import DealDBError, SchemaError, StoreDamaged

# of a number that a commit, a row or a time can have: 64 bits hold it
_MAX_DIGITS = 18
# milliseconds since 1970; Python's calendar ends there
LAST_MS = 253_402_300_799_999


# whose errors come of decoding; the class of an error that a signal's handler raises is mostly the program's own
_DECODERS = (
    "builtins",
    "dealdb",
    "decimal",
    "json",
    "msgpack",
    "polars",
    "pyo3_runtime",
    "struct",
    "zlib",
)
# what handlers raise of Python's own, and no decoder does
_NO_DAMAGE = (TimeoutError, InterruptedError, ConnectionError)


def is_damage(problem: BaseException) -> bool:
    """
    Whether an error is what comes of decoding something that dealdb did not write.

    Errors of ours pass, but for that of a value that does not fit; so does what a signal's handler raises. A panic of
    Polars is no ``Exception``, and counts.
    """
    if isinstance(problem, DealDBError):
        return isinstance(problem, SchemaError)
    kind = type(problem)
    is_error = isinstance(problem, Exception) or kind.__name__ == "PanicException"
    if not is_error or isinstance(problem, _NO_DAMAGE):
        return False
    return kind.__module__.partition(".")[0] in _DECODERS and not is_interrupt(problem)


class Reading:
    """
    Around code that decodes what the server holds: whatever is wrong with it becomes ``StoreDamaged``.

    Nothing that talks to the server belongs in it.

    Parameters
    ----------
    place
        What is read, in words, with its key: the error begins with it.

    Examples
    --------
    >>> with Reading("the schema in 'deals:meta'"):
    ...     int("x")
    Traceback (most recent call last):
    dealdb.StoreDamaged: the schema in 'deals:meta' is not what dealdb wrote: ...
    """

    __slots__ = ("_place",)

    def __init__(self, place: str) -> None:
        self._place = place

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if problem is not None and is_damage(problem):
            raise damaged(self._place) from problem


def damaged(place: str) -> StoreDamaged:
    """Error for something that dealdb did not write."""
    return StoreDamaged(
        f"{place} is not what dealdb wrote: it was damaged, or another program changed it; "
        "dealdb doctor names the way out"
    )


def number_in(place: str, found: bytes | None) -> int:
    """
    Number that the server holds in digits; 0 for nothing.

    Raises
    ------
    StoreDamaged
        If it is something else.

    Examples
    --------
    >>> number_in("seq in 'deals:meta'", b"12"), number_in("seq in 'deals:meta'", None)
    (12, 0)
    """
    if found is None:
        return 0
    if not found.isdigit() or len(found) > _MAX_DIGITS:
        raise damaged(place)
    return int(found)


def time_in(place: str, found: bytes | None) -> int:
    """Time that the server holds, milliseconds since 1970; else as ``number_in``."""
    number = number_in(place, found)
    if number > LAST_MS:
        raise damaged(place)
    return number


def whole(found: object, most: int = 10**_MAX_DIGITS) -> int:
    """
    Number of a document, from 0 up; ValueError for anything else.

    Examples
    --------
    >>> whole(3)
    3
    """
    # True is an int
    if type(found) is not int or not 0 <= found <= most:
        msg = "not a number of this kind"
        raise ValueError(msg)
    return found


def text(found: object) -> str:
    """Text of a document; ValueError for anything else."""
    if type(found) is not str:
        msg = "not a text"
        raise ValueError(msg)
    return found
