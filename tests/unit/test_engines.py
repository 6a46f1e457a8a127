"""What an engine makes of an interrupt is turned back into it, and nothing else is."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import polars as pl
import pytest

from dealdb.engines import ENGINES, on_engines
from dealdb.errors import QueryError

PanicException = pl.exceptions.PanicException


class SoftTimeLimit(Exception):
    """What a task queue's handler raises."""


class Particular(Exception):
    """One that can't be made without being told what."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(what, why)


@on_engines
def fail(error: BaseException) -> None:
    raise error


@pytest.fixture
def _handler() -> Iterator[None]:
    """A handler of this program, as a traceback names it."""

    def on_time_limit(number: int, frame: object) -> None:
        raise SoftTimeLimit

    before = signal.signal(signal.SIGUSR1, on_time_limit)
    yield
    signal.signal(signal.SIGUSR1, before)


def raised_inside(kind: type[BaseException] | str, where: str) -> BaseException:
    """The panic of Polars over an exception that came out of Python."""
    name = kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"
    return PanicException(f"PyErr {{ type: <class '{name}'>, in {where} }}")


@pytest.mark.parametrize(
    "error",
    [
        PanicException("panic from Rust code"),
        raised_inside("KeyboardInterrupt", "default_int_handler"),
        TypeError("<unprintable KeyboardInterrupt object> is not a Polars data type"),
        pl.exceptions.ComputeError("KeyboardInterrupt: "),
        pl.exceptions.InvalidOperationError('conversion failed for ["<unprintable str object>"]'),
    ],
    ids=repr,
)
def test_an_interrupt_comes_out_as_one(error: BaseException) -> None:
    with pytest.raises(KeyboardInterrupt) as caught:
        fail(error)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_an_interrupt_comes_out_where_our_own_words_stand_before_it() -> None:
    @on_engines
    def fail_in_our_words() -> None:
        try:
            raise pl.exceptions.InvalidOperationError("KeyboardInterrupt: ")
        except pl.exceptions.PolarsError:
            raise QueryError("the filter can't be computed") from None

    with pytest.raises(KeyboardInterrupt):
        fail_in_our_words()


@pytest.mark.usefixtures("_handler")
def test_what_a_handler_raised_comes_out_by_its_class() -> None:
    with pytest.raises(SoftTimeLimit):
        fail(raised_inside(SoftTimeLimit, "on_time_limit"))
    # one that can't be made again, or is found nowhere
    for kind in (Particular, f"{__name__}.Missing"):
        with pytest.raises(KeyboardInterrupt):
            fail(raised_inside(kind, "on_time_limit"))


@pytest.mark.usefixtures("_handler")
@pytest.mark.parametrize(
    "error",
    [
        PanicException("index out of bounds"),
        raised_inside("ValueError", "some_function"),
        TypeError("7 is not a Polars data type"),
        pl.exceptions.ComputeError("no such column"),
        ValueError("KeyboardInterrupt"),
    ],
    ids=repr,
)
def test_any_other_error_stays_what_it_is(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught:
        fail(error)
    assert caught.value is error


def test_nothing_is_raised_where_nothing_was() -> None:
    with ENGINES, ENGINES:
        assert pl.Series([1, 2]).sum() == 3


def test_what_goes_wrong_after_an_interrupt_is_no_interrupt() -> None:
    try:
        fail(PanicException("panic from Rust code"))
    except KeyboardInterrupt:
        # as of who saves what there is before leaving
        with pytest.raises(QueryError, match="another"):
            fail(QueryError("another one"))
    else:
        pytest.fail("the interrupt is lost")
