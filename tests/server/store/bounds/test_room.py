"""Rows that a collection can have had: many for each of its keys, as deals come and go, and no more."""

from __future__ import annotations

import pytest

from connected import connected
from dealdb import StoreDamaged
from dealdb.store.bounds.room import HARMLESS_CELLS, check_rows
from dealdb.store.keys import Keys
from servers import Server

N_FIELDS = 14
# a million whatever the database holds, and what ten deals may have had by a nightly job that makes them anew
MOST = HARMLESS_CELLS // N_FIELDS + 10 * 1_000


def test_rows_of_deals_that_came_and_went_have_room(server: Server) -> None:
    with connected(server) as connection, server.client() as client:
        for number in range(10):
            client.hset(f"deal:{number}", "name", "x")
        link, keys = connection.link(), Keys("deal")
        check_rows(link, keys, MOST, N_FIELDS, "the log")
        with pytest.raises(StoreDamaged, match=r"the log says that 'deal' has had 1,010,001 rows"):
            check_rows(link, keys, MOST + 1, N_FIELDS, "the log")
