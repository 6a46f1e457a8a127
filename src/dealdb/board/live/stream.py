"""The stream of events that an open page listens to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from dealdb.board.live.client import LiveClient
from dealdb.board.page_request import whole_number

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from dealdb.board.guard import Receive, Scope, Send
    from dealdb.board.live.hub import LiveHub
    from dealdb.board.page_request import PageRequest

LIVE = "/live"
PING_S = 15.0
# how soon a browser whose link was cut tries again
_RETRY = b"retry: 1000\n\n"
# what the address of the stream has besides the options of its page
_OWN = ("path", "seq", "last", "day")
_BUSY = {"retry-after": "30"}


def live_endpoint(
    hub: LiveHub, asking: Callable[[Request, str], PageRequest]
) -> Callable[..., Any]:
    """
    The route of the stream: ``/live?path=/&seq=7`` and the options of the page.

    Parameters
    ----------
    hub
        The open pages.
    asking
        What a request asks for, of a page.
    """

    async def live(request: Request) -> Response:
        from dataclasses import replace

        from starlette.responses import PlainTextResponse, StreamingResponse

        options = request.query_params
        asked = asking(request, options.get("path", "/"))
        kept = [(name, value) for name, value in asked.options if name not in _OWN]
        if asked.path not in ("/", "/deals"):
            # all other pages show the same of it, but for where their links lead
            kept = [(name, value) for name, value in kept if name == "embed"]
        asked = replace(asked, options=kept)
        token = request.headers.get("last-event-id") or options.get("last")
        client = LiveClient(token, whole_number(options.get("seq")), options.get("day"))
        key = asked.path, tuple(kept), asked.locale.tag, asked.base
        if not hub.join(key, asked, client):
            return PlainTextResponse("too many pages are open\n", 503, headers=_BUSY)

        class Stream(StreamingResponse):
            async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
                try:
                    await super().__call__(scope, receive, send)
                finally:
                    # not in what gives the events: it may never begin
                    hub.leave(key, client)

        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return Stream(_events(client), media_type="text/event-stream", headers=headers)

    return live


async def _events(client: LiveClient) -> AsyncIterator[bytes]:
    yield _RETRY
    while (event := await client.next(PING_S)) is not None:
        yield event or b": ping\n\n"
