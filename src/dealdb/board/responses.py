"""Answers that say nothing of the deals by themselves: data of a page, static files, ways on, what is not there."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING
from urllib.parse import quote

from dealdb.board.guard import MOST_BODY
from dealdb.board.html import assets, rendered_alone
from dealdb.formats.cells import to_json

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from dealdb.board.page_request import PageRequest
    from dealdb.board.pages.page import BoardPage, Shown

_FOR_EVER = "public, max-age=31536000, immutable"


async def no_page(request: Request, _error: Exception) -> Response:
    """There is no such page."""
    from starlette.responses import HTMLResponse

    base = quote(request.scope.get("root_path", ""))
    return HTMLResponse(rendered_alone("no_page.html", base=base), 404)


async def too_large(_request: Request, _error: Exception) -> Response:
    """A body of too many bytes."""
    from starlette.responses import PlainTextResponse

    return PlainTextResponse(f"a body may have {MOST_BODY:,} bytes\n", 413)


def as_json(_page: BoardPage, _asked: PageRequest, shown: Shown) -> Response:
    """A page for programs."""
    from starlette.responses import Response

    return Response(to_json(shown.data()) + "\n", media_type="application/json")


def as_csv(_page: BoardPage, _asked: PageRequest, shown: Shown) -> Response:
    """The rows of a page."""
    from starlette.responses import StreamingResponse

    from dealdb.formats.text_form import TextForm

    # of a million deals it is too much for one text
    rows = TextForm(shown.rows() if shown.rows else shown.table).csv()
    return StreamingResponse(rows, media_type="text/csv")


async def asset_file(request: Request) -> Response:
    """A static file by its hashed name."""
    from starlette.responses import FileResponse, PlainTextResponse

    path = assets().get(f"/static/{request.path_params['name']}")
    if path is None:
        return PlainTextResponse("no such file\n", 404)
    return FileResponse(path, headers={"cache-control": _FOR_EVER})


def first_team(name: str) -> BaseRoute:
    """The way on from the root to the first of several collections."""
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
