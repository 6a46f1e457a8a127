"""An index that went through bytes, and left out what one process alone has, finds what a scan finds."""

from __future__ import annotations

from hashlib import sha256
from random import Random

import numpy as np
import polars as pl
from hypothesis import given, settings

from dealdb.query.index import index_file, kept_index
from dealdb.query.index.index_file import packed, unpacked, without_rows
from dealdb.query.index.indexed_search import IndexedSearch
from dealdb.query.index.token_index import token_index
from dealdb.query.results.search import searched, words_of
from examples import of_profile
from search_cases import COLUMNS, asked, frame, seeds, some_words


@settings(max_examples=of_profile(5))
@given(seeds)
def test_it_is_one_of_the_checkpoint(seed: int) -> None:
    draw = Random(seed)
    both = some_words(draw)
    checkpoint, other = (frame(draw, both) for _ in range(2))
    n = checkpoint.height
    changed = {i for i in range(n) if other.height and draw.random() < 0.3}
    # who makes the index has other texts in some rows, and rows after those of the checkpoint
    theirs = [other.row(i % other.height) if i in changed else checkpoint.row(i) for i in range(n)]
    live = pl.DataFrame([*theirs, *other.rows()], schema=checkpoint.schema, orient="row")
    rows = np.array(sorted(changed), np.uint32)
    index = unpacked(packed(without_rows(token_index(live, COLUMNS), rows, n)))
    words = words_of(asked(draw, both))
    # who reads it may have none of these, or others
    for now, since in ((checkpoint, []), (live, sorted(changed))):
        own = np.array(since, np.uint32)
        search = IndexedSearch(index, now.select(COLUMNS), None, own, now["id"])
        expected = searched(now, words, COLUMNS, 20)
        assert searched(now, words, COLUMNS, 20, None, search).rows() == expected.rows()


def test_rows_that_are_left_out_are_looked_at() -> None:
    checkpoint = pl.DataFrame({"name": ["acme", "pilot", "acme"]})
    live = pl.DataFrame({"name": ["globex", "pilot", "acme", "acme"]})
    index = without_rows(token_index(live, ["name"]), np.array([0], np.uint32), 3)
    search = IndexedSearch(unpacked(packed(index)), checkpoint, None, np.empty(0, np.uint32), None)
    assert sorted(search.found(["acme"], typos=False).scores()[0]) == [0, 2]
    assert len(search.found(["globex"], typos=False)) == 0


def test_another_form_has_another_name() -> None:
    """What is kept by one version must not be read by another that understands it in another way."""
    texts = ["Zürich renewal, Straße 5", "re " * 40, None, "ﬁrm", "café\u0301 ŁÓDŹ"]
    frame = pl.DataFrame(
        {"id": [*"ebcda"], "name": texts, "owner": ["Ann Lee", None] + ["Ann Lee"] * 3}
    )
    index = token_index(
        frame.with_columns(pl.col("owner").cast(pl.Categorical)), ["id", "name", "owner"]
    )
    said = (index.columns, index.labels.starts, index.labels.places)
    digest = sha256(repr(said).encode())
    for part in index_file._arrays(index):
        digest.update(part.tobytes())
    # where this differs, and on purpose, give the form another number: see ``_FORM``
    assert (kept_index._FORM.split(",")[0], digest.hexdigest()[:16]) == (
        "words 2",
        "ac3d0881b4f98761",
    )
