"""The address of a deal, whatever characters its id has."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from dealdb.board.page_request import PageRequest

# ids that stand in the path; others are an option, behind this word
BY_ID = "by-id"
_TAKEN = {BY_ID, "new", ".", ".."}
_ENDINGS = (".json", ".csv")


def deal_path(deal: str) -> str:
    """
    Path of the page of a deal, below the board's address.

    Examples
    --------
    >>> deal_path("D 42"), deal_path("2026/7"), deal_path("new")
    ('/deals/D%2042', '/deals/by-id?id=2026%2F7', '/deals/by-id?id=new')
    """
    if "/" in deal or deal in _TAKEN or deal.lower().endswith(_ENDINGS):
        return f"/deals/{BY_ID}?id={quote(deal, safe='')}"
    return f"/deals/{quote(deal, safe='')}"


def data_path(deal: str) -> str:
    """
    Path of the same as data.

    Examples
    --------
    >>> data_path("42"), data_path("2026/7")
    ('/deals/42.json', '/deals/by-id.json?id=2026%2F7')
    """
    path, mark, query = deal_path(deal).partition("?")
    return f"{path}.json{mark}{query}"


def deal_address(deal: str, base: str, embed: str | None) -> str:
    """
    Address of the page of a deal; of one that may stand in a frame where ``embed`` says so.

    Examples
    --------
    >>> deal_address("42", "/b", None), deal_address("2026/7", "", "1")
    ('/b/deals/42', '/deals/by-id?id=2026%2F7&embed=1')
    """
    path = deal_path(deal)
    mark = "&" if "?" in path else "?"
    return base + path + (f"{mark}{urlencode({'embed': embed})}" if embed else "")


def deal_link(asked: PageRequest, deal: str) -> str:
    """The same, from the page that was asked for."""
    return deal_address(deal, asked.base, asked.option("embed"))
