"""Deals with names that would be markup, and what is done to them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from connected import pause
from dealdb import DealDatabase

HOSTILE = ["<img src=x onerror=alert(1)>", "</script><b>", '"onload="x', "\u202eabc", "y" * 10_000]
# what would be there if one of them were not escaped, and what the board's policy forbids
MARKUP = re.compile(r"<img|</script><b>|<[^>]* onload=|style=")
TODAY = datetime.now(UTC).date()
LATER = TODAY + timedelta(days=30)


def change_deals(db: DealDatabase) -> str:
    """Save deals, change them in every way, and give the token from where the changes begin."""
    for n in range(8):
        day = TODAY - timedelta(days=40 + n)
        db.save_deal(
            {"id": f"D{n}", "name": HOSTILE[n % 5], "owner": HOSTILE[0], "stage": "Lead", "amount": 100 + n,
             "currency": ["EUR", "USD"][n % 2], "created": day, "expected_close": TODAY},
            at=datetime(day.year, day.month, day.day, tzinfo=UTC),
        )  # fmt: skip
    begin = db.changes().token
    # what changed is told by moments: two commits may not share one
    pause()
    db.update_deal("D0", stage="Won")
    db.update_deal("D1", stage="Lost", loss_reason=HOSTILE[1])
    db.update_deal("D2", stage="Demo", expected_close=LATER)
    db.update_deal("D3", amount=200)
    db.update_deal("D4", amount=50)
    db.delete_deal("D5")
    db.save_deal({"id": "N1", "name": "New", "stage": "Lead", "amount": "9.99", "currency": "EUR"})
    return begin
