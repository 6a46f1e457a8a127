"""Pages of answers: whether a source has all of them, by what the answers say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dealdb.loader.objects.answers import HOLDERS, MOST_DEEP, WRAPPERS, Members
from dealdb.loader.objects.nested import bare
from dealdb.loader.objects.side_lists import SideLists

# where answers say how far they are
_ABOUT = {
    "paging", "pagination", "additionaldata", "info", "meta", "links", "pageinfo", "cursor", "page", "next",
    "responsemetadata", *WRAPPERS, *HOLDERS,
}  # fmt: skip
_MORE = {
    "hasmore", "morerecords", "moreitemsincollection", "hasnextpage", "hasnext", "moreresults", "moreavailable",
}  # fmt: skip
_NEXT = {
    "next", "nextpage", "nexturl", "nextlink", "nextpageurl", "nextrecordsurl", "nextcursor", "nextpagetoken",
    "nexttoken", "nextstart", "nextoffset", "odatanextlink", "continuationtoken",
}  # fmt: skip
_ENDED = {"done", "islastpage", "lastpage", "last"}
_BEFORE = {
    "previous", "prev", "previouspage", "prevpage", "previousurl", "prevurl", "prevpageurl",
    "previouspageurl", "haspreviouspage", "hasprevious",
}  # fmt: skip
_PAGE = ("currentpage", "pagenumber", "page")
_PAGES = ("totalpages", "lastpage", "pagecount", "pages", "pagestotal")
_TOTAL = ("total", "totalsize", "totalcount", "totalrecords", "totalitems", "odatacount")


@dataclass(slots=True)
class Pages:
    """
    What the answers of a source say of the pages that it lacks.

    One answer that says that nothing comes after it is the last of those in the file, whatever their order.

    Attributes
    ----------
    lists
        Those beside the rows, where they are gathered.
    """

    lists: SideLists | None = None
    _has_first: bool = False
    _has_last: bool = False
    _total: int = 0
    _is_answer: bool = False

    def add(self, members: Members) -> None:
        """Take in what stands around the rows of one answer."""
        self._is_answer = True
        if self.lists is not None:
            self.lists.add(members)
        about = list(_about(members, 0))
        self._has_last |= not any(_says_more(each) for each in about)
        self._has_first |= not any(_says_before(each) for each in about)
        self._total = max([self._total, *map(_total_of, about)])

    def lacking(self, n_rows: int) -> str:
        """Why this can't be all; empty where it may be."""
        if not self._is_answer:
            return ""
        if not self._has_last:
            return "the answer says that more pages follow"
        if not self._has_first:
            return "the answer says that pages come before it"
        if self._total > n_rows:
            return f"the answer has {n_rows} of the {self._total} rows that it counts"
        return ""


def _about(members: Members, depth: int) -> Iterator[dict[str, object]]:
    """Members that say how far an answer is, of the object and of those in it."""
    yield {bare(name): value for name, value in members.items()}
    for name, value in members.items():
        if isinstance(value, dict) and (bare(name) in _ABOUT or depth) and depth < MOST_DEEP:
            yield from _about(value, depth + 1)


def _says_more(about: Members) -> bool:
    page, pages = _number(about, _PAGE), _number(about, _PAGES)
    # Airtable's place of the next page is a text, where the others have the number of rows before
    return (
        any(about.get(name) is True for name in _MORE)
        or any(about.get(name) for name in _NEXT)
        or any(about.get(name) is False for name in _ENDED)
        or (page is not None and pages is not None and page < pages)
        or (isinstance(about.get("offset"), str) and bool(about["offset"]))
    )


def _says_before(about: Members) -> bool:
    page, start = _number(about, _PAGE), _number(about, ("start", "skip"))
    return any(about.get(name) for name in _BEFORE) or (page or 0) > 1 or (start or 0) > 0


def _total_of(about: Members) -> int:
    return _number(about, _TOTAL) or 0


def _number(about: Members, names: tuple[str, ...]) -> int | None:
    found = (about.get(name) for name in names)
    return next((n for n in found if isinstance(n, int) and not isinstance(n, bool)), None)
