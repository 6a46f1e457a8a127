"""Templates: every text is escaped unless a template's author has marked it as made here."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import MAX_PREC, Decimal, localcontext
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dealdb.answers.asked import counted as counted_in_words
from dealdb.answers.asked import speaking
from dealdb.answers.labels import in_labels
from dealdb.answers.people import counts_in_words
from dealdb.errors import MissingExtra, QueryError

if TYPE_CHECKING:
    from jinja2 import Environment

    from dealdb.board.page_request import PageRequest
    from dealdb.formats.locale import Locale

HERE = Path(__file__).parent
STATIC = HERE / "static"
_HASH_DIGITS = 12
# what a fault in a filter covers: a word, a text in quotes that begins there, or one sign
_AT = re.compile(r"'[^']*'?|\w+|\S|\s+")


@dataclass(frozen=True, slots=True)
class MarkedFault:
    """What is wrong with a filter, and the filter in three parts with the fault in the middle."""

    message: str
    text: str
    before: str
    at: str
    after: str


def marked_fault(error: QueryError) -> MarkedFault | None:
    """
    The fault in a filter, to be marked; None where the error names no place.

    Examples
    --------
    >>> fault = marked_fault(QueryError("no column 'stag'", text="stag = 'Won'", position=0))
    >>> fault and (fault.before, fault.at, fault.after)
    ('', 'stag', " = 'Won'")
    """
    if error.text is None or error.position is None:
        return None
    text, place = error.text, error.position
    found = _AT.match(text, place)
    end = place if found is None else found.end()
    # the text itself, with a caret, is what is marked here
    message = str(error).partition("\n")[0]
    return MarkedFault(message, text, text[:place], text[place:end], text[end:])


def to_cents(value: Decimal) -> Decimal:
    """
    An exact product rounded for reading, to no more than two digits behind the point.

    Examples
    --------
    >>> to_cents(Decimal("10.1250")), to_cents(Decimal("7"))
    (Decimal('10.12'), Decimal('7.00'))
    """
    with localcontext() as context:
        context.prec = MAX_PREC
        return round(value, 2)


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
        # they do not change while it runs: no look at the file for each page
        auto_reload=False,
    )
    found.globals["asset"] = asset
    found.filters["cents"] = to_cents
    found.globals["counted"] = counted
    found.globals["remark"] = remark
    return found


def counted(locale: Locale, number: int, one: str, many: str | None = None) -> str:
    """
    A number of things, as sentences say it.

    Examples
    --------
    >>> from dealdb.formats.locale import Locale
    >>> counted(Locale(), 1, "row is", "rows are"), counted(Locale("de-DE"), 1200, "deal")
    ('1 row is', '1.200 deals')
    """
    with speaking(locale):
        return counted_in_words(number, one, many)


def remark(locale: Locale, metric: str, text: str) -> str:
    """
    What a metric says of its figures, with its columns and numbers as the page has them.

    Examples
    --------
    >>> from dealdb.formats.locale import Locale
    >>> remark(Locale("de-DE"), "pipeline", "open deals not in mean_age_days: 1,589")
    'open deals not in mean age, days: 1.589'
    """
    with speaking(locale):
        return counts_in_words(in_labels(metric, text))


def rendered(template: str, asked: PageRequest, shown: Mapping[str, Any]) -> str:
    """A page."""
    return environment().get_template(template).render(asked=asked, locale=asked.locale, **shown)


def rendered_alone(template: str, **shown: object) -> str:
    """A page that shows nothing of the deals."""
    return environment().get_template(template).render(**shown)


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
