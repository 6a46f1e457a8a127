"""Names that are spelled in several ways: which there are in a source, and how they are joined."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from dealdb.errors import LoadError
from dealdb.loader.cells.currencies import currency_name
from dealdb.loader.cells.numbers import by_unique
from dealdb.loader.chunk import Chunk, without_nulls
from dealdb.loader.columns.aliases import key_of
from dealdb.loader.columns.headers import candidates_of, unknown_header
from dealdb.loader.columns.plan import Plan
from dealdb.loader.store_protocol import Deals
from dealdb.model.columns import is_text
from dealdb.model.names import alike, name_key, name_keys, shown_alike
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import FieldType

# fields by which people group: two spellings are two rows of a table
NAMED_FIELDS = ("owner", "company", "stage", "source", "currency")
# different names of a column that are compared; nobody groups by one that has more
MOST_COMPARED = 200_000
# and those that may be joined
MOST_JOINED = 500_000
# of a chunk, so that names are not added up for each one
_COMPACT = 20_000
_COUNT = "\0n"

Joined = Mapping[str, Mapping[str, str]]


@dataclass(slots=True)
class _Names:
    """
    Names of one column, in the order of their first occurrence.

    Parameters
    ----------
    most
        How many may be different.
    counts
        Whether to count how often each occurs, too.
    """

    most: int
    counts: bool
    parts: list[pl.DataFrame] = field(default_factory=list)
    n_compact: int = 0
    is_overfull: bool = False

    def add(self, cells: pl.Series) -> None:
        if self.is_overfull:
            return
        names = without_nulls(cells).alias("name")
        self.parts.append(_counted(names) if self.counts else _distinct(names))
        if sum(part.height for part in self.parts) > 2 * self.n_compact + _COMPACT:
            self.n_compact = self.found().height
            if self.n_compact > self.most:
                self.is_overfull, self.parts = True, []

    def found(self) -> pl.DataFrame:
        if len(self.parts) > 1:
            self.parts = [_together(pl.concat(self.parts))]
        return self.parts[0] if self.parts else _counted(pl.Series("name", [], pl.String))


class Spellings:
    """
    How the names of a source are spelled.

    Parameters
    ----------
    fold
        Fields or headers whose names are to be joined.
    mapping
        Field by header, as the caller chose.
    known
        Gives the deals and the stages of the collection; asked once, if names are to be joined.
    """

    def __init__(
        self,
        fold: Sequence[str] | str | None,
        mapping: Mapping[str, str | None] | None,
        known: Callable[[], tuple[Deals, Pipeline]],
    ) -> None:
        self._fold = tuple(fold or ())
        self._known = known
        self._collection: tuple[Deals, Pipeline] | None = None
        named = {key_of(h) for h, target in (mapping or {}).items() if target in self._looked_at}
        self._headers = named | {key_of(name) for name in self._looked_at}
        self._is_looked_at: dict[str, bool] = {}
        self._names: dict[str, _Names] = {}
        # what was decided for rows that are written by now
        self._settled: dict[str, dict[str, str]] = {}

    @property
    def _looked_at(self) -> tuple[str, ...]:
        return (*NAMED_FIELDS, *self._fold)

    def add(self, chunk: Chunk) -> None:
        """Take in the rows of one more chunk."""
        most = MOST_JOINED if self._fold else MOST_COMPARED
        for header in chunk.frame.columns:
            if self._wants(header):
                names = self._names.setdefault(header, _Names(most, counts=bool(self._fold)))
                names.add(chunk.frame[header])

    def joined(self, plan: Plan) -> Joined:
        """
        The one spelling of each name that has another, by field: the collection's, else the commonest.

        Raises
        ------
        LoadError
            If a column that is to be joined isn't there, is no text, or has too many names.
        """
        found: dict[str, dict[str, str]] = {}
        for name in self._fold:
            header, target = _column(name, plan)
            names = self._names.get(header)
            if names and names.is_overfull:
                msg = f"fold: {header!r} has more than {MOST_JOINED:,} different names"
                raise LoadError(msg)
            if names:
                found[target] = self._decided(target, _of_field(names.found(), target))
        return found

    def doubts(self, plan: Plan) -> Iterator[tuple[str, str]]:
        """What to warn of where names are alike, each with and without these names."""
        joined = {_column(name, plan)[1] for name in self._fold}
        for column in plan.columns:
            target, names = column.field.name, self._names.get(column.header)
            is_compared = target in NAMED_FIELDS and target not in joined
            if not is_compared or names is None or names.is_overfull:
                continue
            distinct = _of_field(names.found(), target)["name"]
            if distinct.len() <= MOST_COMPARED and (groups := alike(distinct)):
                advice = f"; --fold {target} joins them"
                found = f"{target}: names that differ only in case or blanks"
                yield f"{found}: {shown_alike(groups)}{advice}", f"{found}: {len(groups)}{advice}"

    def _wants(self, header: str) -> bool:
        if header not in self._is_looked_at:
            could_be = {one.field for one in candidates_of(header)}
            wanted = key_of(header) in self._headers or could_be.intersection(self._looked_at)
            self._is_looked_at[header] = bool(wanted)
        return self._is_looked_at[header]

    def _decided(self, target: str, counts: pl.DataFrame) -> dict[str, str]:
        groups: dict[str, list[tuple[str, int]]] = {}
        for (name, n), key in zip(counts.iter_rows(), name_keys(counts["name"]), strict=True):
            groups.setdefault(key, []).append((name, n))
        settled = self._settled.setdefault(target, {})
        for key, name in self._spelled_before(target, groups).items():
            settled.setdefault(key, name)
        for key, spellings in groups.items():
            # the first of those that are equally common
            settled.setdefault(key, max(spellings, key=lambda each: each[1])[0])
        return {
            name: settled[key]
            for key, spellings in groups.items()
            for name, _ in spellings
            if name != settled[key]
        }

    def _spelled_before(self, target: str, keys: Collection[str]) -> dict[str, str]:
        """Spellings of the collection: those of its stages, else the commonest of its deals."""
        self._collection = self._collection or self._known()
        deals, pipeline = self._collection
        names = [stage.name for stage in pipeline] if target == "stage" else []
        if target in deals.frame.columns and is_text(deals.frame[target].dtype):
            cells = deals.frame[target].drop_nulls().cast(pl.String).alias("name")
            ordered = _counted(cells).sort(_COUNT, descending=True, maintain_order=True)
            names += ordered["name"].to_list()
        before: dict[str, str] = {}
        for name in names:
            key = name_key(name)
            if key in keys:
                before.setdefault(key, name)
        return before


def _counted(cells: pl.Series) -> pl.DataFrame:
    # of a few cells, a tenth of the time that grouping takes
    return pl.DataFrame([cells.unique(maintain_order=True), cells.unique_counts().alias(_COUNT)])


def _distinct(cells: pl.Series) -> pl.DataFrame:
    return cells.unique(maintain_order=True).to_frame()


def _together(parts: pl.DataFrame) -> pl.DataFrame:
    """Each name once, with the sum of its counts where there are any."""
    if _COUNT not in parts.columns:
        return _distinct(parts["name"])
    grouped = parts.lazy().group_by("name", maintain_order=True)
    return grouped.agg(pl.col(_COUNT).sum()).collect()


def _of_field(names: pl.DataFrame, target: str) -> pl.DataFrame:
    """Names as the field has them."""
    if target != "currency":
        return names
    named = names.with_columns(by_unique(names["name"], currency_name).alias("name"))
    return _together(named.drop_nulls("name"))


def _column(name: str, plan: Plan) -> tuple[str, str]:
    """Header and field of a column that is to be joined."""
    for column in plan.columns:
        if name in (column.field.name, column.header):
            if column.field.name == "id" or column.field.type is not FieldType.TEXT:
                msg = f"fold joins names, and {name!r} is {column.field.describe()}"
                raise LoadError(msg)
            return column.header, column.field.name
    if name in plan.mapping or name in plan.mapping.values():
        # nothing is in it
        return name, name
    msg = f"fold: {unknown_header(name, plan.mapping)}"
    raise LoadError(msg)
