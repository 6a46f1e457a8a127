"""zstd, which takes a package that not everybody has."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dealdb.errors import MissingExtra
from dealdb.formats.zstd import zstd_writer


def test_without_its_package_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with (
        (tmp_path / "x.zst").open("wb") as file,
        pytest.raises(MissingExtra, match=r"dealdb\[sql\].*gzip needs none"),
    ):
        zstd_writer(file)
