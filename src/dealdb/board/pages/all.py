"""All pages, in the order of the menu."""

from __future__ import annotations

from dealdb.board.pages.deals import DEALS
from dealdb.board.pages.health import HEALTH
from dealdb.board.pages.page import BoardPage

PAGES: tuple[BoardPage, ...] = (DEALS, HEALTH)
