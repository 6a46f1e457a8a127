"""What cells become: numbers, dates, probabilities, nulls, and the types of columns that nobody declared."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealdb.errors import LoadError, SchemaError
from dealdb.loader.cells.dates import dates, datetimes
from dealdb.loader.cells.numbers import decimals, integers, probabilities
from dealdb.model.decimals import plain_digits
from dealdb.model.schema import Field, FieldType
from dealdb.model.values import encode
from recorder import Recorder


@pytest.fixture
def store() -> Recorder:
    return Recorder()


def column(store: Recorder, name: str) -> list[object]:
    return [store.values(deal_id).get(name) for deal_id in store.deals]


def table(header: str, cells: list[str]) -> str:
    return f"id\t{header}\n" + "".join(f"{n}\t{cell}\n" for n, cell in enumerate(cells))


NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20)


@given(st.lists(NUMBERS, min_size=1))
def test_numbers_keep_every_digit(numbers: list[Decimal]) -> None:
    texts = pl.Series([format(number, "f") for number in numbers])
    assert decimals(texts).to_list() == [plain_digits(number) for number in numbers]


@given(st.lists(st.integers(-(10**9), 10**9), min_size=1), st.integers(0, 99))
def test_grouped_money_is_read_by_its_decimal_point(wholes: list[int], cents: int) -> None:
    us = pl.Series([f"${whole:,}.{cents:02}" for whole in wholes])
    eu = pl.Series([text.translate(str.maketrans("$,.", "€.,")) for text in us])
    plain = decimals(pl.Series([f"{whole}.{cents:02}" for whole in wholes]))
    assert decimals(us).to_list() == plain.to_list()
    assert decimals(eu, ",").to_list() == plain.to_list()


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("1,234.50", "1234.5"), ("17,50,000", "1750000"), ("$ 5", "5"), ("-$5", "-5"), ("$-5", "-5"),
        ("5 EUR", "5"), ("(1,200)", "-1200"), ("7-", "-7"), ("+3", "3"), ("1'000", "1000"),
        ("007", "7"), (".5", "0.5"), ("5.", "5"), ("-0.00", "0"), ("1e3", "1000"), ("1E-3", "0.001"),
        ("1\u202f234", "1234"), ("\u22125", "-5"),
        ("12,34", None), ("1.2.3", None), ("--5", None), ("0x10", None), ("five", None), ("5 5 5", None),
        ("1_000", None), ("٣", None), ("9" * 39, None), ("1e99", None),
    ],
)  # fmt: skip
def test_ways_to_write_a_number(cell: str, expected: str | None) -> None:
    assert decimals(pl.Series([cell, "1"])).to_list() == [expected, "1"]


def test_integers_are_whole_and_have_64_bits() -> None:
    cells = ["1,200", "3.00", "1.5", str(2**63 - 1), str(2**63), "-9223372036854775808"]
    expected = ["1200", "3", None, str(2**63 - 1), None, "-9223372036854775808"]
    assert integers(pl.Series(cells)).to_list() == expected


@pytest.mark.parametrize(
    ("cells", "expected", "note"),
    [
        (["1.234,50", "99"], ["1234.5", "99"], "decimal commas in 'amount'"),
        (["1.234,50 €", "soon 5"], ["1234.5"], "decimal commas in 'amount'"),
        (["€ 17,50", "1.234"], ["17.5", "1234"], "decimal commas in 'amount'"),
        (["1,234", "99"], ["1234", "99"], "commas in 'amount' separate thousands"),
        (["1,234.5", "12.25"], ["1234.5", "12.25"], "commas in 'amount' separate thousands"),
        (["12.25", "99"], ["12.25", "99"], None),
    ],
)
def test_the_column_decides_its_decimal_point(
    store: Recorder, tmp_path: Path, cells: list[str], expected: list[str], note: str | None
) -> None:
    report = store.load_text(tmp_path, table("amount", cells), name="x.tsv")
    assert [deal["amount"] for deal in store.deals.values()] == expected
    about = [text for text in report.notes if "amount" in text and "currencies" not in text]
    assert about == ([note] if note else [])


def test_the_caller_decides_the_decimal_point(store: Recorder, tmp_path: Path) -> None:
    store.load_text(tmp_path, table("amount", ["1,234"]), name="x.tsv", decimal_point=",")
    assert column(store, "amount") == [Decimal("1.234")]
    with pytest.raises(LoadError, match="decimal_point is one of"):
        store.load([], decimal_point="comma")


def test_a_column_that_mixes_decimal_points_rejects_the_commas(
    store: Recorder, tmp_path: Path
) -> None:
    report = store.load_text(tmp_path, table("amount", ["12.50", "12,50", "3"]), name="x.tsv")
    assert list(store.deals) == ["0", "2"]
    assert report.reasons == {"amount: not-a-number": 1}


def test_an_amount_may_need_more_places_than_its_field_has(store: Recorder, tmp_path: Path) -> None:
    store.load_text(tmp_path, table("amount", ["0.125", "12345678901234567890.01"]), name="x.tsv")
    assert store.schema()["amount"].describe() == "decimal(3)"
    assert column(store, "amount") == [Decimal("0.125"), Decimal("12345678901234567890.010")]


def test_a_number_fits_beside_any_other_or_is_rejected(store: Recorder, tmp_path: Path) -> None:
    cells = ["0." + "1" * 18, "-" + "9" * 20, "0." + "1" * 19, "9" * 21, "7"]
    report = store.load_text(tmp_path, table("amount", cells), name="x.tsv")
    assert list(store.deals) == ["0", "1", "4"]
    assert report.reasons == {"amount: not-a-number": 2}
    assert store.frame()["amount"].to_list() == [Decimal(cell) for cell in (*cells[:2], "7")]


def test_probabilities_of_a_model_keep_their_digits(store: Recorder, tmp_path: Path) -> None:
    store.load_text(
        tmp_path, table("probability", ["0.00001234567890123456789", "1"]), name="x.tsv"
    )
    assert store.frame()["probability"][0] == Decimal("0.00001234567890123456789")


@pytest.mark.parametrize(
    ("cells", "expected", "of_hundred"),
    [
        (["0.6", "1", "0"], ["0.6", "1", "0"], False),
        (["60", "1", "0.5"], ["0.6", "0.01", "0.005"], True),
        (["60%", "0.5"], ["0.6", "0.5"], False),
        (["33.333 %", "7"], ["0.33333", "0.07"], True),
    ],
)
def test_the_column_decides_the_scale_of_probabilities(
    store: Recorder, tmp_path: Path, cells: list[str], expected: list[str], of_hundred: bool
) -> None:
    report = store.load_text(tmp_path, table("Probability", cells), name="x.tsv")
    assert [deal["probability"] for deal in store.deals.values()] == expected
    assert ("'Probability' counts from 0 to 100" in report.notes) is of_hundred


def test_impossible_probabilities_are_rejected(store: Recorder, tmp_path: Path) -> None:
    report = store.load_text(
        tmp_path, table("probability", ["1000", "65", "-1", "101%"]), name="x.tsv"
    )
    assert list(store.deals) == ["1"]
    assert report.reasons == {"probability: not-a-probability": 3}
    assert probabilities(pl.Series(["0.5"]), ".", of_hundred=False).to_list() == ["0.5"]


@pytest.mark.parametrize(
    ("cell", "day", "moment"),
    [
        ("2026-01-31", "2026-01-31", "2026-01-31T00:00:00Z"),
        ("2026-1-5 6:49:18", "2026-01-05", "2026-01-05T06:49:18Z"),
        ("2026/01/05", "2026-01-05", "2026-01-05T00:00:00Z"),
        ("2018-12-19 00:00:00", "2018-12-19", "2018-12-19T00:00:00Z"),
        ("2018-12-19T23:30:00.5+02:00", "2018-12-19", "2018-12-19T21:30:00.5Z"),
        ("2018-12-19T01:30:00-0530", "2018-12-19", "2018-12-19T07:00:00Z"),
        ("1/31/2026 12:05 AM", "2026-01-31", "2026-01-31T00:05:00Z"),
        ("1/31/2026 12:05 pm", "2026-01-31", "2026-01-31T12:05:00Z"),
        ("31.12.2025", "2025-12-31", "2025-12-31T00:00:00Z"),
        ("5 Jan 2026", "2026-01-05", "2026-01-05T00:00:00Z"),
        ("Mon, January 5, 2026", "2026-01-05", "2026-01-05T00:00:00Z"),
        ("1201-03-04", "1201-03-04", "1201-03-04T00:00:00Z"),
        ("3201-03-04", "3201-03-04", "3201-03-04T00:00:00Z"),
        ("0001-01-01", "0001-01-01", "0001-01-01T00:00:00Z"),
        ("9999-12-31 23:59:59-01:00", "9999-12-31", None), ("0001-01-01 00:00+01:00", "0001-01-01", None),
        ("0000-01-01", None, None), ("2026-01-31 10:00+99:00", None, None),
        ("2026-02-30", None, None), ("13/13/2026", None, None), ("2018-12-19 25:00", None, None),
        ("2018-12-19 soon", None, None), ("1/31/26", "2026-01-31", "2026-01-31T00:00:00Z"), ("tomorrow", None, None),
        ("99 Foo 2026", None, None), ("2026-01", None, None),
    ],
)  # fmt: skip
def test_ways_to_write_a_date(cell: str, day: str | None, moment: str | None) -> None:
    cells = pl.Series([cell, "2026-01-01"])
    assert dates(cells, "us")[0].to_list() == [day, "2026-01-01"]
    assert datetimes(cells, "us").to_list() == [moment, "2026-01-01T00:00:00Z"]


@given(st.lists(st.datetimes(timezones=st.timezones() | st.just(UTC)), min_size=1))
def test_moments_are_those_of_the_standard_library(moments: list[datetime]) -> None:
    # texts have whole minutes of offset, and years that stay within four digits
    rounded = [
        moment.replace(tzinfo=timezone(timedelta(minutes=(moment.utcoffset() or timedelta()) // timedelta(minutes=1))))
        for moment in moments
        if 2 < moment.year < 9998
    ]  # fmt: skip
    field = Field("at", FieldType.DATETIME)
    texts = pl.Series([moment.isoformat() for moment in rounded], dtype=pl.String)
    assert datetimes(texts, "us").to_list() == [encode(moment, field) for moment in rounded]
    assert dates(texts, "us")[0].to_list() == [moment.date().isoformat() for moment in rounded]


@given(st.lists(st.datetimes(), min_size=1), st.sampled_from(" T"))
def test_the_quick_road_for_iso_moments_agrees_with_the_general_one(
    moments: list[datetime], between: str
) -> None:
    plain = pl.Series([moment.isoformat(between) for moment in moments])
    # a month by name sends the whole column over the general road
    general = pl.concat([plain, pl.Series(["5 Jan 2026"])])
    assert datetimes(plain, "us").to_list() == datetimes(general, "us").to_list()[:-1]
    days, n_dropped = dates(plain, "us")
    slow_days, n_slow = dates(general, "us")
    assert (days.to_list(), n_dropped) == (slow_days.to_list()[:-1], n_slow)


@pytest.mark.parametrize(
    ("cells", "expected", "note"),
    [
        (["31/01/2026", "03/04/2026"], [date(2026, 1, 31), date(2026, 4, 3)], "day first"),
        (["01/31/2026", "03/04/2026"], [date(2026, 1, 31), date(2026, 3, 4)], "month first"),
        (["03.04.2026"], [date(2026, 4, 3)], None),
        (["2026-04-03"], [date(2026, 4, 3)], None),
        (["04/04/2026"], [date(2026, 4, 4)], None),
    ],
)
def test_the_column_decides_the_order_of_its_dates(
    store: Recorder, tmp_path: Path, cells: list[str], expected: list[date], note: str | None
) -> None:
    report = store.load_text(tmp_path, table("created", cells), name="x.tsv")
    assert column(store, "created") == expected
    assert [text for text in report.notes if "first" in text] == (
        [f"{note} in dates of 'created'"] if note else []
    )


def test_another_column_of_the_file_may_decide(store: Recorder, tmp_path: Path) -> None:
    store.load_text(tmp_path, "id,created,signed\n1,03/04/2026,31/12/2025\n")
    assert store.values("1") == {"created": date(2026, 4, 3), "signed": date(2025, 12, 31)}


@pytest.mark.parametrize("cells", [["03/04/2026"], ["31/01/2026", "01/31/2026"]])
def test_dates_that_nothing_decides_are_asked_for(
    store: Recorder, tmp_path: Path, cells: list[str]
) -> None:
    with pytest.raises(LoadError, match=r"column 'created' .* say dates='us' or dates='eu'"):
        store.load_text(tmp_path, table("created", cells), name="x.tsv")
    assert store.batches == []
    report = store.load_text(tmp_path, table("created", cells), name="x.tsv", dates="eu")
    assert column(store, "created")[0] in (date(2026, 4, 3), date(2026, 1, 31))
    assert report.rejected == len(cells) - 1


def test_times_that_a_date_has_no_place_for_are_counted(store: Recorder, tmp_path: Path) -> None:
    cells = ["2018-12-19 00:00:00", "2018-12-19 19:51:13"]
    report = store.load_text(tmp_path, table("created", cells), name="x.tsv")
    assert column(store, "created") == [date(2018, 12, 19)] * 2
    assert "times of day dropped in 'created': 1; its field is a date" in report.notes


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1", "-20"], "int"),
        (["1", "2.5"], "decimal(2)"),
        (["0.5", "2.125"], "decimal(3)"),
        (["$1,234.50", "7"], "decimal(2)"),
        (["true", "FALSE"], "bool"),
        (["2026-01-31", "1201-05-05"], "date"),
        (["2026-01-31 10:00:00", "2026-01-31"], "datetime"),
        (["00123", "17"], "text"),
        (["12345678901234567890"], "text"),
        (["1", "one"], "text"),
        (["true", "1"], "text"),
        (["+49 170"], "text"),
        (["1e5"], "text"),
        (["3,4"], "decimal(2)"),
        (["3,4", "1,2,3"], "text"),
        (["60%", "5 %"], "decimal(2)"),
        (["60%", "5"], "text"),
        ([" 1750 ", "5"], "int"),
        ([" 17,50,000 ", "5"], "decimal(2)"),
        (["1\u00a0750", "2"], "decimal(2)"),
        (["CHF 1'750.50", "12"], "decimal(2)"),
        (["US$1,750"], "decimal(2)"),
        (["$5", "€6"], "text"),
        (["12.50", "12,50"], "text"),
        (["R5", "R10"], "text"),
        (["5k"], "text"),
        (["612 345 678"], "text"),
        ([" 2026-01-31 ", "31-Jan-26"], "date"),
        (["2026-02-30", "2026-03-01"], "text"),
        (["31/01/2026", "01/31/2026"], "text"),
        (["1.2.26"], "text"),
        (["5 marraskuuta 2026"], "text"),
        (["0000-00-00", "2026-01-31"], "date"),
        (["9999-12-31 23:59:59-01:00"], "text"),
        (["7", "N/A", "-"], "int"),
        (["x", "N/A"], "text"),
    ],
)
def test_columns_that_nobody_declared(
    store: Recorder, tmp_path: Path, cells: list[str], expected: str
) -> None:
    report = store.load_text(tmp_path, table("extra", cells), name="x.tsv")
    assert store.schema()["extra"].describe() == expected
    assert report.columns[1].type == expected
    assert report.rejected == 0


def test_ids_and_columns_named_so_are_text(store: Recorder, tmp_path: Path) -> None:
    store.load_text(tmp_path, "id,portal_id\n007,4727653\n")
    assert store.values("007") == {"portal_id": "4727653"}


def test_a_column_without_values_declares_nothing(store: Recorder, tmp_path: Path) -> None:
    report = store.load_text(tmp_path, "id,campaign\n1,\n2,-\n")
    assert "campaign" not in store.schema()
    assert report.columns[1].type == ""
    # as soon as it has values it has a type, and then empty cells clear
    store.load_text(tmp_path, "id,campaign\n1,5\n")
    store.load_text(tmp_path, "id,campaign\n1,\n")
    assert store.deals["1"] == {}


def test_text_keeps_what_stands_for_nothing_elsewhere(store: Recorder, tmp_path: Path) -> None:
    store.load_text(tmp_path, "id,name,owner,company,amount\n1,N/A,-,NULL,-\n2,Null, x ,None,n/a\n")
    assert store.deals == {
        "1": {"name": "N/A", "owner": "-"},
        "2": {"name": "Null", "owner": "x", "company": "None"},
    }


def test_a_field_keeps_its_type_over_loads(store: Recorder, tmp_path: Path) -> None:
    store.load_text(tmp_path, "id,seats,code\n1,5,x\n")
    report = store.load_text(tmp_path, "id,seats,code\n2,2.5,17\n3,many,18\n")
    assert store.schema()["seats"].describe() == "decimal(2)"
    assert store.values("2") == {"seats": Decimal("2.50"), "code": "17"}
    assert report.reasons == {"seats: not-an-integer": 1}


def test_the_caller_chooses_types(store: Recorder, tmp_path: Path) -> None:
    text = "id,Zip Code,seats,rate\n1,12345,1.5,2\n2,12346,3,0.5\n"
    types = {"Zip Code": "text", "seats": "int", "rate": "float"}
    report = store.load_text(tmp_path, text, types=types)
    assert store.values("2") == {"zip_code": "12346", "seats": 3, "rate": 0.5}
    assert report.reasons == {"seats: not-an-integer": 1}


def test_types_that_can_t_be(store: Recorder, tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="types: no column 'zap'; did you mean 'zip'"):
        store.load_text(tmp_path, "id,zip\n1,2\n", types={"zap": "text"})
    with pytest.raises(SchemaError, match="there is no type 'number'"):
        store.load_text(tmp_path, "id,zip\n1,2\n", types={"zip": "number"})
    with pytest.raises(SchemaError, match="can't become text"):
        store.load_text(tmp_path, "id,amount\n1,2\n", types={"amount": "text"})
    assert store.batches == []


def test_cells_name_the_currency_of_a_deal(store: Recorder, tmp_path: Path) -> None:
    report = store.load_text(
        tmp_path, table("amount", ["$1750", "2300 €", "CHF 5", "12", ""]), name="x.tsv"
    )
    assert column(store, "currency") == ["USD", "EUR", "CHF", None, None]
    assert "currencies of 'amount': CHF, EUR, USD" in report.notes
    assert "'$' in 'amount' is taken for USD" in report.notes


def test_one_currency_is_that_of_all_rows(store: Recorder, tmp_path: Path) -> None:
    store.load_text(tmp_path, table("amount", ["€ 5", "12", "-"]), name="x.tsv")
    assert store.deals == {
        "0": {"amount": "5", "currency": "EUR"},
        "1": {"amount": "12", "currency": "EUR"},
        "2": {"currency": "EUR"},
    }


def test_a_column_of_currencies_goes_before_signs(store: Recorder, tmp_path: Path) -> None:
    text = "id,amount,currency\n1,$5,cad\n2,€ 6,\n3,7,\n4,,€\n"
    store.load_text(tmp_path, text)
    assert column(store, "currency") == ["CAD", "EUR", None, "EUR"]


def test_rows_without_an_amount_keep_their_currency(store: Recorder, tmp_path: Path) -> None:
    store.load([{"id": "1", "currency": "USD"}])
    store.load([{"id": "1", "name": "A"}, {"id": "2", "amount": "5 €"}])
    assert store.values("1")["currency"] == "USD"
    assert store.values("2")["currency"] == "EUR"


def test_no_amount_is_a_percentage(store: Recorder, tmp_path: Path) -> None:
    report = store.load_text(tmp_path, table("amount", ["60%", "5"]), name="x.tsv")
    assert report.reasons == {"amount: not-a-number": 1}


def test_probabilities_of_a_frame_may_count_to_100(store: Recorder) -> None:
    report = store.load(pl.DataFrame({"id": ["1", "2"], "probability": [60.0, 100.0]}))
    assert [deal["probability"] for deal in store.deals.values()] == ["0.6", "1"]
    assert report.notes == ("'probability' counts from 0 to 100",)


def test_a_dollar_is_of_the_us_where_decimals_have_points(store: Recorder, tmp_path: Path) -> None:
    store.load_text(tmp_path, table("amount", ["$ 1.234,50", "$ 7"]), name="x.tsv")
    assert column(store, "currency") == ["$", "$"]
    store.load_text(tmp_path, table("amount", ["$1,234.50", "US$ 7", "CA$ 8"]), name="x.tsv")
    assert column(store, "currency") == ["USD", "USD", "CAD"]
