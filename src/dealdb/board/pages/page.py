"""``BoardPage``: a page by its path, and ``Shown``, what it shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from dealdb.board.page_request import PageRequest
from dealdb.errors import DealDBError


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """
    What a page shows.

    Attributes
    ----------
    for_template
        Values by name, for the template.
    data
        Makes the same for programs, as ``.json`` gives it; a page for people goes without.
    table
        The rows of it, as ``.csv`` gives them.
    rows
        Gives all rows for ``.csv``, where the page and ``table`` have only some.
    template
        Another file of ``templates`` than that of the page.
    problem
        What is wrong with what was asked, where the page says so itself; programs are given it as any error.
    status
        Of the page with a problem, where it is another than that of the error.
    """

    for_template: Mapping[str, Any]
    data: Callable[[], Mapping[str, Any]] = dict
    table: pl.DataFrame = field(default_factory=pl.DataFrame)
    rows: Callable[[], pl.DataFrame] | None = None
    template: str | None = None
    problem: DealDBError | None = None
    status: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardPage:
    """
    A page.

    Attributes
    ----------
    path
        Below the board's address, with names in braces: ``"/deals/{id}"``.
    title
        In the window and, where ``in_menu``, in the menu.
    template
        File of ``templates``.
    show
        Gives what it shows; it may raise any error of dealdb, which becomes a page of its own.
    in_menu
        Whether the menu has it.
    has_filter
        Whether the filter of its address says which deals it shows.
    is_visit
        Whether who looks at it has seen what changed until then.
    needs_server
        Whether there is nothing to show while the server is away.
    """

    path: str
    title: str
    template: str
    show: Callable[[PageRequest], Shown]
    in_menu: bool = True
    has_filter: bool = True
    is_visit: bool = False
    needs_server: bool = True
