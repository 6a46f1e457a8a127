"""A small table says what it said at any time, and reads nothing that it did not write."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given

from dealdb.errors import StoreDamaged
from dealdb.store.bounds.wall import Reading
from dealdb.store.tables.table import KeptRows

COLUMNS = ["key", "value"]
TEXTS = st.text(max_size=3)
STEPS = st.lists(
    st.none() | st.dictionaries(TEXTS, st.none() | TEXTS, min_size=1, max_size=4), max_size=6
)


def with_time(kept: KeptRows, ms: int) -> KeptRows:
    before, behind = kept.parts()
    return KeptRows.from_text(f"{before}{ms}{behind}".encode(), COLUMNS)


@given(STEPS)
def test_each_version_is_what_it_was(steps: list[dict[str, str | None] | None]) -> None:
    kept, said, history = KeptRows.nothing(COLUMNS), dict[str, str | None](), []
    for number, step in enumerate(steps, 1):
        if step is None:
            kept, said = kept.emptied(), {}
        else:
            rows = pl.DataFrame(
                list(step.items()), schema=dict.fromkeys(COLUMNS, pl.String), orient="row"
            )
            kept, said = kept.with_rows(rows), {**said, **step}
        kept = with_time(kept, number * 10)
        history.append({k: v for k, v in said.items() if v is not None})
    for number, expected in enumerate(history, 1):
        for ms in (number * 10, number * 10 + 9):
            assert dict(kept.live(ms).rows()) == expected
    assert kept.live(9).is_empty()
    assert dict(kept.live().rows()) == (history[-1] if history else {})


def document(**said: Any) -> bytes:
    rows = {"cleared": [], "versions": [1], "columns": [["a"], ["1"]], **said.pop("rows", {})}
    packed = base64.b64encode(zlib.compress(json.dumps(rows).encode())).decode()
    packed = said.pop("rows_text", packed)
    return json.dumps({"version": 1, "known": [5], "rows": packed, **said}).encode()


def test_a_document_is_read() -> None:
    assert KeptRows.from_text(document(), COLUMNS).live().rows() == [("a", "1")]


@pytest.mark.parametrize(
    "text",
    [
        b"", b"{}", b"[" * 100_000, b"\xff", document(version=2), document(known=[-1]), document(known=["x"]),
        document(known=[]), document(known=[5, 4]), document(rows={"versions": [2]}),
        document(rows={"versions": [True]}),
        document(rows={"columns": [["a"]]}), document(rows={"columns": [["a"], [1]]}),
        document(rows={"columns": [["a"], "1"]}), document(rows={"columns": [["a"], ["1", "2"]]}),
        document(rows={"columns": [["a" * 1000], ["1"]]}), document(rows={"cleared": [7]}),
        json.dumps({"version": 1, "known": [5], "rows": "?"}).encode(),
        json.dumps({"version": 1, "known": [5], "rows": base64.b64encode(b"x").decode()}).encode(),
        json.dumps({"version": 1, "known": [5], "rows": 3}).encode(),
    ],
    ids=lambda text: text[:20].decode(errors="replace"),
)  # fmt: skip
def test_what_nobody_wrote_is_damage(text: bytes) -> None:
    with (
        pytest.raises(StoreDamaged, match="the rates is not what dealdb wrote"),
        Reading("the rates"),
    ):
        KeptRows.from_text(text, COLUMNS)


def test_what_would_unpack_to_far_more_than_a_table_is_damage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dealdb.store.tables.table._MOST_BYTES", 2**20)
    many = base64.b64encode(zlib.compress(b" " * 2**21 + b"{}")).decode()
    test_what_nobody_wrote_is_damage(document(rows_text=many))
