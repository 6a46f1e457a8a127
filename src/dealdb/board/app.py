"""``app``: the board as an ASGI application."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from dealdb.board.changes import CHANGES, BoardChange, read_body
from dealdb.board.guard import (
    LOGIN,
    Guard,
    TooLargeError,
    cookie_name,
)
from dealdb.board.html import MarkedFault, environment, marked_fault, rendered
from dealdb.board.kept import Kept
from dealdb.board.live.hub import LiveHub
from dealdb.board.live.stream import LIVE, live_endpoint
from dealdb.board.login import LoginForm
from dealdb.board.page_request import PageRequest
from dealdb.board.pages.all import PAGES
from dealdb.board.pages.deal import near_ids
from dealdb.board.pages.page import BoardPage, Shown
from dealdb.board.parts.parameters import PREFIX, bound, parameters_of
from dealdb.board.parts.paths import deal_link
from dealdb.board.responses import (
    as_csv,
    as_json,
    asset_file,
    first_team,
    no_page,
    too_large,
)
from dealdb.board.sessions import Sessions
from dealdb.board.visits import VISITS, YEAR_S, visits_after
from dealdb.errors import (
    AccessDenied,
    ConfigError,
    ConflictError,
    DealDBError,
    DealNotFound,
    MissingExtra,
    NotOnPartitions,
    QueryError,
    StoreError,
)
from dealdb.formats.cells import to_json
from dealdb.formats.locale import locale_for

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from dealdb.database import DealDatabase

# pages that are made at a time; queries of one process share its cores
MOST_AT_ONCE = 10
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]+)?", re.IGNORECASE)
# a third of the time of the usual 9, for a tenth more bytes
_GZIP_LEVEL = 4
# what writes numbers and days of a language takes long to import
_USUAL_LANGUAGE = "en-US"
_SEEN = 200
# the first that fits; what is left is our fault
_STATUS: tuple[tuple[type[DealDBError], int], ...] = (
    (DealNotFound, 404),
    (ConflictError, 409),
    (AccessDenied, 403),
    (NotOnPartitions, 501),
    (StoreError, 503),
    (MissingExtra, 501),
    (DealDBError, 400),
)


def app(
    db: DealDatabase | Mapping[str, DealDatabase],
    *,
    sessions: Sessions | None = None,
    hosts: Collection[str] | None = None,
    embed_origins: Iterable[str] = (),
    read_only: bool = False,
) -> Guard:
    """
    The board, to be carried by a server for ASGI or mounted in another application.

    Parameters
    ----------
    db
        The collection; or several by the names that the switcher has, each below a path of its name.
    sessions
        Who may come in; None lets everyone in whom the application that mounts it lets through.
    hosts
        Names under which it may be called; None allows any.
    embed_origins
        Sites that may show pages in a frame, with ``?embed=1``; who signs in there is known in these frames alone.
    read_only
        Nothing can be changed.

    Raises
    ------
    MissingExtra
        If the extra ``board`` is not installed.
    ConfigError
        If there is no collection.

    Examples
    --------
    >>> from dealdb import DealDatabase
    >>> with DealDatabase.embedded(tmp_path) as db:
    ...     board = app(db, read_only=True)
    """
    try:
        from starlette.applications import Starlette
        from starlette.middleware import Middleware
        from starlette.middleware.gzip import GZipMiddleware
        from starlette.routing import Mount, Route
    except ImportError as error:
        msg = "the board needs the extra 'board': pip install 'dealdb[board]'"
        raise MissingExtra(msg) from error
    environment()
    teams = db if isinstance(db, Mapping) else {"": db}
    if not teams:
        msg = "a board needs a collection"
        raise ConfigError(msg)
    boards = {
        name: Team(name, each, tuple(teams), read_only=read_only, has_login=sessions is not None)
        for name, each in teams.items()
    }
    routes: list[BaseRoute] = []
    if sessions is not None:
        routes += [Route(LOGIN, LoginForm(sessions)), Route("/static/{name}", asset_file)]
    for name, team in boards.items():
        routes += [Mount(f"/{name}", routes=team.routes())] if name else team.routes()
    if "" not in boards:
        routes.insert(0, first_team(next(iter(boards))))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        close()

    def close() -> None:
        for team in boards.values():
            team.live.close()

    def warm_up() -> None:
        for team in boards.values():
            team.warm_up()

    _check_origins(embed_origins := tuple(embed_origins))
    inner = Starlette(
        routes=routes,
        lifespan=lifespan,
        exception_handlers={TooLargeError: too_large, 404: no_page},
        # streams of events are left as they are
        middleware=[Middleware(GZipMiddleware, compresslevel=_GZIP_LEVEL)],
    )
    return Guard(
        inner,
        sessions=sessions,
        hosts=hosts,
        embed_origins=embed_origins,
        on_close=close,
        on_warm_up=warm_up,
    )


def _check_origins(origins: Iterable[str]) -> None:
    for origin in origins:
        # they stand in a header, beside words that mean something there
        if not _ORIGIN.fullmatch(origin):
            msg = f"{origin!r} is no origin: write it as https://portal.example"
            raise ConfigError(msg)


class Team:
    """
    The pages of one collection.

    Parameters
    ----------
    name
        In the switcher; empty where there is one collection.
    db
        The collection.
    names
        Those of all.
    read_only
        Nothing can be changed.
    has_login
        Whether people sign in by the board's own form.

    Attributes
    ----------
    live
        Its open pages.
    """

    def __init__(
        self,
        name: str,
        db: DealDatabase,
        names: tuple[str, ...],
        *,
        read_only: bool,
        has_login: bool,
    ) -> None:
        from anyio import CapacityLimiter

        self._name = name
        self._db = db
        self._names = names
        self._read_only = read_only
        self._has_login = has_login
        self._limiter: CapacityLimiter | None = None
        self._kept = Kept()
        self.live = LiveHub(db)

    def routes(self) -> list[BaseRoute]:
        """Of all pages, each as HTML, JSON and CSV, and of the static files."""
        from starlette.routing import Route

        found: list[BaseRoute] = [Route(LIVE, live_endpoint(self.live, self._asked))]
        for page in PAGES:
            # the root has no name to which an ending could be added
            stem = page.path if page.path != "/" else "/board"
            found += [
                Route(f"{stem}.json", self._endpoint(page, as_json)),
                Route(f"{stem}.csv", self._endpoint(page, as_csv)),
                Route(page.path, self._endpoint(page, self._as_html)),
            ]
        for path, change in CHANGES.items():
            found.append(Route(path, self._change(change, path), methods=["POST"]))
        return [*found, Route("/static/{name}", asset_file)]

    def warm_up(self) -> None:
        """Make the first page, for nobody; what goes wrong is said by the page that somebody asks for."""
        asked = PageRequest(
            db=self._db, names={}, locale=locale_for(_USUAL_LANGUAGE), kept=self._kept
        )
        page = PAGES[0]
        with suppress(DealDBError):
            asked = asked.by_its_clocks()
            self._as_html(page, asked, page.show(asked))

    def _endpoint(
        self, page: BoardPage, answer: Callable[[BoardPage, PageRequest, Shown], Response]
    ) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            asked = self._asked(request, page.path)
            name = cookie_name(request.headers.get("host", ""), VISITS)
            last, kept = visits_after(request.cookies.get(name), datetime.now(UTC))
            asked = replace(asked, last_visit=last)
            response = await self.in_thread(lambda: self._answer(page, asked, answer))
            if page.is_visit and answer == self._as_html and response.status_code == _SEEN:
                path = asked.base or "/"
                response.set_cookie(
                    name, kept, max_age=YEAR_S, path=path, httponly=True, samesite="lax"
                )
            return response

        return endpoint

    async def in_thread(self, work: Callable[[], Response]) -> Response:
        """Do what waits for the server or counts deals, while others are answered."""
        from anyio import CapacityLimiter
        from anyio.to_thread import run_sync

        # it belongs to the loop that runs the application
        self._limiter = self._limiter or CapacityLimiter(MOST_AT_ONCE)
        return await run_sync(work, limiter=self._limiter)

    def _change(self, change: BoardChange, path: str) -> Callable[[Request], Any]:
        from starlette.responses import Response

        async def endpoint(request: Request) -> Response:
            kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != "application/json":
                # a form of any site can send the other kinds
                return Response("a change is of the type application/json\n", 415)
            asked, body = self._asked(request, path), await request.body()

            def changed() -> Response:
                try:
                    status, told = change(asked.by_its_clocks(), read_body(body))
                except DealDBError as error:
                    return self._problem(asked, error, as_html=False)
                return Response(to_json(told), status, media_type="application/json")

            return await self.in_thread(changed)

        return endpoint

    def _asked(self, request: Request, path: str) -> PageRequest:
        for name, value in request.path_params.items():
            path = path.replace(f"{{{name}}}", quote(value, safe=""))
        return PageRequest(
            db=self._db,
            path=path,
            options=bound(request.query_params.multi_items()),
            names=dict(request.path_params),
            base=quote(request.scope.get("root_path", "")),
            locale=locale_for(request.headers.get("accept-language")),
            actor=request.scope.get("dealdb.actor", "board"),
            read_only=self._read_only,
            kept=self._kept,
        )

    def _answer(
        self,
        page: BoardPage,
        asked: PageRequest,
        answer: Callable[[BoardPage, PageRequest, Shown], Response],
    ) -> Response:
        wanted = parameters_of(asked.where) if page.has_filter else []
        if wanted and answer == self._as_html:
            return self._ask_for_values(asked, page.title, wanted)
        try:
            if page.needs_server:
                asked = asked.by_its_clocks()
            shown = page.show(asked)
            if shown.problem is not None and answer != self._as_html:
                raise shown.problem
            return answer(page, asked, shown)
        except DealDBError as error:
            return self._problem(asked, error, as_html=answer == self._as_html)

    def _ask_for_values(self, asked: PageRequest, title: str, names: list[str]) -> Response:
        """The parameters of a filter as a form, in place of the page."""
        from starlette.responses import HTMLResponse

        shown = {"names": names, "prefix": PREFIX, "rest": asked.kept_beside_filter()}
        text = rendered("parameters.html", asked, self._frame(asked, title) | shown)
        return HTMLResponse(text)

    def _as_html(self, page: BoardPage, asked: PageRequest, shown: Shown) -> Response:
        from starlette.responses import HTMLResponse

        problem = shown.problem
        frame = self._frame(asked, page.title) | {"filter_error": _fault_in_filter(asked, problem)}
        text = rendered(shown.template or page.template, asked, {**frame, **shown.for_template})
        # a part of a page says by itself what it lacks
        is_whole = shown.template is None
        status = shown.status or (_status_of(problem) if problem and is_whole else 200)
        return HTMLResponse(text, status)

    def _frame(self, asked: PageRequest, title: str) -> dict[str, Any]:
        """What every page has around it."""
        root = asked.base.removesuffix(f"/{quote(self._name)}") if self._name else asked.base
        return {
            "title": title,
            "menu": [page for page in PAGES if page.in_menu],
            "team": self._name,
            "teams": self._names,
            "root": root,
            "login": root + LOGIN if self._has_login else None,
            "filter_error": None,
        }

    def _problem(self, asked: PageRequest, error: DealDBError, *, as_html: bool) -> Response:
        from starlette.responses import HTMLResponse, JSONResponse

        status = _status_of(error)
        if not as_html:
            place = {name: getattr(error, name, None) for name in ("field", "expected")}
            return JSONResponse({"code": error.code, "message": str(error)} | place, status)
        near = near_ids(self._db, error.deal) if isinstance(error, DealNotFound) else []
        shown = self._frame(asked, "Error") | {
            "error": error,
            "near": [(each, deal_link(asked, each)) for each in near],
            "status": status,
            "filter_error": _fault_in_filter(asked, error),
        }
        return HTMLResponse(rendered("error.html", asked, shown), status)


def _status_of(error: DealDBError) -> int:
    return next(status for kind, status in _STATUS if isinstance(error, kind))


def _fault_in_filter(asked: PageRequest, error: DealDBError | None) -> MarkedFault | None:
    fault = marked_fault(error) if isinstance(error, QueryError) else None
    return fault if fault and fault.text == asked.where else None
