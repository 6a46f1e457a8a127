"""
The facts as they were recorded: what the collection showed at each moment, from the commits alone.

Nothing here looks at a single deal or commit: lives, facts and their order come of whole columns.
"""

from __future__ import annotations

from functools import cached_property

import polars as pl

from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Schema
from dealdb.store.facts.facts import COMMITS_SCHEMA, LIVES_SCHEMA, Facts
from dealdb.store.facts.fold import changes_of_field
from dealdb.store.ledger.ledger import Ledger
from dealdb.store.ledger.tables import FOLLOWED

_STAMP = "%Y-%m-%dT%H:%M:%SZ"


class Lives:
    """
    The lives of all deals in a ledger, as they were recorded.

    A life begins with the first commit that has the deal, and ends with its deletion, or where another program replaced
    its hash: then the deal has another row, and begins anew.

    Attributes
    ----------
    table
        ``life``, ``id``, ``begin`` and ``end`` (numbers of commits), the earliest first.

    Parameters
    ----------
    ledger
        Of the log.
    at
        Moments of its commits.
    """

    def __init__(self, ledger: Ledger, at: pl.Series) -> None:
        ids, gone = ledger.ids.table(), ledger.gone.table()
        special = _special_rows(ids, gone)
        plain = ids if special.is_empty() else ids.filter(~pl.col("row").is_in(special.implode()))
        # a row a life
        begins = plain.group_by("row").agg(
            id=pl.col("id").first(), begin=pl.col("seq").min(), end=pl.lit(None, pl.UInt32)
        )
        begins = begins.with_columns(nth=pl.lit(None, pl.UInt32))
        self._changes: pl.DataFrame | None = None
        # a commit may save two deals that have one row: then their cells are told apart by their order
        self._keys = ["row", "seq"]
        if not special.is_empty():
            some = ledger.all_ids(special)
            self._keys += ["place"] if _repeats(some) else []
            others, self._changes = _begins(self._placed(some), gone)
            begins = pl.concat([begins, others.select(begins.columns).cast(begins.schema)])
        begins = begins.with_columns(at.gather(begins["begin"].cast(pl.Int64) - 1).alias("_at"))
        lives = (
            begins.sort("_at", "id", "begin", "row")
            .with_row_index("life")
            .with_columns(pl.col("end").cast(pl.UInt32))
        )
        if self._changes is not None:
            names = lives.select("nth", "life").drop_nulls()
            self._changes = self._changes.join(names, on="nth", how="inner").select(
                *self._keys, "life"
            )
        self.table = lives.select("life", "id", "begin", "end", "row")
        self._rows = lives.filter(pl.col("nth").is_null()).select("row", "life")
        self._ledger = ledger

    @cached_property
    def touches(self) -> pl.DataFrame:
        """``touches`` of the ledger, with ``life``."""
        return self.with_life(self._ledger.touches.table())

    def with_life(self, cells: pl.DataFrame) -> pl.DataFrame:
        """Cells by ``row`` and ``seq``, with the life that each belongs to."""
        found = cells.join(self._rows, on="row", how="inner", maintain_order="left")
        if self._changes is None:
            return found
        placed = self._placed(cells)
        others = placed.join(self._changes, on=self._keys, how="inner", maintain_order="left")
        return pl.concat([found, others.select(found.columns)])

    def _placed(self, cells: pl.DataFrame) -> pl.DataFrame:
        """Cells with the place among those of one commit and row, where there are several."""
        if "place" not in self._keys:
            return cells
        return cells.with_columns(place=pl.int_range(pl.len()).over("row", "seq"))


def _repeats(ids: pl.DataFrame) -> bool:
    return bool(ids.select(pl.struct("row", "seq").is_duplicated().any()).item())


def _special_rows(ids: pl.DataFrame, gone: pl.DataFrame) -> pl.Series:
    """Rows of deals that were deleted or have several rows, and of those that have their rows together with others."""
    pairs = ids.select("row", "id").unique()
    shared = pairs.filter(pl.col("row").is_duplicated() | pl.col("id").is_duplicated())
    deals = pl.concat([shared["id"], gone["id"]]).unique()
    return pairs.filter(pl.col("id").is_in(deals.implode()))["row"].unique()


def _begins(ids: pl.DataFrame, gone: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """
    Lives of deals that were deleted or have several rows, or whose rows have several deals.

    ``nth``, ``id``, ``row``, ``begin`` and ``end`` of each life; and ``nth`` of each change by ``row`` and ``seq``.
    """
    events = pl.concat([ids.with_columns(gone=False), gone.with_columns(gone=True)], how="diagonal")
    events = events.with_columns(deal=pl.col("id").rank("dense"))
    touched = pl.when(~pl.col("gone")).then("row")
    events = events.sort("deal", "seq", "gone", maintain_order=True).with_columns(
        # of a deletion: the row that the deal had, and how often it was touched before
        last=touched.forward_fill().over("deal"),
        nth=(~pl.col("gone")).cum_sum().over("deal"),
    )
    # another row is a leftover, of a hash that another program replaced
    ends = pl.col("gone") & (pl.col("row") == pl.col("last"))
    events = events.with_columns(ends=ends)
    first = pl.col("ends").cast(pl.UInt32).cum_sum().over("deal", "nth") == 1
    kept = events.filter(~pl.col("gone") | (pl.col("ends") & first))
    previous = pl.col("row").shift(1).over("deal")
    after_end = pl.col("ends").shift(1).over("deal").fill_null(value=True)
    kept = kept.with_columns(
        begins=~pl.col("ends") & (after_end | previous.ne_missing(pl.col("row")))
    ).with_columns(nth=pl.col("begins").cum_sum())
    lives = kept.group_by("nth", "deal", maintain_order=True).agg(
        id=pl.col("id").first(),
        row=pl.col("row").first(),
        begin=pl.col("seq").first(),
        end=pl.col("seq").filter(pl.col("ends")).first(),
    )
    # where the hash was replaced, the deal begins anew without having been deleted
    ended = pl.coalesce("end", pl.col("begin").shift(-1).over("deal"))
    keys = [name for name in ("row", "seq", "place") if name in ids.columns]
    changes = kept.filter(~pl.col("ends")).select("nth", *keys)
    return lives.with_columns(end=ended).drop("deal"), changes.unique(keys, keep="last")


def recorded_facts(ledger: Ledger) -> Facts:
    """
    Facts as the commits tell them: each holds from the moment of its commit on.

    Notes
    -----
    Of several changes of one field in one millisecond the last one counts. Where the server's clock was set back, a
    commit counts from the earliest time of itself and those after it, so that its order stays: see ``Ledger.commits``.

    Cost
    ----
    No round trip. A field is made ready when it is first asked for.

    Examples
    --------
    >>> recorded_facts(Ledger()).lives.height
    0
    """
    ledger.need(["commits", "pipelines", "ids", "gone"])
    commits = ledger.commits()
    at = commits["at"]
    lives = Lives(ledger, at)

    def moments(seqs: pl.Series) -> pl.Series:
        return at.gather(seqs.cast(pl.Int64) - 1)

    def read(name: str) -> pl.DataFrame | None:
        cells = cells_of(ledger, lives, commits, name)
        if cells.is_empty():
            return None
        found = cells.with_columns(moments(cells["seq"]).alias("at"))
        return changes_of_field(found, name, ledger.schema)

    table = lives.table
    return Facts(
        schema=present_schema(ledger),
        pipeline=present_pipeline(ledger),
        lives=table.with_columns(
            moments(table["begin"]).alias("begin"),
            moments(table["end"]).alias("end"),
            pl.lit(None, pl.String).alias("survivor"),
        ).select(pl.col(n).cast(t) for n, t in LIVES_SCHEMA.items()),
        read=read,
        commits=deal_commits(commits),
        pipelines=[(at[seq - 1], pipeline) for seq, pipeline in ledger.pipelines],
    )


def present_schema(ledger: Ledger) -> Schema:
    """The schema in force, or that of a collection that begins."""
    return ledger.schema if ledger.schema.fields else Schema.standard()


def present_pipeline(ledger: Ledger) -> Pipeline:
    """The pipeline in force; where nobody has ever said what the stages mean, the one that their names propose."""
    if ledger.pipelines:
        return ledger.pipelines[-1][1]
    stages = ledger.cells("stage")["value"].drop_nulls().unique().sort()
    return Pipeline().covering(stages.to_list())


def deal_commits(commits: pl.DataFrame) -> pl.DataFrame:
    """Commits that changed deals or what is known of them."""
    is_other = pl.col("kind").is_in(["schema", "pipeline", FOLLOWED])
    return commits.filter(~is_other).select(pl.col(n).cast(t) for n, t in COMMITS_SCHEMA.items())


def cells_of(ledger: Ledger, lives: Lives, commits: pl.DataFrame, name: str) -> pl.DataFrame:
    """``life``, ``seq`` and ``value`` of the changes of a field, the stamps that the commit script sets among them."""
    if name == "id":
        return lives.table.select("life", seq="begin", value="id")
    cells = lives.with_life(ledger.cells(name)).select("life", "seq", "value")
    if name != "updated":
        return cells
    stamped = lives.touches.filter("stamped").select("life", "seq")
    times = commits["time_ms"].gather(stamped["seq"].cast(pl.Int64) - 1)
    texts = pl.from_epoch(times // 1000, time_unit="s").dt.strftime(_STAMP)
    return pl.concat([cells, stamped.with_columns(texts.alias("value"))])
