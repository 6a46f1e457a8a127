"""Which character is the decimal point: the column says it, or the whole file, or the caller is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from dealdb.errors import LoadError
from recorder import Recorder


@pytest.fixture
def store() -> Recorder:
    return Recorder()


@pytest.mark.parametrize(
    ("text", "amounts"),
    [
        # semicolons and dates with points are ways of the continent
        ("id;amount;created\n1;1.234;31.01.2026\n2;25.000;28.02.2026\n", ["1234", "25000"]),
        ("id;amount\n1;12.500 €\n2;3.000 €\n", ["12500", "3000"]),
        ("id,amount,created\n1,1.234,31.01.2026\n", ["1234"]),
        # decimals of another column
        ("id,amount,discount\n1,1.234,\"0,5\"\n", ["1234"]),
        ("id,amount,score\n1,1.234,0.5\n", ["1.234"]),
        ("id,amount,created\n1,1.234,01/31/2026\n", ["1.234"]),
        ('id,amount,score\n1,"1,234",0.5\n', ["1234"]),
        ('id,amount,discount\n1,"1,234","0,5"\n', ["1.234"]),
        # its own
        ("id,amount\n1,1.234\n2,1.2345\n", ["1.234", "1.2345"]),
        ("id,amount\n1,1.234\n2,0.125\n", ["1.234", "0.125"]),
        ("id,amount\n1,1.234\n2,1.234.567\n", ["1234", "1234567"]),
        ("id;amount\n1;1 234,567\n", ["1234.567"]),
        # commas in threes are thousands but on the continent
        ('id,amount\n1,"1,234"\n', ["1234"]),
    ],
)  # fmt: skip
def test_the_file_settles_it(
    store: Recorder, tmp_path: Path, text: str, amounts: list[str]
) -> None:
    store.load_text(tmp_path, text)
    assert [deal["amount"] for deal in store.deals.values()] == amounts


@pytest.mark.parametrize(
    ("text", "with_commas"),
    [
        ("id,amount\n1,1.234\n2,99\n", "1234"),
        ("id;amount\n1;1,234\n", "1.234"),
        ('id,amount\n1,1.234\n2,"1,234"\n', "1234"),
        # a point as the decimal point elsewhere, and yet semicolons
        ("id;amount;score\n1;1.234;0.5\n", "1234"),
        ('id,amount,a,b\n1,1.234,"0,5",2\n2,1.500,"0,5",\n3,2.000,,0.5\n', "1234"),
    ],
)
def test_what_nothing_settles_is_asked_for(
    store: Recorder, tmp_path: Path, text: str, with_commas: str
) -> None:
    with pytest.raises(LoadError, match=r"column 'amount' .* decimal_point='.' or decimal_point="):
        store.load_text(tmp_path, text)
    assert store.batches == []
    store.load_text(tmp_path, text, decimal_point=",")
    assert store.deals["1"]["amount"] == with_commas


def test_a_field_with_three_decimals_says_it(store: Recorder, tmp_path: Path) -> None:
    store.load([{"id": "1", "amount": "0.5"}, {"id": "2", "amount": "0.125"}])
    store.load_text(tmp_path, "id,amount\n1,1.250\n")
    assert store.deals["1"]["amount"] == "1.25"


def test_probabilities_have_no_thousands(store: Recorder, tmp_path: Path) -> None:
    store.load_text(tmp_path, "id;probability\n1;12,125\n2;60,5\n")
    assert [deal["probability"] for deal in store.deals.values()] == ["0.12125", "0.605"]
