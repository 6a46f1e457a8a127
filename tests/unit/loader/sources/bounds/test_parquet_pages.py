from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from dealdb.errors import LoadError
from dealdb.loader.sources.bounds.arrow_buffers import unpacked_bytes
from dealdb.loader.sources.bounds.parquet_pages import pages_of

FRAME = pl.DataFrame({"id": [str(n) for n in range(3000)], "note": ["x" * 400] * 3000})


def test_what_a_file_unpacks_to_is_known_before(tmp_path: Path) -> None:
    path = tmp_path / "deals"
    FRAME.write_ipc(path, compression="zstd")
    assert unpacked_bytes(path, "deals") >= 1_200_000 > path.stat().st_size
    FRAME.write_parquet(path, compression="zstd", row_group_size=1000)
    pages = pages_of(path, "deals")
    assert path.stat().st_size < pages.unpacked
    assert not pages.may_grow


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "deals"
    path.write_bytes(b"PAR1" + bytes(100))
    with pytest.raises(LoadError, match="it has no footer"):
        pages_of(path, "deals")
    with pytest.raises(LoadError, match="can't be read as Arrow"):
        unpacked_bytes(path, "deals")
