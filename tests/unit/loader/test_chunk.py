"""Marks behind headers that are patterns."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dealdb.errors import LoadError
from dealdb.loader.chunk import marked, telling, unmarked

PATTERNS = ["*", "^$", "^amount$", "^.*$", "^a\nb$", "^^$$", "^[$"]


@pytest.mark.parametrize("header", PATTERNS)
def test_a_marked_header_is_one_column(header: str) -> None:
    name = marked(header)
    assert name != header
    assert marked(name) == name
    frame = pl.DataFrame({name: [" x"], "amount": [" y"], "other": [" z"]})
    assert frame.select(pl.col(name)).columns == [name]
    assert frame[name].str.strip_chars().to_list() == ["x"]
    assert unmarked(name) == header


@given(st.text() | st.text("^$*a\u034f"))
@example("^*\u034f$")
@example("^a$\u034f\u034f*$")
def test_other_headers_stay(header: str) -> None:
    if marked(header) == header:
        frame = pl.DataFrame({header: [" x"], "\0other": [" y"]})
        assert frame[header].str.strip_chars().to_list() == ["x"]
    else:
        assert unmarked(marked(header)) == header


def test_messages_are_without_marks() -> None:
    with pytest.raises(LoadError) as caught, telling():
        raise LoadError(f"columns {marked('^a$')!r} and {marked('*')!r}, and {'^b'!r}")
    assert str(caught.value) == "columns '^a$' and '*', and '^b'"
