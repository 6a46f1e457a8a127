"""Columns of plain cells are taken in without a closer look, which would say the same."""

from __future__ import annotations

from typing import Literal

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dealdb.errors import LoadError
from dealdb.loader.cells import column_profile, dates
from dealdb.loader.cells.column_profile import readings
from dealdb.loader.cells.dates import date_readings
from dealdb.loader.chunk import Chunk, RowPlace
from dealdb.loader.columns import encode, profile
from dealdb.loader.columns.encode import encode_chunk
from dealdb.loader.columns.profile import Profile
from dealdb.loader.load_options import ColumnOptions
from dealdb.model.schema import Field, FieldType, Schema

CELLS = {
    "bool": ["true", "false", "True"],
    "int": ["0", "7", "-12", "123456789012345678", "1234567890123456789", "-0", "007"],
    "decimal": ["0.5", "-3.25", "12.50", "1.234", "0.123", "1234.5678", "5.", ".5", "-0.00", "1e5"],
    "date": ["2026-01-31", "0001-01-01", "2026-02-30", "0000-00-00", "9999-12-31"],
    "odd": [
        "",
        " 5",
        "1,234",
        "$5",
        "5 %",
        "-",
        "n/a",
        "31.01.2026",
        "2026-01-31 10:00",
        "a",
        "7\n",
    ],
}
ANY = [cell for cells in CELLS.values() for cell in cells]
COLUMNS = st.one_of(
    *(
        st.lists(st.sampled_from([*cells, None]), min_size=1, max_size=4)
        for cells in CELLS.values()
    ),
    st.lists(st.sampled_from([*CELLS["int"], *CELLS["decimal"], None]), min_size=1, max_size=4),
    st.lists(st.sampled_from([*ANY, None]), min_size=1, max_size=4),
)
KNOWN = [None, *(kind for kind in FieldType)]


def chunk_of(header: str, cells: list[str | None]) -> Chunk:
    ids = [str(n) for n in range(len(cells))]
    frame = pl.DataFrame({"id": ids, header: pl.Series(cells, dtype=pl.String)})
    return Chunk(frame=frame, locate=lambda rows: [RowPlace(row, "") for row in rows])


def taken(
    header: str,
    columns: list[list[str | None]],
    kind: FieldType | None,
    point: Literal[".", ","] | None,
) -> object:
    """What is known of a column by its chunks, and what becomes of them: texts, and rows that are rejected."""
    known = [Field(header, kind)] if kind else []
    found = Profile(
        ColumnOptions(decimal_point=point), Schema(1, (Field("id", FieldType.TEXT), *known))
    )
    chunks = [chunk_of(header, cells) for cells in columns]
    for chunk in chunks:
        found.add(chunk)
    try:
        plan = found.plan()
    except LoadError as problem:
        return str(problem)
    encoded = [encode_chunk(chunk, plan, ()) for chunk in chunks]
    texts = [{name: each.to_list() for name, each in one.columns.items()} for one in encoded]
    return found._columns._seen, plan, texts, [one.rejects for one in encoded]


@example("measure", [["1.234"]], None, None)
@example("measure", [["-0"], ["0.50", None]], None, None)
@example("measure", [["2026-01-31", "2026-02-30"]], None, None)
@example("measure", [["0000-00-00"]], FieldType.DATE, None)
@example("probability", [["0", "5"]], FieldType.FLOAT, None)
@given(
    st.sampled_from(["measure", "probability", "amount in cents"]),
    st.lists(COLUMNS, min_size=1, max_size=3),
    st.sampled_from(KNOWN),
    st.sampled_from([None, ".", ","]),
)
def test_plain_columns_become_what_a_look_at_their_cells_makes_of_them(
    header: str,
    columns: list[list[str | None]],
    kind: FieldType | None,
    point: Literal[".", ","] | None,
) -> None:
    at_first_sight = taken(header, columns, kind, point)
    with pytest.MonkeyPatch.context() as patch:
        for module in (profile, encode):
            patch.setattr(module, "plain_type", lambda _: None)
        assert at_first_sight == taken(header, columns, kind, point)


PARTS = [
    *(
        "1",
        "234",
        "2026",
        "\uff15",
        ".",
        ",",
        "-",
        "\u2212",
        " ",
        "\u00a0",
        "%",
        "/",
        "(",
        ")",
        ":",
        "+",
        "T",
    ),
    *(
        "$",
        "€",
        "EUR",
        "US$",
        "U$S",
        "kr.",
        "\u0440\u0443\u0431.",
        "SFr.",
        "Rs",
        "k",
        "thousand",
        "Millionen",
        "euros",
    ),
    *("Jan", "5", "märz", "de", "Mon", "th", "10:00", "PM", "e5", "region", "Ltd"),
]


@example([["U$S", "1"], ["kr.", "5"]])
@example([["\u2212", "\uff15"]])
@example([["5", " ", "Jan", " ", "2026"]])
@given(st.lists(st.lists(st.sampled_from(PARTS), min_size=1, max_size=6), min_size=1, max_size=3))
def test_texts_that_are_no_numbers_or_dates_at_first_sight_are_none(parts: list[list[str]]) -> None:
    texts = pl.Series(["".join(each) for each in parts])

    def found() -> list[frozenset[str]]:
        return [readings(texts), *(date_readings(texts, timed=timed) for timed in (False, True))]

    at_first_sight = found()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(column_profile, "_MAY_BE_NUMBER", "")
        patch.setattr(dates, "_TWO_NUMBERS", "")
        assert at_first_sight == found()
