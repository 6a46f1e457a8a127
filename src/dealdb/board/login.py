"""``LoginForm``: the token of the board for a session, and the name under which somebody changes deals."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, urlsplit

from dealdb.board.guard import Receive, Scope, Send, forward, session_cookie
from dealdb.board.html import rendered_alone
from dealdb.board.sessions import Sessions
from dealdb.formats.controls import visible

if TYPE_CHECKING:
    from starlette.requests import Request

MOST_NAME = 60
# nobody tries many tokens a second
_PAUSE_S = 0.5


class LoginForm:
    """
    The page that asks for token and name; for who is signed in, only for the name.

    Parameters
    ----------
    sessions
        Who may come in.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Show the form, or take what was filled in."""
        from starlette.requests import Request

        request = Request(scope, receive)
        if request.method == "POST":
            await self._take(request, send)
        elif "used" in request.query_params and "dealdb.actor" not in scope:
            await self._show(
                request, send, problem="This address has been used, or is of another board."
            )
        else:
            await self._show(request, send)

    async def _take(self, request: Request, send: Send) -> None:
        from anyio import sleep

        given = parse_qs((await request.body()).decode("utf-8", "replace"))
        filled = {name: values[-1] for name, values in given.items()}
        actor = actor_named(filled.get("name", ""))
        if actor is None:
            await self._show(request, send, filled, "Write your name: changes are kept under it.")
            return
        session = request.scope.get("dealdb.session")
        if session is not None:
            session = self._sessions.rename(session, actor)
            await self._go_on(request, send, filled, session)
            return
        session = self._sessions.sign_in(filled.get("token", "").strip(), actor)
        if session is None:
            await sleep(_PAUSE_S)
            await self._show(request, send, filled, "That is not the token of this board.")
            return
        await self._go_on(request, send, filled, session)

    async def _go_on(
        self, request: Request, send: Send, filled: dict[str, str], session: str
    ) -> None:
        cookie = session_cookie(request.scope, request.headers, session)
        await forward(send, _following(request, filled), cookie)

    async def _show(
        self,
        request: Request,
        send: Send,
        filled: dict[str, str] | None = None,
        problem: str | None = None,
    ) -> None:
        from starlette.responses import HTMLResponse

        filled = filled or {}
        actor = request.scope.get("dealdb.actor")
        page = rendered_alone(
            "login.html",
            base=quote(request.scope.get("root_path", "")),
            actor=actor,
            name=filled.get("name", actor or ""),
            following=filled.get("next") or request.query_params.get("next", "/"),
            problem=problem,
            embed=request.query_params.get("embed"),
            is_framed="dealdb.is_framed" in request.scope,
            has_token=self._sessions.has_token,
            is_told=actor is None and not self._sessions.has_token and self._sessions.offer_link(),
        )
        response = HTMLResponse(page, 403 if problem else 200)
        await response(request.scope, request.receive, send)


def actor_named(text: str) -> str | None:
    """
    The name that somebody wrote, as the history keeps it; None for none.

    Examples
    --------
    >>> actor_named("  Ann   Lee "), actor_named(" ")
    ('Ann Lee', None)
    """
    return visible(" ".join(text.split()))[:MOST_NAME].strip() or None


def _following(request: Request, filled: dict[str, str]) -> str:
    """Where to go on: on this board, whatever was asked for."""
    base = quote(request.scope.get("root_path", ""))
    try:
        wanted = urlsplit(filled.get("next", "/"))
    except ValueError:
        return f"{base}/"
    query = f"?{wanted.query}" if wanted.query else ""
    return f"{base}/{wanted.path.lstrip('/')}{query}"
