"""History of each form, read as facts: small sources of the forms that programs have, and facts counted by hand."""

from __future__ import annotations

import gzip
import random
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealdb.errors import LoadError
from dealdb.loader.history.facts_read import FACT_SCHEMA, FactsRead
from dealdb.loader.history.read import read_facts
from dealdb.model.pipeline import Kind, Pipeline, Stage
from dealdb.store.encoding import FACT_COLUMNS, checked_facts
from examples import of_profile

DATA = Path(__file__).parents[3] / "data" / "history"


def read(name: str, **options: Any) -> FactsRead:
    found = read_facts(DATA / name, rejects=False, **options)
    # they are facts that the log takes
    checked_facts(found.frame.select(list(FACT_COLUMNS)))
    return found


def shown(found: FactsRead, deal: str | None = None) -> list[str]:
    """A line a fact: moment, field, operation where it is not to set, value."""
    moment = pl.col("at").cast(pl.Datetime("ms")).dt.strftime("%m-%d %H:%M:%S%.3f")
    frame = found.frame.filter(pl.col("id") == deal) if deal else found.frame
    assert dict(frame.schema) == dict(FACT_SCHEMA)
    assert found.frame["place"].to_list() == list(range(found.frame.height))
    rows = frame.select(moment, "field", "op", "value").rows()
    return [
        " ".join(
            part
            for part in (at.removesuffix(" 00:00:00.000").removesuffix(":00.000"), field,
                         "" if op == "set" else op, value)
            if part
        )
        for at, field, op, value in rows
    ]  # fmt: skip


def column(found: FactsRead, name: str) -> list[Any]:
    return found.frame[name].to_list()


def test_plain_rows() -> None:
    found = read("plain.csv")
    assert shown(found, "1") == [
        "01-05 12:00 amount 1000",
        "01-05 12:00 stage Lead",
        "01-12 stage Demo",
        "02-01 09:30:00.250 amount clear",
        "02-02 note unknown",
        "02-03 expected_close 2026-03-15",
        "03-01 delete",
    ]
    assert shown(found, "2") == [
        "01-12 expected_close 2026-03-31",
        "01-13 probability retract 0.6",
    ]
    assert shown(found, "3") == ["01-20 merge 2"]
    first = found.frame.row(0, named=True)
    assert (first["who"], first["source"], first["key"], first["precision"]) == (
        "Ann", "crm", "k2", "s",
    )  # fmt: skip
    assert set(column(found, "source")) == {"crm", "import"}
    assert found.frame.filter(pl.col("field") == "note")["value"].to_list() == [None]
    assert (found.read, found.imprecise, found.ties, found.formats) == (18, 5, 0, ("plain",))
    assert found.rejected == {
        "id: missing-id": 1, "at: not-a-moment": 1, "at: too-early": 1, "at: in-the-future": 1,
        "field: missing-field": 1, "amount: not-a-number": 1, "op: unknown-op": 1,
        "value: missing-survivor": 1,
    }  # fmt: skip
    assert [each.line for each in found.rejects] == [*range(12, 20)]
    assert "Lead" not in repr(found)


def test_rejected_rows_go_to_a_file_and_come_back(tmp_path: Path) -> None:
    path = tmp_path / "rejected.csv"
    found = read_facts(DATA / "plain.csv", rejects=path)
    assert found.rejects_file == path
    text = path.read_text()
    assert "4,soon,stage,Lead,,,," in text
    path.write_text(text.replace("4,soon", "4,2026-01-06"))
    again = read_facts(path, rejects=False)
    assert shown(again) == ["01-06 stage Lead"]


def test_wide_rows_are_states_of_which_the_differences_count() -> None:
    found = read("wide.csv")
    assert shown(found) == [
        "01-05 12:00 amount 1000",
        "01-05 12:00 expected_close 2026-03-15",
        "01-05 12:00 stage Lead",
        "01-05 12:00 tier gold",
        "01-12 12:00 stage Demo",
        "02-10 12:00 amount 1200",
        "02-10 12:00 closed 2026-02-10",
        "02-10 12:00 stage Closed Won",
        "02-10 12:00 tier clear",
        "02-20 12:00 closed clear",
        "02-20 12:00 expected_close 2026-04-30",
        "02-20 12:00 stage Demo",
    ]
    assert column(found, "who")[-1] == "Bob"


def test_a_state_that_lacks_a_name_leaves_the_field_as_it_is() -> None:
    rows = [
        {"id": 1, "at": "2026-01-05", "stage": "Lead", "amount": 5},
        {"id": 1, "at": "2026-01-06", "stage": "Demo"},
        {"id": 1, "at": "2026-01-07", "amount": None},
        {"id": 1, "at": "2026-01-08", "op": "delete"},
        {"id": 1, "at": "2026-01-09", "stage": "Demo"},
    ]
    assert shown(read_facts(rows)) == [
        "01-05 amount 5",
        "01-05 stage Lead",
        "01-06 stage Demo",
        "01-07 amount clear",
        "01-08 delete",
        "01-09 stage Demo",
    ]


def test_hubspot_properties_with_history() -> None:
    found = read("hubspot-history.json", stages=DATA / "stages.csv")
    assert shown(found) == [
        "01-05 12:00 amount 1000",
        "01-05 12:00 expected_close 2026-03-15",
        "01-05 12:00 stage demo",
        "01-20 12:00 amount clear",
        "01-20 12:00 expected_close 2026-03-30",
        "02-01 owner 44",
        "02-10 11:00 amount 1200",
        "02-10 12:00:00.500 closed 2026-02-10",
        "02-10 12:00:00.500 stage Signed",
        "03-01 delete",
        "01-30 merge 1",
        "02-01 merge 1",
    ]
    assert column(found, "id")[9:] == ["2", "8", "9"]
    by_field = dict(zip(column(found, "field"), column(found, "source"), strict=True))
    assert by_field["closed"] == "hubspot:automatic"
    assert by_field["stage"] == "hubspot:CRM_UI"
    assert column(found, "who")[6:9] == ["77", None, "77"]
    # "demo" has no label; rows are the versions, and the deletion
    assert (found.unknown_stages, found.read) == (1, 12)


def test_hubspot_closing_moves_without_a_type_are_told_by_the_moment() -> None:
    rows: list[dict[str, Any]] = [
        {"dealId": 1, "property": name, "value": value, "timestamp": at, "sourceType": "CRM_UI"}
        for name, value, at in (
            ("dealstage", "Demo", "2026-01-05T12:00:00Z"),
            ("closedate", "2026-03-15", "2026-01-05T12:00:00Z"),
            ("closedate", "2026-03-31", "2026-01-20T12:00:00Z"),
            ("dealstage", "Offer", "2026-01-21T12:00:00Z"),
            ("closedate", "2026-04-15", "2026-01-21T12:00:00Z"),
        )
    ]
    found = read_facts(rows)
    dates = found.frame.filter(pl.col("field") == "expected_close")
    assert dates["source"].to_list() == ["hubspot:CRM_UI", "hubspot:CRM_UI", "hubspot:automatic"]


def test_hubspot_versions() -> None:
    found = read("hubspot-versions.json")
    assert shown(found) == [
        "08-02 13:41:40.000 amount 500",
        "08-02 13:41:40.000 name Roof",
        "08-02 13:42:47.545 amount 19090",
    ]
    assert column(found, "at")[2] == 1470145367545
    assert (column(found, "precision"), found.read) == (["ms"] * 3, 3)


def test_airbyte_properties() -> None:
    found = read("airbyte.jsonl")
    assert shown(found) == [
        "01-05 12:00 expected_close 2026-03-31",
        "01-05 12:00 region 07",
        "01-05 12:00 stage demo",
    ]
    assert column(found, "source")[0] == "hubspot:automatic"
    assert column(found, "who") == [None, None, "5"]


def test_fivetran_stages_and_their_labels() -> None:
    found = read("fivetran-stages.csv", stages=DATA / "stages.csv", zone="Europe/Berlin")
    assert shown(found) == ["01-07 05:49:18.000 stage Demo", "01-09 07:07:07.000 stage s9"]
    assert (found.unknown_stages, column(found, "who")) == (1, ["5", None])
    assert read("fivetran-stages.csv").unknown_stages == 2


def test_merges_are_followed_and_circles_refused() -> None:
    found = read("fivetran-merges.csv")
    # of 1, which is merged into 2 and with it into 3, the first counts
    assert found.frame.select("id", "op", "value").rows() == [
        ("1", "merge", "2"),
        ("2", "merge", "3"),
    ]
    assert column(found, "precision") == ["ms", "ms"]
    assert set(column(found, "source")) == {"hubspot:late"}
    assert found.rejected == {"value: merge-circle": 2}


def test_moments_at_which_deals_entered_stages() -> None:
    found = read("hubspot-entries.csv")
    assert shown(found) == [
        "01-05 09:00 stage Demo",
        "02-10 10:00 stage Closed Won",
        "01-06 09:00 stage Demo",
    ]
    # the second has left a stage before it came
    assert (found.suspect, found.unknown_stages) == (1, 0)


def test_salesforce_states() -> None:
    found = read("OpportunityHistory.csv")
    assert shown(found) == [
        "01-05 12:00 amount 1000",
        "01-05 12:00 created 2026-01-05",
        "01-05 12:00 expected_close 2026-03-15",
        "01-05 12:00 probability 0.1",
        "01-05 12:00 stage Prospecting",
        "01-26 12:00 expected_close 2026-03-31",
        "02-10 12:00 amount 1200",
        "02-10 12:00 closed 2026-02-10",
        "02-10 12:00 probability 1",
        "02-10 12:00 stage Closed Won",
        "02-20 12:00 amount clear",
        "02-20 12:00 closed clear",
        "02-20 12:00 expected_close 2026-04-30",
        "02-20 12:00 probability 0.6",
        "02-20 12:00 stage Proposal",
    ]
    assert column(found, "who")[5] == "005Y"
    assert len(set(column(found, "key"))) == found.frame.height
    by_field = {(row["field"], row["at"]): row["source"] for row in found.frame.to_dicts()}
    assert by_field["closed", 1770724800000] == "salesforce:automatic"


def test_the_collection_says_which_stages_are_won() -> None:
    pipeline = Pipeline((Stage("Prospecting", Kind.WON), Stage("Closed Won", Kind.OPEN)))
    found = read("OpportunityHistory.csv", pipeline=pipeline, fields=["CloseDate"])
    assert shown(found)[:3] == [
        "01-05 12:00 closed 2026-03-15",
        "01-26 12:00 closed 2026-03-31",
        "02-10 12:00 closed clear",
    ]


def test_salesforce_fields_are_chained_by_their_values() -> None:
    found = read("OpportunityFieldHistory.csv")
    assert shown(found) == [
        "01-05 12:00 created 2026-01-05",
        "01-05 12:00 expected_close 2026-03-15",
        "01-05 12:00 owner Ann",
        "01-05 12:00 stage Lead",
        "02-01 12:00 description unknown",
        "02-01 12:00 owner Bob",
        "02-01 12:00 stage Offer",
        "02-01 12:00 stage Demo",
        "02-01 12:00 stage Offer",
        "02-10 12:00 closed 2026-02-10",
        "02-10 12:00 stage Closed Won",
        "02-01 12:00 amount 80",
    ]
    assert (found.ties, found.ignored, found.read) == (0, 1, 11)
    # when 006B was created, the source doesn't say
    assert found.openings.select("id", "at", "field", "value", "before").rows() == [
        ("006B", None, "amount", "60", 1769947200000)
    ]
    ids = read("OpportunityFieldHistory.csv", fields={"Owner": "id"})
    assert [value for value in column(ids, "value") if value] == [
        "005000000000001AAA",
        "005000000000002AAA",
    ]


def test_fivetran_rows_of_opportunities() -> None:
    found = read("fivetran-opportunities.csv")
    assert shown(found) == [
        "01-05 09:00 amount 100",
        "01-05 09:00 company 001A",
        "01-05 09:00 created 2026-01-05",
        "01-05 09:00 expected_close 2026-03-31",
        "01-05 09:00 name Roof",
        "01-05 09:00 owner 005A",
        "01-05 09:00 stage X1",
        "02-10 10:00 closed 2026-02-10",
        "02-10 10:00 probability 1",
        "02-10 10:00 stage X2",
        "02-10 10:00 delete",
    ]
    # a chance of 1000 % is none
    assert found.rejected == {"probability: not-a-probability": 1}
    assert column(found, "source")[6:] == [
        "salesforce", "salesforce:automatic", *["salesforce:late"] * 3,
    ]  # fmt: skip


def test_pipedrive_flow() -> None:
    found = read("pipedrive-flow.json", stages=DATA / "pipedrive-stages.csv")
    assert shown(found) == [
        "01-05 09:00 amount 100",
        "01-05 09:00 created 2026-01-05",
        "01-05 09:00 stage Lead",
        "01-12 09:00 stage Demo",
        "02-10 09:00 closed 2026-02-10",
        "02-10 09:00 stage Won",
        "02-12 09:00 closed clear",
        "02-12 09:00 stage Demo",
        "02-12 10:00 amount 250.5",
        "03-01 09:00 delete",
        "03-02 09:00 amount 250.5",
        "03-02 09:00 created 2026-01-05",
        "03-02 09:00 stage Demo",
    ]
    assert (found.ignored, found.unknown_stages, column(found, "who")[3]) == (1, 0, "3")


def test_pipedrive_changelog() -> None:
    pipeline = Pipeline((Stage("Verloren", Kind.LOST),))
    stages = DATA / "pipedrive-stages.csv"
    found = read("pipedrive-changelog.csv", stages=stages, pipeline=pipeline, zone="Europe/Berlin")
    assert shown(found) == [
        "01-12 08:00 probability 0.6",
        "01-12 08:00 stage 2",
        "01-20 08:00 expected_close 2026-04-30",
        "02-10 22:30 closed 2026-02-10",
        "02-10 22:30 loss_reason Price",
        "02-10 22:30 stage Verloren",
    ]
    assert column(found, "source")[:2] == ["pipedrive:api", "pipedrive:app"]
    assert found.openings.select("field", "value").rows() == [
        ("expected_close", "2026-03-15"),
        ("stage", "Lead"),
    ]
    assert (found.unknown_stages, found.suspect) == (1, 0)


def test_a_page_of_pipedrive_that_may_not_be_the_last() -> None:
    rows: list[dict[str, Any]] = [
        {"deal_id": deal, "field_key": "value", "old_value": n, "new_value": n + 1, "time": n * 60}
        for deal, most in ((1, 500), (2, 499))
        for n in range(most)
    ]
    for row in rows:
        row["time"] = f"2026-01-05 {row['time'] // 3600:02}:{row['time'] // 60 % 60:02}:00"
    found = read_facts(rows)
    assert (found.suspect, found.frame.height) == (1, 999)
    assert "500" in found.notes[0]


def test_forms_are_told_by_their_headers() -> None:
    with pytest.raises(LoadError, match=r"its columns are id, stage; expected .*id, at, field"):
        read_facts([{"id": 1, "stage": "Lead"}])
    rows = [
        {"id": 1, "at": "2026-01-05", "field": "stage", "value": "Lead"},
        {"OpportunityId": 1, "CreatedDate": "2026-01-05", "StageName": "Lead"},
    ]
    with pytest.raises(LoadError, match=r"mixes .*\(plain, salesforce-history\).*OpportunityId"):
        read_facts(rows)
    with pytest.raises(LoadError, match="no history that can be read as hubspot"):
        read("plain.csv", format="hubspot")
    with pytest.raises(LoadError, match="there is no form of history 'sap'"):
        read("plain.csv", format="sap")
    with pytest.raises(LoadError, match="add a column deal_id"):
        read_facts([{"field_key": "a", "old_value": "1", "new_value": "2", "time": "2026-01-05"}])
    with pytest.raises(LoadError, match="there is no time zone 'Mars'"):
        read("plain.csv", zone="Mars")
    with pytest.raises(LoadError, match="mapping: no column 'Dealstage2'"):
        read("airbyte.jsonl", mapping={"Dealstage2": "stage"})
    assert read("plain.csv", format="plain").formats == ("plain",)
    assert read("airbyte.jsonl", format="hubspot").formats == ("hubspot-properties",)


def test_dates_that_can_be_read_both_ways_are_refused() -> None:
    rows = [{"id": 1, "at": "03/04/2026", "field": "stage", "value": "Lead"}]
    with pytest.raises(LoadError, match="both as day/month and as month/day"):
        read_facts(rows)
    rows = [{"id": 1, "at": "2026-01-05", "field": "closed", "value": "03/04/2026"}]
    with pytest.raises(LoadError, match=r"'closed' can be read.*write dates as 2026-01-31"):
        read_facts(rows)


def test_columns_and_fields_by_other_names() -> None:
    rows = [
        {"Deal": 1.0, "When": datetime(2026, 1, 5, 9), "field": "Phase", "value": "Lead"},  # noqa: DTZ001
        {"Deal": 1.0, "When": datetime(2026, 1, 6, 9), "field": "Tier", "value": 0.1 + 0.2},  # noqa: DTZ001
    ]
    found = read_facts(rows, mapping={"Deal": "id", "When": "at", "Phase": "stage", "Tier": None})
    assert found.frame.select("id", "field", "value").rows() == [("1", "stage", "Lead")]
    frame = pl.DataFrame(rows).with_columns(pl.col("Deal").cast(pl.String).str.head(1))
    assert read_facts(frame, mapping={"Deal": "id", "When": "at", "Phase": "stage"}).read == 2


def test_values_are_what_a_load_makes_of_them() -> None:
    rows = [
        {"id": 1, "at": "2026-01-05", "field": field, "value": value}
        for field, value in (
            ("amount", "EUR 1,234.50"), ("probability", "60"), ("created", "31.12.2025"),
            ("closed", "2026-01-05 09:30:00"), ("own", " 007 "), ("owner", "Ann"),
        )
    ]  # fmt: skip
    assert shown(read_facts(rows)) == [
        "01-05 amount 1234.5",
        "01-05 closed 2026-01-05",
        "01-05 created 2025-12-31",
        "01-05 currency EUR",
        "01-05 own  007 ",
        "01-05 owner Ann",
        "01-05 probability 0.6",
    ]


def test_zones_and_days() -> None:
    rows = [
        {"id": 1, "at": at, "field": "stage", "value": str(n)}
        for n, at in enumerate(
            ["2026-03-31T22:30", "2026-03-29 02:30:00", "2026-04-01", "2026-04-01T00:00:00+02:00",
             "1/31/2026 2:00 PM"]
        )
    ]  # fmt: skip
    found = read_facts(rows, zone="Europe/Berlin")
    assert shown(found) == [
        "01-31 13:00 stage 4",
        # an hour that the clocks skipped
        "03-29 01:30 stage 1",
        "03-31 20:30 stage 0",
        "03-31 22:00 stage 2",
        "03-31 22:00 stage 3",
    ]
    # of a day and a second at its beginning, the day comes first: nothing but their places orders others
    assert found.ties == 2
    later = read_facts(rows, zone="Europe/Berlin", now_ms=1_774_000_000_000)
    assert later.rejected == {"at: in-the-future": 4}


def test_ties_are_counted() -> None:
    rows: list[dict[str, Any]] = [
        {"id": 1, "at": "2026-01-05", "field": "stage", "value": "Demo"},
        {"id": 1, "at": "2026-01-05", "field": "stage", "value": "Lead"},
        {"id": 1, "at": "2026-01-05", "field": "stage", "value": "Lead"},
        {"id": 1, "at": "2026-01-05", "field": "amount", "value": "1"},
    ]
    found = read_facts(rows)
    assert shown(found) == ["01-05 amount 1", "01-05 stage Demo", "01-05 stage Lead"]
    assert (found.ties, found.repeated) == (2, 1)
    keyed = [{**row, "key": key} for row, key in zip(rows, ("b", "a", "a", "c"), strict=True)]
    found = read_facts(keyed)
    assert shown(found) == ["01-05 amount 1", "01-05 stage Lead", "01-05 stage Demo"]
    assert found.ties == 0


def test_compressed_files_and_an_empty_one(tmp_path: Path) -> None:
    packed = tmp_path / "plain.csv.gz"
    packed.write_bytes(gzip.compress((DATA / "plain.csv").read_bytes()))
    assert read_facts(packed, rejects=False).frame.equals(read("plain.csv").frame)
    empty = tmp_path / "empty.csv"
    empty.write_text("id,at,field,value\n")
    found = read_facts(empty)
    assert (found.frame.height, found.read, dict(found.frame.schema)) == (0, 0, dict(FACT_SCHEMA))


FORMS = sorted(
    path.name
    for path in DATA.iterdir()
    if path.suffix == ".csv" and not path.stem.endswith("stages.csv") and "stages" not in path.stem
)


@pytest.mark.parametrize("name", [*FORMS, "fivetran-stages.csv"])
@given(seed=st.integers(0, 10_000))
@settings(max_examples=2, deadline=None)
def test_any_order_of_rows_gives_the_same_facts(name: str, seed: int) -> None:
    rows = pl.read_csv(DATA / name, infer_schema=False).to_dicts()
    found = read_facts(rows)
    random.Random(seed).shuffle(rows)
    other = read_facts(rows)
    assert other.frame.equals(found.frame)
    assert other.openings.equals(found.openings)
    assert other.rejected == found.rejected


FACTS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.sampled_from("ab"),
            "at": st.sampled_from(["2026-01-05", "2026-01-05T12:00Z", "2026-01-06", "x"]),
            "field": st.sampled_from(["stage", "amount", "own"]),
            "value": st.sampled_from(["1", "2", "", "1.50"]),
            "op": st.sampled_from(["", "set", "clear", "retract", "unknown", "delete"]),
            "key": st.uuids().map(str),
        }
    ),
    max_size=30,
)


@given(FACTS, st.randoms())
@settings(max_examples=of_profile(0.5))
def test_plain_facts_in_any_order(rows: list[dict[str, str]], mixing: random.Random) -> None:
    columns = ("id", "at", "field", "value", "op", "key")
    source = pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String))
    found = read_facts(source)
    twice = read_facts(source)
    assert found.frame.equals(twice.frame)
    mixed = [*rows, *rows]
    mixing.shuffle(mixed)
    other = read_facts(pl.DataFrame(mixed, schema=dict.fromkeys(columns, pl.String)))
    assert other.frame.equals(found.frame)
    assert other.ties == found.ties == 0
    n_bad = sum(row["at"] == "x" for row in rows)
    assert sum(found.rejected.values()) == n_bad
    assert found.frame.height == len(rows) - n_bad


def test_real_copies_of_hubspot_and_salesforce_load_as_they_are(shared_data: Path) -> None:
    hubspot = shared_data / "fivetran_hubspot"
    stages = hubspot / "deal_pipeline_stage_data.csv"
    properties = read_facts(hubspot / "deal_property_history_data.csv", rejects=False)
    assert (properties.read, properties.frame.height) == (100, 100)
    assert properties.frame["id"].n_unique() == 96
    entered = read_facts(hubspot / "deal_stage_data.csv", stages=stages, rejects=False)
    assert (entered.frame.height, entered.frame["field"].unique().to_list()) == (14, ["stage"])
    merges = read_facts(hubspot / "merged_deal_data.csv", rejects=False)
    assert (merges.frame.height, merges.frame["value"].n_unique()) == (14, 6)
    rows = read_facts(
        shared_data / "fivetran_salesforce" / "sf_opportunity_history_data.csv", rejects=False
    )
    assert (rows.read, rows.frame["id"].n_unique()) == (10, 10)
    # one chance is 1000
    assert rows.rejected == {"probability: not-a-probability": 1}
    assert rows.frame.filter(pl.col("field") == "amount")["value"].sort().to_list() == [
        "1", "200000", "210000", "24120000",
    ]  # fmt: skip


def test_a_round_of_one_second_ends_where_it_ended() -> None:
    steps = ("Lead", "Demo", "Offer", "Demo", "Offer")
    rows: list[dict[str, Any]] = [
        {"deal_id": 1, "field_key": "title", "old_value": old, "new_value": new,
         "time": "2026-01-05 09:00:00"}
        for old, new in pairwise(steps)
    ]  # fmt: skip
    found = read_facts(rows[::-1])
    # without numbers, what is said twice is kept once, as the last of both
    assert column(found, "value") == ["Demo", "Offer"]
    assert (found.ties, found.repeated) == (0, 2)
    assert read_facts([*rows[:2], *rows[:2]]).frame["value"].to_list() == ["Demo", "Offer"]
    names = {
        "deal_id": "OpportunityId", "field_key": "Field", "old_value": "OldValue",
        "new_value": "NewValue", "time": "CreatedDate",
    }  # fmt: skip
    keyed = [
        {**{names[name]: cell for name, cell in row.items()}, "Field": "Name", "Id": f"k{9 - n}"}
        for n, row in enumerate(rows)
    ]
    found = read_facts(keyed)
    assert shown(found) == [f"01-05 09:00 name {step}" for step in steps[1:]]
    # keys alone tell the last one, too
    assert column(found, "key") == ["000000/k9", "000001/k6", "000002/k7", "000003/k8"]


def test_the_end_of_a_deal_can_be_retracted() -> None:
    rows = [
        {"id": 1, "at": "2026-01-05", "op": "delete", "field": None, "value": None},
        {"id": 1, "at": "2026-01-05", "op": "retract", "field": None, "value": None},
    ]
    found = read_facts(rows)
    assert found.frame.select("field", "value", "op").rows() == [
        (None, None, "retract"), (None, None, "delete"),
    ]  # fmt: skip


def test_rows_that_only_end_deals() -> None:
    rows = [
        {"id": 1, "at": "2026-01-05", "op": "Delete"},
        {"id": 2, "at": "2026-01-05", "op": "explode"},
    ]
    found = read_facts(rows)
    assert shown(found) == ["01-05 delete"]
    assert found.rejected == {"op: unknown-op": 1}


def test_a_workbook(tmp_path: Path) -> None:
    xlsxwriter = pytest.importorskip("xlsxwriter")
    path = tmp_path / "history.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        day = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        for row, cells in enumerate([("id", "at", "field", "value"), (7, None, "amount", 0.3)]):
            sheet.write_row(row, 0, cells)
        sheet.write_datetime(1, 1, datetime(2026, 1, 5, 9, 30), day)  # noqa: DTZ001
    found = read_facts(path)
    assert (column(found, "id"), shown(found)) == (["7"], ["01-05 09:30 amount 0.3"])


def test_stages_of_plain_rows_have_labels_too() -> None:
    rows = [
        {"id": 1, "at": f"2026-01-0{n}", "field": "stage", "value": value}
        for n, value in enumerate(("s1", "Demo", "s7"), 1)
    ]
    found = read_facts(rows, stages=DATA / "stages.csv")
    assert column(found, "value") == ["Demo", "Demo", "s7"]
    assert (found.unknown_stages, read_facts(rows).unknown_stages) == (1, 0)


STATES = st.lists(
    st.tuples(
        st.sampled_from("ab"),
        st.integers(1, 28),
        st.sampled_from(["Lead", "Demo", "Closed Won", "Closed Lost"]),
        st.sampled_from([None, "100.00", "250.50"]),
        st.sampled_from(["2026-03-31", "2026-04-30", "2026-05-31"]),
    ),
    max_size=25,
    unique_by=lambda row: row[:2],
)


@given(STATES, st.randoms())
@settings(max_examples=of_profile(1))
def test_the_facts_of_states_give_the_states_again(
    states: list[tuple[Any, ...]], mixing: random.Random
) -> None:
    names = ("OpportunityId", "CreatedDate", "StageName", "Amount", "CloseDate")
    rows = [
        dict(zip(names, (deal, f"2026-01-{day:02}T12:00:00Z", *rest), strict=True))
        for deal, day, *rest in states
    ]
    mixing.shuffle(rows)
    found = read_facts(pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String)))
    changes = found.frame.rows_by_key("id", named=True)
    expected: dict[str, str | None] = {}
    for deal, day, stage, amount, date in sorted(states):
        after = 1_767_225_600_000 + day * 86_400_000
        known = {
            each["field"]: each["value"] for each in changes[deal] if each["at"] < after
        }  # fmt: skip
        is_closed = stage.startswith("Closed")
        expected[deal] = expected.get(deal) if is_closed else date
        assert known["stage"] == stage
        assert known.get("amount") == (amount and amount.rstrip("0").rstrip("."))
        assert known.get("closed") == (date if is_closed else None)
        assert known.get("expected_close") == expected[deal]
        # each fact is a change
    for one, other in zip(found.frame.rows(), found.frame.rows()[1:], strict=False):
        assert (one[0], one[1], one[3]) != (other[0], other[1], other[3])
