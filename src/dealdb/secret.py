"""A password that is shown only to those who ask for it by name."""

from __future__ import annotations

from hmac import compare_digest
from typing import NoReturn, Self

from dealdb.errors import ConfigError


class Secret:
    """
    A text that nothing shows by accident: neither ``repr``, ``str``, ``dataclasses.asdict``, JSON nor a pickle.

    Examples
    --------
    >>> Secret("s3cret"), f"{Secret('s3cret')}", Secret("s3cret") == "s3cret"
    (***, '***', True)
    """

    __slots__ = ("_text",)

    def __init__(self, text: str | Secret) -> None:
        self._text = text.reveal() if isinstance(text, Secret) else text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, str | Secret):
            return NotImplemented
        text = other.reveal() if isinstance(other, Secret) else other
        return compare_digest(*(each.encode(errors="surrogatepass") for each in (self._text, text)))

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "***"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: object) -> Self:
        return self

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        msg = "settings with a password can't be pickled: give the other process its own, or DEALDB_PASSWORD"
        raise ConfigError(msg)
