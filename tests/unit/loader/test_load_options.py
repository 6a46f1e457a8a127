"""What can be chosen for a load, and what is kept of it for one that is resumed."""

from __future__ import annotations

from dataclasses import fields

import pytest

from dealdb.errors import ConfigError, LoadError
from dealdb.loader.load_options import POLICY_NAMES, ColumnOptions, LoadOptions
from dealdb.loader.writing.conflicts import POLICIES

# what may be another when a load is resumed: it changes neither the batches nor what they do
FREE = {
    "force",
    "everything",
    "dry_run",
    "resume",
    "strict",
    "rejects",
    "max_errors",
    "max_expansion",
    "durability",
}


def test_each_policy_can_be_chosen() -> None:
    assert set(POLICY_NAMES) == set(POLICIES)


def test_a_load_is_resumed_with_the_same_options() -> None:
    terms = LoadOptions(stages="stages.csv", on_conflict="skip").terms("its stages")
    assert set(terms) == {field.name for field in fields(LoadOptions) if field.init} - FREE
    assert (terms["stages"], terms["on_conflict"]) == ("its stages", "skip")


def test_the_columns_of_an_id_are_the_same_however_they_are_given() -> None:
    assert LoadOptions(id_from="Name").terms(None) == LoadOptions(id_from=["Name"]).terms(None)
    assert LoadOptions(id_from="row").ids_of_whole_rows
    assert LoadOptions(id_from=["row"]).ids_of_whole_rows


def test_generated_ids_are_a_column() -> None:
    assert LoadOptions().columns == ColumnOptions()
    chosen = LoadOptions(mapping={"Who": "owner"}, id_from=["Name"])
    assert chosen.columns.mapping == {"Who": "owner", "generated id": "id"}
    assert chosen.terms(None)["mapping"] == {"Who": "owner"}


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"batch_size": 5001}, LoadError, "batch_size is a whole number from 1 to 5000, not 5001"),
        ({"batch_size": 2.5}, LoadError, "batch_size is a whole number from 1 to 5000, not 2.5"),
        ({"batch_size": True}, LoadError, "batch_size is a whole number"),
        ({"max_errors": "x"}, LoadError, "max_errors is a whole number from 0 up, not 'x'"),
        ({"max_errors": -1}, LoadError, "max_errors is a whole number from 0 up, not -1"),
        ({"max_expansion": 0}, LoadError, "max_expansion is a whole number from 1 up, not 0"),
        ({"id_from": []}, LoadError, "id_from names the columns that make the id"),
        ({"id_from": ""}, LoadError, "id_from names the columns that make the id"),
        ({"on_conflict": "x"}, LoadError, "on_conflict is one of merge, replace, skip, error"),
        ({"durability": "x"}, ConfigError, "durability must be"),
        ({"dates": "uk"}, LoadError, "dates is one of 'us', 'eu', not 'uk'"),
        ({"decimal_point": ";"}, LoadError, "decimal_point is one of"),
        ({"resume": True, "dry_run": True}, LoadError, "a dry run resumes nothing"),
    ],
)
def test_what_makes_no_sense_is_refused(
    options: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        LoadOptions(**options)  # type: ignore[arg-type]
