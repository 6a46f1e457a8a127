"""``Guard``: who may speak to the board, from where, and what their browser may do with its pages."""

from __future__ import annotations

from collections.abc import (
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Mapping,
    MutableMapping,
    Sequence,
)
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from dealdb.board.sessions import Sessions

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE = "dealdb"
# of frames on other sites: a cookie of their own, which a browser keeps for each of these sites apart
FRAMED_COOKIE = "dealdb-framed"
TOKEN = "token"  # noqa: S105 the name of an option
# of a form or a JSON body; a deal has a few hundred bytes
MOST_BODY = 64 * 1024
LOGIN = "/login"
_SAFE = ("GET", "HEAD")
_FRAMES = ("iframe", "frame")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors "
)
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    # a filter in an address is data of a deal
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class TooLargeError(Exception):
    """A body of more bytes than any form of the board has."""


class Guard:
    """
    An ASGI middleware in front of the board.

    Parameters
    ----------
    app
        What it guards.
    sessions
        Who may come in; None where the application that mounts the board has asked already.
    hosts
        Names under which the board may be called, without ports; None allows any. A page of another site whose name
        is made to point here sends its own.
    embed_origins
        Sites that may show pages in a frame, with ``?embed=1``.
    on_close
        Ends what pages wait for.
    on_warm_up
        Reads what the first page needs.
    """

    def __init__(
        self,
        app: Application,
        *,
        sessions: Sessions | None = None,
        hosts: Collection[str] | None = None,
        embed_origins: Iterable[str] = (),
        on_close: Callable[[], None] = lambda: None,
        on_warm_up: Callable[[], None] = lambda: None,
    ) -> None:
        self._app = app
        self._on_close = on_close
        self._on_warm_up = on_warm_up
        self._sessions = sessions
        self._hosts = None if hosts is None else {host.lower() for host in hosts}
        self._ancestors = " ".join(embed_origins)

    def close(self) -> None:
        """End the streams of open pages, so that a server that waits for them can end; safe to repeat."""
        self._on_close()

    def warm_up(self) -> None:
        """Read what the first page needs, so that nobody waits for it; it takes as long as that page would."""
        self._on_warm_up()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it here."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        headers = _headers(scope)
        guarded = self._with_headers(scope, send)
        if problem := self._refusal(scope, headers):
            await answer(guarded, 403, problem)
            return
        if self._ancestors and _is_framed(scope, headers):
            scope["dealdb.is_framed"] = True
        if self._sessions is not None and not self._lets_in(self._sessions, scope, headers):
            query = scope["query_string"].decode("latin-1")
            options = parse_qsl(query, keep_blank_values=True)
            tokens = [value for name, value in options if name == TOKEN]
            if tokens:
                others = [(name, value) for name, value in options if name != TOKEN]
                await _enter(self._sessions, scope, headers, tokens[0], others, guarded)
            else:
                await _to_login(scope, options, headers, guarded)
            return
        await self._app(scope, _bounded(receive), guarded)

    def _refusal(self, scope: Scope, headers: Mapping[str, str]) -> str | None:
        host = headers.get("host", "")
        if self._hosts is not None and _name_in(host) not in self._hosts:
            return "the board is not known by this name; --allow-host NAME allows it"
        if scope["method"] in _SAFE:
            return None
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if origin is not None and origin.partition("://")[2] != host:
            return "a change has to come from a page of this board, not from another site"
        if origin is None and site != "same-origin":
            return "a change has to say that it comes from a page of this board"
        if headers.get("x-dealdb") != "1" and _below(scope) != LOGIN:
            return "a change has to have the header X-Dealdb: 1"
        return None

    def _lets_in(self, sessions: Sessions, scope: Scope, headers: Mapping[str, str]) -> bool:
        """Whether a request is of somebody who is signed in, who is noted, or is for what anybody may have."""
        from starlette.requests import cookie_parser

        # those of other programs on this host may be anything; a stricter reader would find none behind them
        cookies = cookie_parser(headers.get("cookie", ""))
        host, names = headers.get("host", ""), [COOKIE]
        if self._ancestors and (_is_framed(scope, headers) or _is_own(headers)):
            # other sites may have it sent, too: it counts in a frame, and for what pages there ask for
            names.append(FRAMED_COOKIE)
        for name in names:
            session = cookies.get(cookie_name(host, name))
            if (actor := sessions.actor_of(session)) is not None:
                scope["dealdb.actor"], scope["dealdb.session"] = actor, session
                return True
        below = _below(scope)
        return below == LOGIN or below.startswith("/static/")

    def _with_headers(self, scope: Scope, send: Send) -> Send:
        ancestors = self._ancestors if _is_embedded(scope) else ""
        policy = _POLICY + (ancestors or "'none'")

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", ()))
                names = {name.lower() for name, _ in given}
                given += [(b"content-security-policy", policy.encode()), *_HEADERS]
                if b"cache-control" not in names:
                    given.append((b"cache-control", b"no-store"))
                message = {**message, "headers": given}
            await send(message)

        return guarded


def _is_embedded(scope: Scope) -> bool:
    """Whether a page is asked for that may stand in a frame."""
    return b"embed=1" in scope["query_string"].split(b"&")


def _is_framed(scope: Scope, headers: Mapping[str, str]) -> bool:
    """Whether such a page is asked for by a frame."""
    return _is_embedded(scope) and headers.get("sec-fetch-dest") in _FRAMES


def _is_own(headers: Mapping[str, str]) -> bool:
    """Whether it is a page of this board that asks."""
    return headers.get("sec-fetch-site") == "same-origin"


def _below(scope: Scope) -> str:
    """The path below where the board is mounted."""
    return str(scope["path"]).removeprefix(scope.get("root_path", ""))


def cookie_name(host: str, name: str = COOKIE) -> str:
    """
    Name of a cookie of the board at an address: browsers send those of all ports of a host to each.

    Examples
    --------
    >>> cookie_name("127.0.0.1:8765"), cookie_name("[::1]:80"), cookie_name("deals.example")
    ('dealdb-8765', 'dealdb-80', 'dealdb')
    """
    port = host.rpartition("]")[2].rpartition(":")[2]
    return f"{name}-{port}" if port.isascii() and port.isdigit() else name


async def _enter(
    sessions: Sessions,
    scope: Scope,
    headers: Mapping[str, str],
    token: str,
    options: Sequence[tuple[str, str]],
    send: Send,
) -> None:
    """Change a token for a cookie, and have it leave the address."""
    session = sessions.sign_in(token, "board")
    if session is None:
        await _to_login(scope, options, headers, send, is_used=True)
        return
    query = f"?{urlencode(options)}" if options else ""
    # as it was asked for: a tab in it would be left out by a browser, and two slashes be another host
    await forward(send, quote(scope["path"]) + query, session_cookie(scope, headers, session))


async def _to_login(
    scope: Scope,
    options: Sequence[tuple[str, str]],
    headers: Mapping[str, str],
    send: Send,
    *,
    is_used: bool = False,
) -> None:
    """Send a browser to the form for signing in, and from there to where it was going; tell programs how to come in."""
    base = scope.get("root_path", "")
    wanted = str(scope["path"]).removeprefix(base)
    if options:
        wanted += f"?{urlencode(options)}"
    if "text/html" in headers.get("accept", ""):
        asked = ({"used": "1"} if is_used else {}) | {"next": wanted}
        if _is_embedded(scope):
            # for the form to stand in the frame, too
            asked["embed"] = "1"
        await forward(send, f"{base}{LOGIN}?{urlencode(asked)}")
    elif is_used:
        await answer(
            send, 403, "this address has been used: `dealdb board` prints one that works once"
        )
    else:
        await answer(send, 401, "sign in first: open the address that `dealdb board` printed")


def _bounded(receive: Receive) -> Receive:
    had = 0

    async def bounded() -> Message:
        nonlocal had
        message = await receive()
        had += len(message.get("body", b""))
        if had > MOST_BODY:
            raise TooLargeError
        return message

    return bounded


def _name_in(host: str) -> str:
    """The name in a header ``Host``; empty where it is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _headers(scope: Scope) -> dict[str, str]:
    return {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
    }


async def answer(send: Send, status: int, text: str) -> None:
    """Send a line of text."""
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": f"{text}\n".encode()})


def session_cookie(scope: Scope, headers: Mapping[str, str], session: str) -> str:
    """
    The header that has a browser keep a session.

    Other sites never send it. Only a frame on a site that is named gets one that it can send from there: it is kept
    for this site alone, and goes over TLS alone.
    """
    host = headers.get("host", "")
    name, rules = cookie_name(host), "SameSite=Strict"
    if scope.get("dealdb.is_framed"):
        name, rules = cookie_name(host, FRAMED_COOKIE), "SameSite=None; Secure; Partitioned"
    return f"{name}={session}; Path=/; HttpOnly; {rules}"


async def forward(send: Send, address: str, cookie: str | None = None) -> None:
    """
    Send the browser on, with a cookie where there is a session.

    By a page and not by a redirect: after one from another site a browser would not send a strict cookie yet.
    """
    # no scheme and no other host, whatever the address was asked as
    address = "/" + address.lstrip("/\\")
    escaped = address.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    # without an icon of its own the page would have the browser ask for one
    icon = '<link rel="icon" href="data:,">'
    page = f'<!doctype html>{icon}<meta http-equiv="refresh" content="0;url={escaped}">\n'
    headers = [(b"content-type", b"text/html; charset=utf-8")]
    if cookie is not None:
        headers.append((b"set-cookie", cookie.encode()))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": page.encode()})
