"""What all figures share: where the servers are, how often things are repeated, and deals that are loaded already."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from benchmarks import deals as made
from benchmarks.deals import Deals
from benchmarks.measure import timed
from benchmarks.servers import DEFAULT, Server, running
from dealdb import DealDatabase

_MAKERS: dict[str, Callable[[int], Deals]] = {
    "plain": made.plain,
    "wide": made.wide,
    "dirty": made.dirty,
}


@dataclass
class Bench:
    """
    A run of benchmarks.

    Attributes
    ----------
    folder
        For files that nobody needs afterwards.
    flavor
        Of the servers that dealdb and the plain clients are measured on.
    search_url
        A server with the search module, or None: then what needs one is left out.
    repeats
        Rounds of what takes seconds; what takes milliseconds has more.
    """

    folder: Path
    flavor: str = DEFAULT
    search_url: str | None = None
    repeats: int = 3
    _keep: ExitStack = field(default_factory=ExitStack)
    _deals: tuple[str, int, Deals] | None = None
    _loaded: Loaded | None = None

    @contextmanager
    def server(self) -> Iterator[Server]:
        with running(self.flavor, self.folder) as server:
            yield server

    @cached_property
    def search(self) -> Server | None:
        """The server with the search module."""
        if self.search_url is None:
            return None
        server = self._keep.enter_context(Server(self.search_url))
        server.call("FT._LIST")
        return server

    def deals(self, n: int, kind: str = "plain") -> Deals:
        """The deals of that size; the last ones are kept."""
        if self._deals is None or self._deals[:2] != (kind, n):
            self._deals = (kind, n, _MAKERS[kind](n))
        return self._deals[2]

    def loaded(self, n: int) -> Loaded:
        """A server with so many deals; the last one is kept, with what figures have added to it."""
        if self._loaded is None or self._loaded.n != n:
            self.drop_loaded()
            self._loaded = Loaded(n, self.deals(n), running(self.flavor, self.folder))
        return self._loaded

    def drop_loaded(self) -> None:
        """Stop the server with the deals: figures that load on their own have the machine to themselves."""
        if self._loaded is not None:
            self._loaded.close()
            self._loaded = None

    def close(self) -> None:
        self.drop_loaded()
        self._keep.close()


class Loaded:
    """
    A server with deals, one that writes and one that reads.

    Attributes
    ----------
    writer, reader
        Two database objects that share nothing, as in two processes. The reader is up to date.
    """

    def __init__(self, n: int, deals: Deals, server: object) -> None:
        self.n = n
        self.deals = deals
        self._keep = ExitStack()
        self.server: Server = self._keep.enter_context(server)  # type: ignore[arg-type]
        self.writer = self.open()
        self.reader = self.open()
        with DealDatabase.from_url(self.server.url, collection="warm") as warm:
            # what is imported at first use is not a cost of loading
            warm.loader.load(deals.frame.head(10), bar=False)
        self.load_s = timed(lambda: self.writer.loader.load(deals.frame, bar=False))
        assert self.reader.query.count() == n
        self._saves = 0

    def open(self, **settings: object) -> DealDatabase:
        return self._keep.enter_context(DealDatabase.from_url(self.server.url, **settings))  # type: ignore[arg-type]

    def commit(self) -> None:
        """One more save, by another than the reader."""
        self._saves += 1
        number = self._saves % self.n
        self.writer.save_deal({"id": f"D{number + 1}", "amount": self._saves})

    def close(self) -> None:
        self._keep.close()
