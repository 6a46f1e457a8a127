"""Words of a filter that mean a moment."""

from __future__ import annotations

import pytest

from dealdb.board.parts.parameters import asks_the_clock


@pytest.mark.parametrize("moment", ["now()", "NOW ()", "now", "current_timestamp"])
def test_a_moment_goes_on_however_it_is_written(moment: str) -> None:
    assert asks_the_clock(f"amount > 5 AND updated > {moment} - 1h")
    assert not asks_the_clock(f"name = '{moment}' OR created > today()")
