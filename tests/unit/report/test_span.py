"""Days that a report looks at, and those that it compares them with."""

from __future__ import annotations

from datetime import date

import pytest

from dealdb.report.span import ReportSpan


@pytest.mark.parametrize(
    ("since", "until", "before"),
    [
        # the same weekdays, so that no weekend is compared with work days
        ("2026-11-23", "2026-11-24", ("2026-11-16", "2026-11-17")),
        ("2026-11-23", "2026-11-30", ("2026-11-16", "2026-11-23")),
        ("2026-11-02", "2026-11-28", ("2026-10-07", "2026-11-02")),
        ("2026-03-01", "2026-04-01", ("2026-02-01", "2026-03-01")),
        ("2026-01-01", "2027-01-01", ("2025-01-01", "2026-01-01")),
        ("2025-12-01", "2026-02-01", ("2025-10-01", "2025-12-01")),
    ],
)
def test_what_a_span_is_compared_with(since: str, until: str, before: tuple[str, str]) -> None:
    found = ReportSpan(date.fromisoformat(since), date.fromisoformat(until)).before
    assert (str(found.since), str(found.until)) == before
