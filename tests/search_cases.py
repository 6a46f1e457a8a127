"""What tests of search share: words that meet, deals with them, and the index that a database keeps."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Sequence
from itertools import chain

import polars as pl
from hypothesis import strategies as st

from dealdb import DealDatabase
from dealdb.query.index import kept_index
from dealdb.query.index.token_index import LAST_PLACE

# words that meet: with typos, accents, letters that stand for two, and what folds to something else; a line with those
# that no index covers is one of its own, since their rows are in none
ACME = "\N{FULLWIDTH LATIN CAPITAL LETTER A}\N{FULLWIDTH LATIN CAPITAL LETTER C}me"
TEXT = f"""
acme acmes acne akme
acme acmes {ACME} re real
renewal renewals renwal renewed real re
zurich Zürich ZÜRICH strasse straße STRASSE strase straxse
pilot Pilot piolt pil pi
5 52 2026 2062 x² x2
søren soren cafe cafe\u0301 naïve e_mail e-mail
cafe café firm ﬁrm ①2 2
日本 한국 œuvre oeuvre ǆip zip
İstanbul istanbul κόσμος ΚΟΣΜΟΣ ½ ma\u00adil
"""
FAMILIES = [line.split() for line in TEXT.strip().splitlines()]
SEPARATORS = (" ", "-", ", ", "\u2014", "_", "\n", "/")
COLUMNS = ("id", "name", "company", "owner", "note")


# all of an example follows from one: drawn one by one, most cells would be empty, and most examples like those before
seeds = st.integers(0, 2**32)


def some_words(draw: random.Random) -> list[str]:
    """Few words, so that they meet."""
    return [*dict.fromkeys(chain.from_iterable(draw.sample(FAMILIES, draw.choice([1, 1, 2]))))]


def asked(draw: random.Random, words: Sequence[str]) -> str:
    """What is searched for."""
    return " ".join(draw.choices(words, k=draw.choice([1, 1, 1, 2, 3])))


def frame(draw: random.Random, words: Sequence[str], least: int = 0) -> pl.DataFrame:
    """Deals with texts of some words, so many at least."""
    n = draw.choice([least, draw.randint(least, 14), draw.randint(7, 14)])
    values = {name: [_text(draw, words) for _ in range(n)] for name in COLUMNS[1:]}
    if n and draw.random() < 0.2:
        # more words than an index has places for
        values["note"][0] = "re " * draw.randint(LAST_PLACE - 1, LAST_PLACE + 3) + "acme renewal"
    ids = draw.sample([f"D{i}" for i in range(n)], n)
    found = pl.DataFrame({"id": ids, **values}, schema=dict.fromkeys(COLUMNS, pl.String))
    return found.with_columns(pl.col("owner").cast(pl.Categorical))


def _text(draw: random.Random, words: Sequence[str]) -> str | None:
    if draw.random() < 0.2:
        return None
    return draw.choice(SEPARATORS).join(draw.choices(words, k=draw.choice([0, 1, 1, 2, 4])))


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


def steps(db: DealDatabase, draw: random.Random) -> Iterator[None]:
    """Changes of every kind, one after the other."""
    for number in range(12):
        db.save_deal(deal(draw, number))
    yield
    while True:
        match draw.randrange(9):
            case 0:
                db.delete_deal(draw.randrange(40))
            case 1:
                db.loader.load([deal(draw, draw.randrange(60)) for _ in range(30)], bar=False)
            case 2:
                db.save_deal({"id": draw.randrange(20), "tag": draw.choice(WORDS)})
            case 3 if "tag" in db.schema:
                db.drop_field("tag")
            case 4 if "note" in db.schema:
                db.rename_field("note", "remark")
            case 5 if "remark" in db.schema:
                db.rename_field("remark", "note")
            case 6:
                db.save_deal({"id": draw.randrange(20), "amount": draw.randrange(100)})
            case _:
                db.save_deal(deal(draw, draw.randrange(30)))
        yield


def kept_of(db: DealDatabase) -> kept_index.KeptIndex:
    first = next(each.log for each in db.query._source.snapshot().text_states if each.height)
    return kept_index._KEPT[first]


def uses_index(db: DealDatabase) -> bool:
    """Whether a search of the names would have an index now."""
    return kept_index.index_for(db.query._source.snapshot(), ["name"], None) is not None
