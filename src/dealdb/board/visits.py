"""When somebody last looked at what changed: kept by their browser, and told to nobody else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from dealdb.board.page_request import whole_number
from dealdb.model.moments import epoch_ms, from_epoch_ms

# of a cookie
VISITS = "dealdb-visits"
YEAR_S = 365 * 24 * 3600
# who looks again after so long begins another visit
_VISIT = timedelta(minutes=30)


def visits_after(text: str | None, now: datetime) -> tuple[datetime | None, str]:
    """
    When the visit before this one ended, and what the browser is to keep.

    Parameters
    ----------
    text
        What it has kept: the last moments of the visit before and of the last one, in milliseconds.
    now
        This moment.

    Examples
    --------
    >>> day = datetime(2026, 1, 31, 9, 0, tzinfo=UTC)
    >>> first, kept = visits_after(None, day)
    >>> last, kept = visits_after(kept, day + timedelta(minutes=5))
    >>> again, kept = visits_after(kept, day + timedelta(hours=2))
    >>> first, last, again and again.isoformat()
    (None, None, '2026-01-31T09:05:00+00:00')
    """
    before, last = _read(text)
    if last is not None and now - last > _VISIT:
        before = last
    moments = ("" if each is None else str(epoch_ms(each)) for each in (before, now))
    return before, ".".join(moments)


def _read(text: str | None) -> tuple[datetime | None, datetime | None]:
    before, _, last = (text or "").partition(".")
    return _moment(before), _moment(last)


def _moment(text: str) -> datetime | None:
    ms = whole_number(text)
    return None if ms is None else from_epoch_ms(ms).astimezone(UTC)
