"""All pages, in the order of the menu; a path comes before a pattern that it fits."""

from __future__ import annotations

from dealdb.board.pages.board import BOARD
from dealdb.board.pages.changes import CHANGED
from dealdb.board.pages.deal import DEAL, NEW_DEAL
from dealdb.board.pages.deals import DEALS
from dealdb.board.pages.feed import FEED
from dealdb.board.pages.figure import FIGURE
from dealdb.board.pages.figures import FIGURES
from dealdb.board.pages.health import HEALTH
from dealdb.board.pages.page import BoardPage
from dealdb.board.pages.sql import SQL

PAGES: tuple[BoardPage, ...] = (
    BOARD,
    DEALS,
    NEW_DEAL,
    DEAL,
    FIGURES,
    FIGURE,
    CHANGED,
    FEED,
    SQL,
    HEALTH,
)
