"""All pages, in the order of the menu; a path comes before a pattern that it fits."""

from __future__ import annotations

from dealdb.board.pages.board import BOARD
from dealdb.board.pages.deal import DEAL, NEW_DEAL
from dealdb.board.pages.deals import DEALS
from dealdb.board.pages.health import HEALTH
from dealdb.board.pages.page import BoardPage

PAGES: tuple[BoardPage, ...] = (BOARD, DEALS, NEW_DEAL, DEAL, HEALTH)
