"""Health on a real socket, and a check that changes nothing."""

from __future__ import annotations

from boards import Browser
from dealdb import DealDatabase


def test_health_is_that_of_doctor_and_checks_on_demand(
    changed: tuple[DealDatabase, str], changed_board: Browser
) -> None:
    page = changed_board.data("/health.json")
    assert page["health"]["deals"] == len(changed[0])
    assert [each["check"] for each in page["findings"]] == [
        each.check for each in changed[0].examine()
    ]
    status, told = changed_board.change("/check", {})
    assert (status, told["ok"], told["deals"], told["differences"]) == (
        200,
        True,
        len(changed[0]),
        0,
    )
    assert changed_board.ask("/check")[0] == 405
