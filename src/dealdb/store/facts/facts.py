"""What was so of each deal, and since when: one table a field, in the order in which it happened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from dealdb.model.columns import dtype_of, is_text
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Field, Schema

LIVES_SCHEMA: dict[str, pl.DataType] = {
    "life": pl.UInt32(),
    "id": pl.String(),
    "begin": pl.Int64(),
    "end": pl.Int64(),
    "survivor": pl.String(),
}
COMMITS_SCHEMA: dict[str, pl.DataType] = {
    "seq": pl.UInt32(),
    "at": pl.Int64(),
    "who": pl.String(),
    "kind": pl.String(),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Facts:
    """
    The history of a collection as columns; moments are milliseconds since 1970, UTC.

    A deal that was deleted and saved again has two lives with one id.

    Attributes
    ----------
    schema, pipeline
        As they are now.
    lives
        ``life`` (the number of the row), ``id``, ``begin`` (its first fact), ``end`` (when it was deleted, or null) and
        ``survivor`` (the deal that it was merged into, or null).
    read
        Gives the facts of a field: ``life``, ``at``, ``seq``, ``value``; see ``of``.
    commits
        ``seq``, ``at``, ``who`` and ``kind`` of each commit that changed deals.
    pipelines
        The pipelines as they came into force, oldest first, each with its moment.
    n_assumed
        Deals with a value that is only assumed to have been so: since before it was recorded.
    n_ghosts
        Deals that are known from imported history alone, without an end: they are left out.
    currencies
        Those of all deals of the present, where there are deals that are known from imported history alone: where it is
        one, these are taken to have it. None where there are no such deals.

    Examples
    --------
    >>> from dealdb.store.facts.fold import folded
    >>> rows = pl.DataFrame(
    ...     {"id": ["1", "1"], "at": [5, 9], "field": ["stage"] * 2, "value": ["Lead", "Won"]}
    ... )
    >>> folded(rows, Schema.standard(), Pipeline()).of("stage").select("life", "at", "value").rows()
    [(0, 5, 'Lead'), (0, 9, 'Won')]
    """

    schema: Schema
    pipeline: Pipeline
    lives: pl.DataFrame
    read: Callable[[str], pl.DataFrame | None] = field(repr=False)
    commits: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=COMMITS_SCHEMA))
    pipelines: Sequence[tuple[int, Pipeline]] = ()
    n_assumed: int = 0
    n_ghosts: int = 0
    currencies: frozenset[str | None] | None = None
    _kept: dict[str, pl.DataFrame] = field(default_factory=dict, repr=False)
    # found when first asked for
    _deals: list[pl.Series] = field(default_factory=list, repr=False)
    _presents: list[Facts] = field(default_factory=list, repr=False)

    def of(self, name: str) -> pl.DataFrame:
        """
        Facts of one field: ``life``, ``at``, ``seq`` and the typed ``value``, null where it was cleared.

        Sorted by life and moment; each row is a change, and nothing comes after the end of a life.
        """
        if name not in self._kept:
            found = self.read(name)
            self._kept[name] = (
                pl.DataFrame(schema=field_schema(self.schema[name])) if found is None else found
            )
        return self._kept[name]

    def with_present_names(self) -> Facts:
        """The same, with the names that the pipeline's renamed stages have now; a new name alone is no change."""
        if not self.pipeline.renamed:
            return self
        if not self._presents:
            self._presents.append(replace(self, read=self._renamed, _kept={}, _presents=[]))
        return self._presents[0]

    def _renamed(self, name: str) -> pl.DataFrame:
        facts = self.of(name)
        if name != "stage":
            return facts
        named = facts.with_columns(pl.col("value").replace(dict(self.pipeline.new_names())))
        before = pl.col("value").shift(1).over("life")
        return named.filter(pl.col("value").ne_missing(before))

    @property
    def deals(self) -> pl.Series:
        """Of each life, in their order, the first life of its deal: the same for all lives of one deal."""
        if not self._deals:
            lives = self.lives["life"]
            if self.lives["id"].n_unique() < lives.len():
                lives = self.lives.select(pl.col("life").min().over("id")).to_series()
            self._deals.append(lives.alias("deal"))
        return self._deals[0]

    @property
    def has_second_lives(self) -> bool:
        """Whether a deal was deleted and saved again."""
        return not self.deals.equals(self.lives["life"])

    @property
    def first(self) -> int | None:
        """Moment of the first fact, or None where there is none."""
        found = self.lives["begin"].min()
        return found if isinstance(found, int) else None

    def pipeline_at(self, moment: int) -> Pipeline:
        """The pipeline that was in force just before a moment; the first one, where there was none yet."""
        before = [pipeline for at, pipeline in self.pipelines if at < moment]
        if before:
            return before[-1]
        return self.pipelines[0][1] if self.pipelines else self.pipeline


def field_schema(of: Field) -> dict[str, pl.DataType]:
    """
    Columns of the facts of a field.

    Examples
    --------
    >>> field_schema(Schema.standard()["amount"])["value"]
    Decimal(precision=38, scale=2)
    """
    value = dtype_of(of)
    # categories of different tables don't compare
    value = pl.String() if is_text(value) else value
    return {"life": pl.UInt32(), "at": pl.Int64(), "seq": pl.UInt32(), "value": value}
