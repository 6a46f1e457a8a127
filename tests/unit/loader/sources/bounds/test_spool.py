from __future__ import annotations

import io
from contextlib import ExitStack

import pytest

from dealdb.errors import LoadError
from dealdb.loader.sources.bounds.spool import spool


def test_what_is_kept_can_be_read_again_and_again() -> None:
    with ExitStack() as keep:
        path = spool(io.BytesIO(b"id\n1\n"), keep, lambda *_: None)
        assert [path.read_bytes() for _ in range(2)] == [b"id\n1\n"] * 2
    assert not path.exists()


def test_neither_text_nor_a_table_is_refused() -> None:
    with ExitStack() as keep, pytest.raises(LoadError, match="neither text nor Parquet"):
        spool(io.BytesIO(bytes(100_000)), keep, lambda *_: None)
