"""The state of server and collection."""

from __future__ import annotations

from dataclasses import asdict

from dealdb.board.page_request import PageRequest
from dealdb.board.pages.page import BoardPage, Shown


def show(asked: PageRequest) -> Shown:
    """What ``db.health()`` says."""
    health = asked.db.health()
    return Shown(for_template={"health": health}, data=asdict(health))


HEALTH = BoardPage(path="/health", title="Health", template="health.html", show=show)
