"""What is answered without a look at the deals: files, forwarding, and what there is not."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING
from urllib.parse import quote

from dealdb.board.guard import MOST_BODY
from dealdb.board.html import assets, rendered_alone

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

_FOR_EVER = "public, max-age=31536000, immutable"


async def no_page(request: Request, _error: Exception) -> Response:
    """A page that there is not."""
    from starlette.responses import HTMLResponse

    base = quote(request.scope.get("root_path", ""))
    return HTMLResponse(rendered_alone("no_page.html", base=base), 404)


async def too_large(_request: Request, _error: Exception) -> Response:
    """A body that is too large."""
    from starlette.responses import PlainTextResponse

    return PlainTextResponse(f"a body may have {MOST_BODY:,} bytes\n", 413)


async def asset_file(request: Request) -> Response:
    """A file of ``static``."""
    from starlette.responses import FileResponse, PlainTextResponse

    path = assets().get(f"/static/{request.path_params['name']}")
    if path is None:
        return PlainTextResponse("no such file\n", 404)
    return FileResponse(path, headers={"cache-control": _FOR_EVER})


def first_team(name: str) -> BaseRoute:
    """The way from the root to the first of several collections."""
    from starlette.routing import Route

    async def forward(request: Request) -> Response:
        return _forwarding(request, f"/{quote(name)}/")

    return Route("/", forward)


def _forwarding(request: Request, path: str) -> Response:
    from starlette.responses import HTMLResponse

    query = f"?{request.url.query}" if request.url.query else ""
    address = html.escape(quote(request.scope.get("root_path", "")) + path + query)
    icon = '<link rel="icon" href="data:,">'
    return HTMLResponse(
        f'<!doctype html>{icon}<meta http-equiv="refresh" content="0;url={address}">'
    )
