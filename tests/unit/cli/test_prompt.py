"""What Tab offers at the prompt, for lines that end anywhere."""

from __future__ import annotations

import pytest

from dealdb.cli.prompt import DELIMITERS, candidates

COLUMNS = ["stage", "amount", "Deal Owner", "owner"]
VALUES = {
    "stage": ["Won", "Work in progress", "Lost"],
    "owner": ["Pat O'Brien", "Pat", "ann", "Ann-Marie", "Kim (sales), EU"],
    "Deal Owner": ["Zoe"],
    "amount": [],
}


def offered(line: str) -> list[str]:
    """Lines that Tab may make of one, its last word found as readline finds it."""
    start = max(line.rfind(delimiter) for delimiter in DELIMITERS) + 1
    words = candidates(line[start:], line[:start], COLUMNS, ["stats", "get"], VALUES.__getitem__)
    return [line[:start] + word for word in words]


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        ("am", ["amount"]),
        ("sta", ["stage", "stats"]),
        ("amount > 5 AND sta", ["amount > 5 AND stage"]),
        ("zz", []),
        ("stage = 'W", ["stage = 'Won'", "stage = 'Work in progress'"]),
        ("stage = '", ["stage = 'Won'", "stage = 'Work in progress'", "stage = 'Lost'"]),
        ("stage='w", ["stage='Won'", "stage='Work in progress'"]),
        ("STAGE <> 'Work i", ["STAGE <> 'Work in progress'"]),
        ("stage = 'Won'", []),
        ("stage = 'Won' AND own", ["stage = 'Won' AND owner"]),
        ("owner = 'Pat O", ["owner = 'Pat O''Brien'"]),
        ("owner = 'Pat o", ["owner = 'Pat O''Brien'"]),
        ("owner = 'pat O", []),
        ("(owner='K", ["(owner='Kim (sales), EU'"]),
        ("owner+'a", []),
        ("owner = 'Pat O'", []),
        ("owner = 'Pat O''", ["owner = 'Pat O''Brien'"]),
        ("owner = 'Pat O''Br", ["owner = 'Pat O''Brien'"]),
        ("owner = 'Pat O''Brien' OR owner = 'Kim (", ["owner = 'Pat O''Brien' OR owner = 'Kim (sales), EU'"]),
        ("owner = 'Kim (sales), ", ["owner = 'Kim (sales), EU'"]),
        ("owner = 'a", ["owner = 'ann'"]),
        ("owner IN ('Pat O''Brien', 'A", ["owner IN ('Pat O''Brien', 'Ann-Marie'"]),
        ("owner not in ('P", ["owner not in ('Pat O''Brien'", "owner not in ('Pat'"]),
        ("owner LIKE 'Ann", ["owner LIKE 'Ann-Marie'"]),
        ("\"Deal Owner\" = 'Z", ["\"Deal Owner\" = 'Zoe'"]),
        ("find \"stage = 'Lo", ["find \"stage = 'Lost'"]),
        ("SELECT * FROM deals WHERE stage = 'Lo", ["SELECT * FROM deals WHERE stage = 'Lost'"]),
        ("nothing = 'W", []),
        ("'W", []),
    ],
)  # fmt: skip
def test_a_line_becomes_a_valid_one(line: str, lines: list[str]) -> None:
    assert offered(line) == lines


COMMANDS = ["delete", "find", "export"]


def test_no_column_or_value_is_a_command() -> None:
    columns = ["delete 7 --yes", "de\x1b[2J", "dealt", 'de"l', "name"]
    assert candidates("de", "", columns, COMMANDS, VALUES.get) == ["dealt", "deals", "delete"]  # type: ignore[arg-type]
    assert candidates('"de', "", columns, COMMANDS, VALUES.get) == ['"delete 7 --yes"', '"de""l"']  # type: ignore[arg-type]


def test_no_value_ends_the_word_of_a_command_or_steers_the_terminal() -> None:
    values = {"name": ['W" --url redis://evil "', "W\x1b[2J", "W\u202e", "W\\", "Won"]}
    of = values.__getitem__
    assert candidates("'W", 'export f.csv "name = ', ["name"], COMMANDS, of) == ["'Won'"]
    # in a filter it is a value like any other
    assert candidates("'W", "name = ", ["name"], COMMANDS, of) == [
        "'W\" --url redis://evil \"'",
        "'W\\'",
        "'Won'",
    ]
