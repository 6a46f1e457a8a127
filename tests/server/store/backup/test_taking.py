"""What a backup reads is data, whoever wrote it."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from dealdb import DealDatabase, StoreDamaged
from servers import Server

# room for the revisions of so many rows would take gigabytes
FORGED = b"400000000"


def test_no_room_is_made_for_rows_that_only_an_entry_of_the_log_claims(
    server: Server, tmp_path: Path
) -> None:
    target = tmp_path / "deals.backup"
    with DealDatabase.from_url(server.url) as db, server.client() as client:
        for n in range(3):
            db.save_deal({"id": n, "amount": n})
        db.query.find()
        entries = client.xrange("deals:log")
        entries[-1][1][b"height"] = FORGED
        client.delete("deals:log")
        for entry_id, fields in entries:
            client.xadd("deals:log", fields, id=entry_id)
        tracemalloc.start()
        with pytest.raises(StoreDamaged):
            db.backup(target)
        taken = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert taken < 100_000_000
        assert not target.exists()
