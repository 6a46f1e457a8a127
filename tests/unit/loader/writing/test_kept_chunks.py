"""Chunks of a source that has several are read ahead, in a thread of their own."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import polars as pl
import pytest

from dealdb.loader.chunk import ROWS_A_CHUNK, Chunk
from dealdb.loader.sources.frames import FrameSource
from dealdb.loader.writing.kept_chunks import ahead


class _Read(FrameSource):
    """Rows of a frame that note which thread read them."""

    def __init__(self, n: int) -> None:
        super().__init__(pl.DataFrame({"id": map(str, range(n))}))
        self.threads: list[str] = []

    def chunks(self) -> Iterator[Chunk]:
        for chunk in super().chunks():
            self.threads.append(threading.current_thread().name)
            yield chunk


@pytest.mark.parametrize(
    ("n", "threads"),
    [(1_600, ["MainThread"]), (ROWS_A_CHUNK + 1, ["dealdb-read"] * 2)],
)
def test_only_what_comes_in_several_chunks_is_read_by_a_thread(n: int, threads: list[str]) -> None:
    source = _Read(n)
    assert sum(chunk.frame.height for chunk in ahead(source)) == n
    assert source.threads == threads
