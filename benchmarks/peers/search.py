"""RediSearch by its own commands, on a server that has the module."""

from __future__ import annotations

from typing import Any

from benchmarks.deals import Deals, Hash
from benchmarks.peers.redis_py import pipelined
from benchmarks.servers import Server

_PREFIX = "sdeal:"
# dates are numbers there: seconds since 1970
_DATES = ("created", "expected_close")
_SCHEMA = (
    "name", "TEXT", "company", "TEXT", "owner", "TAG", "SORTABLE", "stage", "TAG", "SORTABLE",
    "source", "TAG", "SORTABLE", "amount", "NUMERIC", "SORTABLE", "created", "NUMERIC", "SORTABLE",
    "expected_close", "NUMERIC", "SORTABLE",
)  # fmt: skip


class SearchIndex:
    """An index of deals on the search server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._call = server.call

    def drop_all(self) -> None:
        """Remove all indexes and all keys of the database."""
        for name in self._call("FT._LIST"):
            self._call("FT.DROPINDEX", name)
        self._server.empty()

    def create(self) -> None:
        """An empty database with an empty index."""
        self.drop_all()
        self._call("FT.CREATE", "sdeals", "ON", "HASH", "PREFIX", 1, _PREFIX, "SCHEMA", *_SCHEMA)

    def load(self, hashes: list[tuple[str, Hash]]) -> None:
        """All deals by a pipeline; the module indexes each before it answers."""
        pipelined(self._server, hashes, _PREFIX)

    def fill(self, deals: Deals) -> None:
        """Load these deals, unless they are there."""
        if self.count() != len(deals):
            self.create()
            self.load(hashes_of(deals))

    def count(self) -> int:
        try:
            info = self._call("FT.INFO", "sdeals")
        except Exception as problem:
            if "nknown" in str(problem) or "no such index" in str(problem).lower():
                return -1
            raise
        if not isinstance(info, dict):
            info = dict(zip(info[::2], info[1::2], strict=True))
        found = {_text(name): value for name, value in info.items()}
        return int(found["num_docs"])

    def save(self, id_: str, **fields: Any) -> None:
        self._server.client.hset(f"{_PREFIX}{id_}", mapping=dict[Any, Any](fields))

    def group_by_stage(self) -> Any:
        return self._call(
            "FT.AGGREGATE", "sdeals", "*", "GROUPBY", 1, "@stage",
            "REDUCE", "SUM", 1, "@amount", "AS", "amount", "REDUCE", "COUNT", 0, "AS", "n",
        )  # fmt: skip

    def top_won(self) -> Any:
        return self._call(
            "FT.SEARCH", "sdeals", "@stage:{Won} @amount:[(50000 +inf]",
            "SORTBY", "amount", "DESC", "LIMIT", 0, 20,
        )  # fmt: skip

    def words(self, text: str) -> Any:
        return self._call("FT.SEARCH", "sdeals", text, "LIMIT", 0, 20)


def hashes_of(deals: Deals, count: int | None = None) -> list[tuple[str, Hash]]:
    """The hashes with dates as numbers, which is what the module can sort and compare."""
    shown = Deals(
        deals.frame.head(count or len(deals)).with_columns(
            deals.frame[name].head(count or len(deals)).dt.epoch("s") for name in _DATES
        )
    )
    return shown.hashes()


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
