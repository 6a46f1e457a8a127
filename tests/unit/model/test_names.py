"""Which name a person means, and what is said where there is no such name."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dealdb.errors import QueryError
from dealdb.model.names import (
    SHOWN_NAMES,
    alike,
    column_named,
    find_name,
    name_key,
    name_keys,
    nearest,
    unknown,
)


def test_a_name_is_found_whatever_its_case() -> None:
    assert find_name("AMOUNT", ["id", "amount"]) == "amount"
    assert find_name("straße", ["STRASSE"]) == "STRASSE"
    assert find_name("amonut", ["id", "amount"]) is None


def test_the_exact_name_goes_first_and_two_that_are_alike_are_none() -> None:
    assert find_name("Zip", ["zip", "Zip"]) == "Zip"
    assert find_name("ZIP", ["zip", "Zip"]) is None
    with pytest.raises(QueryError, match="no column 'ZIP'; did you mean"):
        column_named("ZIP", ["zip", "Zip"])


def test_the_error_says_which_name_was_wrong() -> None:
    with pytest.raises(QueryError) as caught:
        column_named("onwer", ["id", "owner"])
    assert str(caught.value) == "no column 'onwer'; did you mean 'owner'? the columns are id, owner"
    assert (caught.value.text, caught.value.position) == ("onwer", 0)


def test_where_none_is_near_only_those_that_exist_are_named() -> None:
    assert unknown("saved query", "zzz", ["big", "old"], plural="saved queries") == (
        "no saved query 'zzz'; the saved queries are big, old"
    )


def test_the_nearest_is_found_whatever_its_case_and_by_what_counts_of_a_name() -> None:
    assert "did you mean 'Amount'?" in unknown("column", "AMUONT", ["id", "Amount"])
    assert nearest("id", ["Deal - Id"], "columns") == "the columns are Deal - Id"
    found = nearest("id", ["Deal - Id"], "columns", key=lambda s: s.lower().removeprefix("deal - "))
    assert found == "did you mean 'Deal - Id'? the columns are Deal - Id"


def test_no_more_names_are_shown_than_anyone_reads() -> None:
    names = [f"f{n}" for n in range(SHOWN_NAMES + 1)]
    assert nearest("zzz", names[:-1], "columns").endswith(f"f{SHOWN_NAMES - 1}")
    message = unknown("column", "x" * 500, names)
    assert message.endswith(f"f{SHOWN_NAMES - 1}, … ({SHOWN_NAMES + 1} in all)")
    assert "x" * 81 not in message


def test_names_whose_ends_can_not_be_seen_are_in_quotes() -> None:
    names = ["Deal ID", "a, b", " c", "", "\x1b[31m"]
    assert nearest("zzz", names, "columns") == (
        r"the columns are Deal ID, 'a, b', ' c', '', '\x1b[31m'"
    )


names = st.text(
    st.sampled_from("aAbK \t\n\x1c~\u00a0\u200b\u212a\u00c9\u00e9e\u0301\u00df\u0130"), max_size=6
)


@given(st.lists(names | st.text(max_size=5)))
@example(["Ann", "ann\n", "ANN  ", "\x85ann", "\u212a", "k", "", " "])
def test_the_keys_of_a_column_are_those_of_its_names(given: list[str]) -> None:
    # few are read one by one, many as a column
    for more in ([], [f"{n} more" for n in range(1_000)]):
        every = [*given, *more]
        column = pl.Series(every, dtype=pl.String)
        assert name_keys(column).to_list() == [name_key(name) for name in every]
        groups: dict[str, list[str]] = {}
        for name in every:
            groups.setdefault(name_key(name), []).append(name)
        assert alike(column) == [group for group in groups.values() if len(group) > 1]
