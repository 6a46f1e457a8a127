"""
The live board: pages of one or several collections, made on the server.

``app`` is an ASGI application that any server can carry or another application can mount. It speaks to the facade
alone: what a page shows, the command line gives, too. ``pages`` has one file for each page, a pure function from what
was asked to what the page shows, made of ``parts``, ``kanban`` and ``figures``; ``changes`` saves what they
send, and ``live`` tells them what others save; ``guard`` lets nobody else in.

The order of the parts; nothing imports from a part behind it:
kept, sessions → page_request → html, guard, visits → parts → kanban, figures → live → pages → login, changes,
responses → app → serving.
"""

from __future__ import annotations

from dealdb.board.app import app

__all__ = ["app"]
