"""Events that wait for a page: in order, up to a bound, and given from any thread."""

from __future__ import annotations

import asyncio
import threading

from dealdb.board.live.client import MOST_WAITING, RELOAD, LiveClient


async def taken(client: LiveClient) -> list[bytes]:
    found = []
    while event := await client.next(0.05):
        found.append(event)
    return found


def test_events_come_in_order_from_another_thread_and_then_the_end() -> None:
    async def page() -> list[bytes]:
        client = LiveClient(None, None)

        def tell() -> None:
            for n in range(5):
                client.put(b"%d" % n)
            client.end()

        teller = threading.Thread(target=tell)
        teller.start()
        found = []
        while (event := await client.next(5)) is not None:
            found.append(event)
        teller.join()
        return [each for each in found if each]

    assert asyncio.run(page()) == [b"0", b"1", b"2", b"3", b"4"]


def test_a_page_that_is_slow_is_told_to_reload_and_nothing_more() -> None:
    async def page() -> tuple[list[bytes], bytes | None]:
        client = LiveClient(None, None)
        for n in range(MOST_WAITING + 10):
            client.put(b"%d" % n)
        return await taken(client), await client.next(0.05)

    assert asyncio.run(page()) == ([RELOAD], None)


def test_nothing_new_is_no_event() -> None:
    async def page() -> bytes | None:
        return await LiveClient(None, None).next(0.01)

    assert asyncio.run(page()) == b""


def test_a_page_whose_loop_is_gone_is_no_trouble() -> None:
    async def page() -> LiveClient:
        return LiveClient(None, None)

    client = asyncio.run(page())
    client.put(b"late")
    client.end()
