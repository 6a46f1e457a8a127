"""What tests of search share: words that meet, deals with them, and the index that a database keeps."""

from __future__ import annotations

import random
import threading
from typing import Any

import polars as pl
from hypothesis import strategies as st

from dealdb import DealDatabase
from dealdb.query.index import kept_index
from dealdb.query.index.token_index import LAST_PLACE

# few words, so that they meet: with typos, accents, a letter that stands for two, and what folds to something else
ACME = "\N{FULLWIDTH LATIN CAPITAL LETTER A}\N{FULLWIDTH LATIN CAPITAL LETTER C}me"
TEXT = f"""
acme acmes acne akme {ACME} renewal renewals renwal renewed real re zurich Zürich ZÜRICH strasse straße STRASSE strase
straxse pilot Pilot piolt pil pi 5 52 2026 2062 søren soren café cafe cafe\u0301 ﬁrm firm ①2 日本 한국 œuvre oeuvre ǆip
İstanbul istanbul κόσμος ΚΟΣΜΟΣ ½ x² x2 ma\u00adil e_mail e-mail naïve
"""
SPELLINGS = TEXT.split()
SEPARATORS = (" ", "-", ", ", "\u2014", "_", "\n", "/")
COLUMNS = ("id", "name", "company", "owner", "note")


def text(words: Any = SPELLINGS) -> st.SearchStrategy[str]:
    part = st.tuples(st.sampled_from(words), st.sampled_from(SEPARATORS)).map("".join)
    return st.lists(part, max_size=6).map("".join)


@st.composite
def frames(draw: st.DrawFn, least: int = 0) -> pl.DataFrame:
    n = draw(st.integers(least, 14))
    cell = st.none() | text()
    values = {name: draw(st.lists(cell, min_size=n, max_size=n)) for name in COLUMNS[1:]}
    if n and draw(st.booleans()):
        # more words than an index has places for
        values["note"][0] = (
            "re " * draw(st.integers(LAST_PLACE - 1, LAST_PLACE + 3)) + "acme renewal"
        )
    ids = draw(st.permutations([f"D{i}" for i in range(n)]))
    frame = pl.DataFrame({"id": ids, **values}, schema=dict.fromkeys(COLUMNS, pl.String))
    return frame.with_columns(pl.col("owner").cast(pl.Categorical))


asked = st.lists(st.sampled_from(SPELLINGS), min_size=1, max_size=3).map(" ".join)


FULL = "\N{FULLWIDTH LATIN CAPITAL LETTER F}ull"
WORDS = (
    "acme",
    "renewal",
    "renwal",
    "Zürich",
    "straße",
    "pilot",
    "globex",
    "re",
    "robot",
    FULL,
    "2026",
)
QUESTIONS = (
    "acme",
    "renewal zurich",
    "renwal",
    "strasse pil",
    "re",
    "robto",
    "full",
    "ann",
    "2026 globex",
    "5",
)
NAMES = ("name", "company", "owner", "note", "tag")


def made() -> None:
    """Wait for the index that is being made."""
    for thread in threading.enumerate():
        if thread.name == "dealdb-search-index":
            thread.join()


def deal(draw: random.Random, number: int) -> dict[str, object]:
    some = draw.sample(NAMES[:-1], draw.randint(0, 3))
    texts = {name: " ".join(draw.choices(WORDS, k=draw.randint(0, 4))) or None for name in some}
    return {"id": number, **texts, "owner": draw.choice(["Ann Lee", "Bo Acme"]), "stage": "Lead"}


def kept_of(db: DealDatabase) -> kept_index.KeptIndex:
    changes = db.query._source.snapshot().text_changes
    assert changes is not None
    return kept_index._KEPT[changes[0]]
