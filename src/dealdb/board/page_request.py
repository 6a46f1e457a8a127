"""``PageRequest``: what a request wants to see, apart from how it came."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from dealdb.board.kept import Kept
from dealdb.formats.locale import PLAIN, Locale

if TYPE_CHECKING:
    from dealdb.database import DealDatabase

# the options of the URL that go on from page to page
KEPT = ("where", "embed")
# of a moment in milliseconds, for some thousands of years
_MOST_DIGITS = 14
# what belongs to the filter that was: another one begins at its first page
_OF_FILTER = ("where", "cursor")


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """
    What a request wants to see.

    Attributes
    ----------
    db
        The collection.
    path
        Of the page, below the board's own address: ``"/deals"``.
    options
        Of the URL, in order; the state of every page is in them, so that its address is a permalink.
    names
        Words of the path that stand for something: the id of a deal.
    base
        Where the board is mounted; comes before every link.
    locale
        How the reader writes numbers and days.
    actor
        Who asks; changes are saved in this name.
    read_only
        Nothing can be changed.
    kept
        What requests before this one have made of the same deals.
    last_visit
        When who asks looked at what changed the last time before this visit; None where that is not known.
    """

    db: DealDatabase
    path: str = "/"
    options: Sequence[tuple[str, str]] = ()
    names: Mapping[str, str]
    base: str = ""
    locale: Locale = PLAIN
    actor: str = "board"
    read_only: bool = False
    kept: Kept = field(default_factory=Kept, repr=False, compare=False)
    last_visit: datetime | None = None

    def by_its_clocks(self) -> PageRequest:
        """
        The same, with moments by the clocks of the collection's zone.

        Cost
        ----
        One round trip.
        """
        return self.by_clocks_of(self.db.pipeline.zone)

    def by_clocks_of(self, zone: str) -> PageRequest:
        """The same, with moments by the clocks of a zone."""
        return replace(self, locale=replace(self.locale, zone=zone))

    def option(self, name: str, default: str | None = None) -> str | None:
        """The last value of an option that is not empty."""
        found = [value for key, value in self.options if key == name and value.strip()]
        return found[-1] if found else default

    def several(self, name: str) -> list[str]:
        """The values of an option that may be given as a list with commas, or several times."""
        given = (value for key, value in self.options if key == name)
        return [each.strip() for value in given for each in value.split(",") if each.strip()]

    @property
    def where(self) -> str | None:
        """The filter."""
        return self.option("where")

    def link(self, path: str, **options: object) -> str:
        """
        Address of a page with these options and those that go on; None leaves one out.

        Examples
        --------
        >>> from typing import cast
        >>> asked = PageRequest(
        ...     db=cast("DealDatabase", None), names={}, base="/b", options=[("where", "n > 1")]
        ... )
        >>> asked.link("/deals", sort="-amount"), asked.link("/", where=None)
        ('/b/deals?where=n+%3E+1&sort=-amount', '/b/')
        """
        kept: dict[str, object] = {name: self.option(name) for name in KEPT}
        return self._address(path, (kept | options).items())

    def here(self, **changes: object) -> str:
        """Address of this page with other values of some options."""
        found: list[tuple[str, object]] = []
        # each stays in its place, so that an address does not depend on the way to it
        left = dict(changes)
        for name, value in self.options:
            if name not in changes:
                found.append((name, value))
            elif name in left:
                found.append((name, left.pop(name)))
        return self._address(self.path, [*found, *left.items()])

    def with_options(self, options: Iterable[tuple[str, object]]) -> str:
        """Address of this page with these options and no others."""
        return self._address(self.path, options)

    def data_link(self, ending: str) -> str:
        """Address of what this page shows as a file, ``.csv`` or ``.json``; of a table it begins at the first row."""
        # the root has no name to which an ending could be added
        stem = self.path if self.path != "/" else "/board"
        query = self.here(cursor=None).partition("?")[2]
        return f"{self.base}{stem}{ending}{'?' if query else ''}{query}"

    def data_links(self) -> list[tuple[str, str]]:
        """
        What this page shows as files: name and address of each.

        Examples
        --------
        >>> from typing import cast
        >>> asked = PageRequest(db=cast("DealDatabase", None), names={}, options=[("by", "owner")])
        >>> asked.data_links()
        [('CSV', '/board.csv?by=owner'), ('JSON', '/board.json?by=owner')]
        """
        return [("CSV", self.data_link(".csv")), ("JSON", self.data_link(".json"))]

    def kept_beside_filter(self) -> list[tuple[str, str]]:
        """Options of this page that stay when another filter is asked for."""
        return [(name, value) for name, value in self.options if name not in _OF_FILTER]

    def _address(self, path: str, options: Iterable[tuple[str, object]]) -> str:
        given = tuple((name, str(value)) for name, value in options if value is not None)
        return self.base + _with_options(path, given)


def whole_number(text: str | None) -> int | None:
    """
    A number that an address or a cookie has; None for what is none, or has more digits than any number here.

    Examples
    --------
    >>> whole_number("42"), whole_number("-1"), whole_number("²"), whole_number("9" * 5_000)
    (42, None, None, None)
    """
    if text is None or len(text) > _MOST_DIGITS or not (text.isascii() and text.isdigit()):
        return None
    return int(text)


# a board has the same links after each commit
@lru_cache(2_048)
def _with_options(path: str, given: tuple[tuple[str, str], ...]) -> str:
    return f"{path}{'&' if '?' in path else '?'}{urlencode(given)}" if given else path
