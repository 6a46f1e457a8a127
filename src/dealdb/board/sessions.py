"""``Sessions``: who is signed in, by the token or by an address that works once."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from functools import cached_property

# browsers that have come by an address; the oldest is forgotten
MOST_SESSIONS = 1_000
_SALT = b"session of the dealdb board"


class Sessions:
    """
    Browsers that have shown the token, and tokens that can be shown once.

    A session by the token is signed with it: it holds until there is another token, also when the board is started
    anew. One by an address is known to this board alone.

    Parameters
    ----------
    token
        What the form for signing in asks for; None lets nobody sign in by it.
    tell
        Shows a new token of an address to who runs the board; None where they see nothing of it.
    """

    def __init__(
        self, token: str | None = None, *, tell: Callable[[str], None] | None = None
    ) -> None:
        self._token = token
        self._tell = tell
        self._once: set[str] = set()
        self._actors: dict[str, str] = {}

    def new_link(self) -> str:
        """A token for an address that works once."""
        token = secrets.token_urlsafe(24)
        self._once.add(token)
        return token

    def offer_link(self) -> bool:
        """Let who runs the board have an address that works; False where they can't be told one."""
        # one at a time, however often somebody asks
        if self._tell is not None and not self._once:
            self._tell(self.new_link())
        return self._tell is not None

    def sign_in(self, token: str, actor: str) -> str | None:
        """The session of who shows a token; None if it is not one."""
        if token not in self._once:
            is_it = self._token and hmac.compare_digest(token.encode(), self._token.encode())
            return self._signed(actor) if is_it else None
        self._once.discard(token)
        session = secrets.token_urlsafe(24)
        while len(self._actors) >= MOST_SESSIONS:
            self._actors.pop(next(iter(self._actors)))
        self._actors[session] = actor
        return session

    def rename(self, session: str, actor: str) -> str:
        """What a session that there is becomes under another name."""
        if session not in self._actors:
            return self._signed(actor)
        self._actors[session] = actor
        return session

    @property
    def has_token(self) -> bool:
        """Whether anybody can sign in by the form."""
        return self._token is not None

    def actor_of(self, session: str | None) -> str | None:
        """Who a session is of."""
        session = session or ""
        return self._actors.get(session) or self._signer_of(session)

    def _signed(self, actor: str) -> str:
        name = urlsafe_b64encode(actor.encode()).decode().rstrip("=")
        text = f"{secrets.token_urlsafe(12)}.{name}"
        return f"{text}.{self._signature(text)}"

    def _signer_of(self, session: str) -> str | None:
        text, _, signature = session.rpartition(".")
        if self._token is None or not text or not session.isascii():
            return None
        if not hmac.compare_digest(signature, self._signature(text)):
            return None
        name = text.rpartition(".")[2]
        return urlsafe_b64decode(name + "=" * (-len(name) % 4)).decode()

    def _signature(self, text: str) -> str:
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()

    @cached_property
    def _key(self) -> bytes:
        # slow, so that the token can't be guessed from a session
        return hashlib.scrypt((self._token or "").encode(), salt=_SALT, n=2**14, r=8, p=1)
