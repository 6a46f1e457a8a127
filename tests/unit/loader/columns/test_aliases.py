"""The table of header names: every name has its field, and the page says so."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from dealdb.loader.columns.aliases import key_of, names, places
from dealdb.loader.columns.headers import CLOSE_DATE, LOST_DATE, WON_DATE
from dealdb.model.schema import Schema

# names that stand for one field in one program and for another in others; cells decide
SHARED = {"opportunity", "dateclosed", "name", "kans"}


def test_every_name_means_one_field() -> None:
    shared = {key for key, found in places().items() if len(found) > 1}
    assert shared == SHARED
    assert set(names()) - {CLOSE_DATE, WON_DATE, LOST_DATE} == set(Schema.standard())


def test_the_page_shows_names_of_each_field() -> None:
    page = (Path(__file__).parents[4] / "docs" / "loading.md").read_text(encoding="utf-8")
    shown = dict(re.findall(r"^\| `(\w+)` \| (`.*`), … \|$", page, flags=re.MULTILINE))
    assert set(shown) == set(names()) - {WON_DATE, LOST_DATE}
    for field, listed in shown.items():
        aliases = re.findall(r"`([^`]+)`", listed)
        assert tuple(aliases) == names()[field][: len(aliases)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Société", "SOCIETE"),
        ("Probability (%)", "probability"),
        ("Fecha de creación", "fecha_de_creacion"),
    ],
)
def test_case_punctuation_and_accents_do_not_count(one: str, other: str) -> None:
    assert key_of(one) == key_of(other)


def test_an_umlaut_may_be_two_letters() -> None:
    assert places()[key_of("Währung")] == places()[key_of("Waehrung")]


def test_the_table_is_not_read_before_a_source_is() -> None:
    code = "import dealdb.cli.main, dealdb.loader, sys; from dealdb.loader.columns import aliases; "
    code += "sys.exit(aliases._table.cache_info().currsize)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
