"""Whatever decoding raises is one error; ours and an interrupt are what they are."""

from __future__ import annotations

import json

import msgpack
import polars as pl
import pytest

from dealdb.errors import SchemaError, ServerUnavailable, StoreDamaged
from dealdb.store.bounds.wall import Reading, number_in, text, time_in, whole


@pytest.mark.parametrize(
    "decode",
    [
        lambda: json.loads("[" * 100_000),
        lambda: {"y": 1}["x"],
        lambda: [][1],
        lambda: b"\xff".decode(),
        lambda: 10**400 / 3.0,
        lambda: None.x,  # type: ignore[attr-defined]
        lambda: msgpack.unpackb(b"\x91" * 5_000),
        lambda: msgpack.unpackb(b"\xc1"),
        lambda: pl.read_ipc_stream(b"no stream"),
        lambda: (_ for _ in ()).throw(MemoryError()),
        lambda: (_ for _ in ()).throw(pl.exceptions.PanicException("out of range")),
        lambda: (_ for _ in ()).throw(SchemaError("a name of 200 letters")),
    ],
)
def test_what_decoding_raises_is_one_error(decode: object) -> None:
    about = r"^seq in 'deals:meta' is not what dealdb wrote"
    with pytest.raises(StoreDamaged, match=about) as told, Reading("seq in 'deals:meta'"):
        decode()  # type: ignore[operator]
    assert told.value.__cause__ is not None


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ServerUnavailable("gone"), SystemExit()])
def test_ours_and_interrupts_pass(error: BaseException) -> None:
    with pytest.raises(type(error)), Reading("a chunk"):
        raise error


def test_an_interrupt_that_polars_has_swallowed_passes() -> None:
    panic = pl.exceptions.PanicException("python function failed: KeyboardInterrupt: ")
    with pytest.raises((pl.exceptions.PanicException, StoreDamaged)), Reading("a chunk"):
        raise panic


def test_numbers_and_times_of_the_server() -> None:
    assert (number_in("rows", b"007"), number_in("rows", None)) == (7, 0)
    for found in (b"", b"-1", b"1e9", b"9" * 19, b" 1", "٣".encode()):
        with pytest.raises(StoreDamaged, match=r"^rows is not"):
            number_in("rows", found)
    with pytest.raises(StoreDamaged):
        time_in("time", b"253402300800000")


def test_numbers_and_texts_of_a_document() -> None:
    assert (whole(0), text("")) == (0, "")
    for found in (True, -1, 1.0, "1", None, 2**64):
        with pytest.raises(ValueError):
            whole(found)
    with pytest.raises(ValueError):
        text(None)
