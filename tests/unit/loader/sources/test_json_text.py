"""JSON that comes in pieces."""

from __future__ import annotations

from decimal import Decimal

import pytest

from dealdb.errors import LoadError
from dealdb.loader.chunk import RowPlace
from dealdb.loader.sources.json_text import JsonText


def in_pieces(text: str, size: int = 1) -> JsonText:
    pieces = [(text[at : at + size], at + size) for at in range(0, len(text), size)]
    return JsonText("x", iter(pieces), 0)


@pytest.mark.parametrize("size", [1, 2, 100])
def test_values_and_their_places(size: int) -> None:
    text = in_pieces('["é",\n 12.50 ,{"a":[1]}]', size)
    assert (text.after_bracket(), text.next_character()) == ('"', "[")
    text.skip("[")
    assert text.value() == ("é", RowPlace(1, '"é"', 1))
    assert text.value() == (Decimal("12.50"), RowPlace(2, "12.50", 8))
    assert text.value()[0] == {"a": [1]}
    text.skip("]")
    assert (text.next_character(), text.after_bracket()) == ("", "")


@pytest.mark.parametrize("bad", ["", "{", "[1", "nul", '"a', "oops"])
def test_what_is_not_json_is_named_by_its_line(bad: str) -> None:
    text = in_pieces(f"1\n{bad}")
    text.value()
    with pytest.raises(LoadError, match="x, line 2: this is not JSON"):
        text.value()


def test_another_bracket_is_an_error_too() -> None:
    with pytest.raises(LoadError, match="line 1"):
        in_pieces("[").skip("{")


def test_what_python_can_not_hold_is_our_error() -> None:
    with pytest.raises(LoadError, match="x, line 1"):
        in_pieces("9" * 5_000, 10_000).value()
