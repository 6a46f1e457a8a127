"""What a shell is offered: names of the database that the line names so far, and nothing where there is none."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from cli_runs import db_fixture  # noqa: F401 a fixture
from dealdb import DealDatabase
from dealdb.cli.completion import complete_columns, complete_pair
from servers import Server, free_port


def typed(**options: Any) -> Any:
    """The context of a command whose line has these options."""
    return SimpleNamespace(parent=None, params=options)


@pytest.fixture
def ctx(server: Server, db: DealDatabase) -> Any:
    db.save_deal({"id": 1, "name": "Acme", "stage": "Won", "note_of_mine": "x"})
    return typed(url=server.url)


@pytest.mark.parametrize(
    ("begun", "offered"),
    [
        ("o", ["owner"]),
        ("id,-own", ["id,-owner"]),
        ("-note_", ["-note_of_mine"]),
        ("nothing", []),
    ],
)
def test_columns(ctx: Any, begun: str, offered: list[str]) -> None:
    assert sorted(complete_columns(ctx, begun)) == offered


def test_fields_and_stages_of_a_pair(ctx: Any) -> None:
    assert complete_pair(ctx, "note_") == ["note_of_mine="]
    assert complete_pair(ctx, "stage=") == ["stage=Won"]
    assert complete_pair(ctx, "stage=L") == []


def test_options_in_front_of_the_command_count(ctx: Any) -> None:
    inner: Any = SimpleNamespace(parent=ctx, params={"collection": "empty"})
    assert complete_pair(inner, "note_") == []
    inner.params = {"collection": None}
    assert complete_pair(inner, "note_") == ["note_of_mine="]


def test_a_server_that_is_down_offers_nothing_and_says_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ctx = typed(url=f"redis://127.0.0.1:{free_port()}?retry_deadline_s=0.1")
    assert complete_columns(ctx, "na") == []
    assert capsys.readouterr() == ("", "")
