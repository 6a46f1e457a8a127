"""
The facts of a log to which nothing was imported: as they were recorded, but for what is assumed of first values.

Nothing that one field says bears on another here, so that each is read when it is asked for.
"""

from __future__ import annotations

import polars as pl

from dealdb.store.facts.assumed import OF_CLOSING, Assume, starts_of
from dealdb.store.facts.facts import LIVES_SCHEMA, Facts
from dealdb.store.facts.fold import changes_of_field
from dealdb.store.facts.from_log import (
    Lives,
    cells_of,
    deal_commits,
    present_pipeline,
    present_schema,
)
from dealdb.store.ledger.ledger import Ledger
from dealdb.store.ledger.tables import cells_of as table_of

# what tells since when a deal is assumed to have been so
_TELLS = ("stage", "created", "closed")
_NEEDED = ("commits", "pipelines", "ids", "gone", "touches", "imported", *map(table_of, _TELLS))


def is_saved_alone(ledger: Ledger) -> bool:
    """
    Whether everything happened at the moment of its commit, as far as the log tells: no imports, no saves of the past.

    Cost
    ----
    At most one round trip, for the tables that ``saved_facts`` begins with.

    Examples
    --------
    >>> is_saved_alone(Ledger())
    True
    """
    ledger.need(_NEEDED)
    moments = ledger.touches.table()["at"]
    return ledger.imported.table().is_empty() and moments.null_count() == moments.len()


def saved_facts(known: Ledger, present: Ledger, assume: Assume) -> Facts:
    """
    Facts as they happened, of a log of which ``is_saved_alone`` is true.

    Parameters
    ----------
    known
        The commits that count.
    present
        All commits: what fields and stages are now.
    assume
        As of ``event_facts``; not ``"backfill"``, which asks whether a deal had a value in any field.

    Cost
    ----
    No round trip; at most one for a field that is first asked for.

    Examples
    --------
    >>> saved_facts(Ledger(), Ledger(), "birth").lives.height
    0
    """
    commits = known.commits()
    at, lives = commits["at"], Lives(known, commits["at"])
    table, schema = lives.table, present_schema(present)
    saved_at = at.gather(table["begin"].cast(pl.Int64) - 1)
    since = _since(known, lives, commits, saved_at, assume)
    start = since["start"]
    order = table.select("life", "id", begin=start).sort("begin", "id", "life")["life"]
    numbers = pl.int_range(order.len(), dtype=pl.UInt32, eager=True)
    # the inverse of the order; scatter would write into the numbers themselves
    number = order.arg_sort().cast(pl.UInt32)
    ends = at.gather(table["end"].cast(pl.Int64) - 1)
    there = {**dict.fromkeys(known.fields), "updated": None}

    def read(name: str) -> pl.DataFrame | None:
        if name not in there or name not in known.schema:
            return None
        cells = cells_of(known, lives, commits, name)
        if cells.is_empty():
            return None
        life = cells["life"]
        is_first = cells["seq"] == table["begin"].gather(life)
        first = since.select(_first_moment(name)).to_series().gather(life)
        moments = at.gather(cells["seq"].cast(pl.Int64) - 1)
        found = cells.with_columns(
            number.gather(life).alias("life"),
            pl.select(pl.when(is_first).then(first).otherwise(moments).alias("at")).to_series(),
        )
        return changes_of_field(found, name, schema)

    told = [table["id"].gather(order), start.gather(order), ends.gather(order)]
    return Facts(
        schema=schema,
        pipeline=present_pipeline(present),
        lives=pl.DataFrame(
            [numbers.alias("life"), *told, pl.repeat(None, order.len(), eager=True)],
            schema=LIVES_SCHEMA,
        ),
        read=read,
        commits=deal_commits(commits),
        pipelines=[(at[seq - 1], each) for seq, each in known.pipelines],
        # a deal that is taken as older has at least the day of its creation from then on
        n_assumed=table["id"].filter(start < saved_at).n_unique(),
    )


def _since(
    ledger: Ledger, lives: Lives, commits: pl.DataFrame, saved_at: pl.Series, assume: Assume
) -> pl.DataFrame:
    """Moments of each life: ``at`` (its first commit), ``start``, and ``closing`` where it came won or lost."""
    table = lives.table
    if assume == "none":
        none = pl.repeat(None, table.height, dtype=pl.Int64, eager=True)
        return pl.DataFrame({"at": saved_at, "start": saved_at, "closing": none})
    ended = commits["at"].gather(table["end"].cast(pl.Int64) - 1)
    loads = table.select("life", saved_at.alias("at"), previous_ends(table, ended).alias("ended"))
    firsts = {}
    for name in _TELLS:
        cells = cells_of(ledger, lives, commits, name)
        firsts[name] = cells.filter(cells["seq"] == table["begin"].gather(cells["life"]))
    nothing = pl.DataFrame(schema={"life": pl.UInt32, "told": pl.Int64})
    starts = starts_of(loads, firsts, nothing, present_pipeline(ledger), assume)
    return starts.select(saved_at.alias("at"), "start", "closing")


def previous_ends(lives: pl.DataFrame, ends: pl.Series) -> pl.Series:
    """
    Of each life, when the life of its deal that was before it ended; null for the first.

    Parameters
    ----------
    lives
        ``id``, in the order of lives.
    ends
        When each ended, or null.

    Examples
    --------
    >>> previous_ends(pl.DataFrame({"id": ["1", "2", "1"]}), pl.Series([5, None, None])).to_list()
    [None, None, 5]
    """
    if ends.null_count() == ends.len():
        return ends
    return (
        lives.select(ends.alias("ended"), "id")
        .select(pl.col("ended").shift(1).over("id"))
        .to_series()
    )


def _first_moment(name: str) -> pl.Expr:
    """Since when the first value of a field is taken to have been so."""
    if name in OF_CLOSING:
        return pl.coalesce("closing", "start")
    if name == "expected_close":
        return pl.when(pl.col("closing").is_not_null()).then("at").otherwise("start")
    return pl.col("start")
