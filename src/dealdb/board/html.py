"""Templates: every text is escaped unless a template's author has marked it as made here."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dealdb.errors import MissingExtra

if TYPE_CHECKING:
    from jinja2 import Environment

    from dealdb.board.page_request import PageRequest

HERE = Path(__file__).parent
STATIC = HERE / "static"
_HASH_DIGITS = 12


@cache
def environment() -> Environment:
    """
    What renders templates.

    Raises
    ------
    MissingExtra
        If the extra is not installed.
    """
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError as error:
        msg = "the board needs the extra 'board': pip install 'dealdb[board]'"
        raise MissingExtra(msg) from error
    found = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        # a name that a page does not give is a fault, not an empty text
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.globals["asset"] = asset
    return found


def rendered(template: str, asked: PageRequest, shown: Mapping[str, Any]) -> str:
    """A page."""
    return environment().get_template(template).render(asked=asked, locale=asked.locale, **shown)


@cache
def asset(name: str) -> str:
    """
    Path of a file of ``static`` with the hash of what is in it, so that browsers may keep it for ever.

    Examples
    --------
    >>> asset("board.css").startswith("/static/board.") and asset("board.css").endswith(".css")
    True
    """
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:_HASH_DIGITS]
    stem, _, suffix = name.rpartition(".")
    return f"/static/{stem}.{digest}.{suffix}"


@cache
def assets() -> dict[str, Path]:
    """The files by the paths that ``asset`` gives."""
    return {asset(path.name): path for path in STATIC.iterdir() if path.is_file()}
