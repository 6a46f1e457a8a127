"""
The facts as they happened: what was recorded later stands at its own moment.

Three things make them: what the commits say (each at its moment, or at the one that it names), facts that were
imported, and what has to be assumed of deals that came with a load, since what they were before nobody has recorded.
``docs/history.md`` has the rules in words.
"""

from __future__ import annotations

import polars as pl

from dealdb.store.facts.assumed import Assume, assumed_facts
from dealdb.store.facts.facts import Facts
from dealdb.store.facts.fold import ENDS, folded, holds_of, numbers_of
from dealdb.store.facts.from_log import (
    Lives,
    cells_of,
    deal_commits,
    present_pipeline,
    present_schema,
)
from dealdb.store.facts.imported import imported_facts, unretracted
from dealdb.store.facts.saved import is_saved_alone, saved_facts
from dealdb.store.ledger.ledger import Ledger

# columns of a fact, on the way to them all; ``id`` is the number of the deal
_ROW = ("id", "at", "seq", "field", "value", "op", "loaded", "imported")


def event_facts(ledger: Ledger, until: int | None = None, assume: Assume = "birth") -> Facts:
    """
    Facts as they happened, as far as they were known by a commit.

    Parameters
    ----------
    until
        Number of the last commit that counts; None for all.
    assume
        What was so before a deal was first saved. ``"birth"``: what the deal had then, from its first imported fact on,
        or from ``created`` where it has none; ``"backfill"``: the same, and from 1990 on where it has no ``created``
        either; ``"none"``: nothing.

    Notes
    -----
    Equal to ``recorded_facts`` where nothing was imported and nothing is assumed.

    Cost
    ----
    Where nothing was imported, no save has a moment of its own, and ``assume`` is not ``"backfill"``, at most one round
    trip, and one for each field that is first asked for; else at most one, for all fields.

    Examples
    --------
    >>> event_facts(Ledger()).lives.height
    0
    """
    known = ledger if until is None else ledger.upto(until)
    if assume != "backfill" and is_saved_alone(known):
        return saved_facts(known, ledger, assume)
    ledger.need()
    return told_facts(ledger, until, assume)


def told_facts(ledger: Ledger, until: int | None = None, assume: Assume = "birth") -> Facts:
    """
    The same, whatever was imported: what one field says may bear on others, so that all are read together.

    Examples
    --------
    >>> told_facts(Ledger()).lives.height
    0
    """
    known = ledger if until is None else ledger.upto(until)
    commits = known.commits()
    at = commits["at"]
    lives = Lives(known, at)
    pipeline = present_pipeline(known)
    given = known.imported.table()
    # from here on a deal is a number: texts take several times as long to join and to sort
    ids = pl.concat([lives.table["id"], given["id"]]).unique(maintain_order=True)
    given = given.with_columns(numbers_of(given["id"], ids).alias("id"))
    of_life = numbers_of(lives.table["id"], ids)
    imported = imported_facts(given)
    cells = _told_unretracted(_cells(known, lives, commits, of_life), given)
    ends = _ends(lives, at, of_life)
    saved = cells.filter(~pl.col("loaded"))
    told = pl.concat(
        [
            part.filter("imported").select("id", "field", told="at")
            for part in (imported.filter(~pl.col("op").is_in(ENDS)), saved)
        ]
    )
    loaded = assumed_facts(cells.filter("loaded"), told, lives.table.height, pipeline, assume)
    parts = [each.select(_ROW) for each in (ends, imported, saved)]
    rows = pl.concat(
        [
            *(part.with_columns(assumed=pl.lit(value=False)) for part in parts),
            loaded.select(*_ROW, "assumed"),
        ]
    )
    has_life = holds_of(of_life, ids.len())
    rows, n_ghosts = _without_ghosts(_without_late_loads(rows, ids.len()), has_life)
    # only deals that no commit has can lack what the present says
    has_others = assume != "none" and not has_life.all()
    currencies = _currencies(known, lives) if has_others else None
    currency = next(iter(currencies)) if currencies and len(currencies) == 1 else None
    if currency is not None:
        rows = _with_currency(rows, has_life, currency)
    made = folded(
        rows.drop("loaded", "imported"),
        present_schema(ledger),
        present_pipeline(ledger),
        ids=ids,
        commits=deal_commits(commits),
        pipelines=[(at[seq - 1], each) for seq, each in known.pipelines],
    )
    return Facts(
        schema=made.schema,
        pipeline=made.pipeline,
        lives=made.lives,
        read=made.read,
        commits=made.commits,
        pipelines=made.pipelines,
        n_assumed=rows.filter("assumed")["id"].n_unique(),
        n_ghosts=n_ghosts,
        currencies=currencies,
    )


def present_currencies(ledger: Ledger) -> frozenset[str | None]:
    """
    The currencies that deals have now, and None where one has none.

    Examples
    --------
    >>> present_currencies(Ledger())
    frozenset()
    """
    return _currencies(ledger, Lives(ledger, ledger.commits()["at"]))


def _ends(lives: Lives, at: pl.Series, of_life: pl.Series) -> pl.DataFrame:
    """Deletions that the log has."""
    is_over = lives.table["end"].is_not_null()
    ended = lives.table.filter(is_over)
    moments = at.gather(ended["end"].cast(pl.Int64) - 1)
    return ended.select(
        of_life.filter(is_over).alias("id"),
        moments.alias("at"),
        seq="end",
        field=pl.lit(None, pl.String),
        value=pl.lit(None, pl.String),
        op=pl.lit("delete"),
        loaded=pl.lit(value=False),
        imported=pl.lit(value=False),
    )


def _told_unretracted(cells: pl.DataFrame, given: pl.DataFrame) -> pl.DataFrame:
    """Cells without those of saves with a moment of their own that were taken back."""
    retractions = given.filter(op="retract")
    if retractions.is_empty():
        return cells
    is_told = pl.col("imported") & pl.col("field").is_not_null()
    told = cells.filter(is_told).with_columns(key=pl.lit(None, pl.String))
    return pl.concat([cells.filter(~is_told), unretracted(told, retractions).drop("key")])


def _cells(ledger: Ledger, lives: Lives, commits: pl.DataFrame, of_life: pl.Series) -> pl.DataFrame:
    """What the commits say, at its moment: a row a field, and one without a field for each change of a deal."""
    at = commits["at"]
    touches = lives.touches.select("life", "seq", told="at").unique(["life", "seq"], keep="last")
    parts = [
        cells_of(ledger, lives, commits, name).with_columns(pl.lit(name).alias("field"))
        for name in {**dict.fromkeys(ledger.fields), "updated": None}
        if name in ledger.schema
    ]
    bare = touches.select(
        "life", "seq", value=pl.lit(None, pl.String), field=pl.lit(None, pl.String)
    )
    cells = pl.concat([bare, *parts], how="diagonal")
    told = touches.filter(pl.col("told").is_not_null())
    if told.is_empty():
        cells = cells.with_columns(told=pl.lit(None, pl.Int64))
    else:
        cells = cells.join(told, on=["life", "seq"], how="left", maintain_order="left")
    begin = lives.table["begin"].gather(cells["life"])
    moments = at.gather(cells["seq"].cast(pl.Int64) - 1)
    ended = _ended_before(lives, at, of_life).gather(cells["life"])
    first = (pl.col("seq") == begin) & pl.col("told").is_null()
    return cells.select(
        of_life.gather(cells["life"]).alias("id"),
        pl.coalesce("told", moments).alias("at"),
        "seq",
        "field",
        "value",
        "life",
        op=pl.lit("set"),
        loaded=first,
        imported=pl.col("told").is_not_null(),
        ended=ended,
    )


def _ended_before(lives: Lives, at: pl.Series, of_life: pl.Series) -> pl.Series:
    """Of each life, when the life of its deal that was before it ended."""
    moments = at.gather(lives.table["end"].cast(pl.Int64) - 1)
    if moments.null_count() == moments.len():
        return moments.alias("ended")
    table = lives.table.select("life", "begin", of_life.alias("deal"), ended=moments)
    previous = table.sort("deal", "begin").with_columns(pl.col("ended").shift(1).over("deal"))
    return previous.sort("life")["ended"]


def _without_late_loads(rows: pl.DataFrame, n_ids: int) -> pl.DataFrame:
    """
    Rows without what a load says of a deal that had been deleted before.

    The export of a CRM may still have a deal that its history says was deleted: nothing new has happened to it then.
    """
    ends = rows.filter(pl.col("imported") & pl.col("op").is_in(ENDS))
    if ends.is_empty():
        return rows
    concerned = holds_of(ends["id"].unique(), n_ids).gather(rows["id"])
    # before what was told of the same moment: what begins a deal anew has that field alone
    some = rows.filter(concerned).sort("id", "at", ~pl.col("loaded"), "seq", maintain_order=True)
    ended = pl.col("imported") & pl.col("op").is_in(ENDS)
    # of what is no load: whether it leaves the deal deleted by its history
    state = pl.when(~pl.col("loaded")).then(ended).forward_fill().over("id").fill_null(value=False)
    return pl.concat([rows.filter(~concerned), some.filter(~(pl.col("loaded") & state))])


def _without_ghosts(rows: pl.DataFrame, has_life: pl.Series) -> tuple[pl.DataFrame, int]:
    """Rows without lives of deals that no commit has, and that have no end; and how many deals have such a life."""
    foreign = ~has_life.gather(rows["id"])
    some = rows.filter(foreign).sort("id", "at", "seq", maintain_order=True)
    if some.is_empty():
        return rows, 0
    is_end = pl.col("op").is_in(ENDS).cast(pl.UInt32)
    later = is_end.sum().over("id") - is_end.cum_sum().over("id") + is_end
    ghosts = some.filter(later == 0)["id"].n_unique()
    return pl.concat([rows.filter(~foreign), some.filter(later > 0)]), ghosts


def _currencies(ledger: Ledger, lives: Lives) -> frozenset[str | None]:
    present = lives.table.filter(pl.col("end").is_null()).select("life")
    cells = lives.with_life(ledger.cells("currency")).sort("seq")
    last = cells.unique("life", keep="last").select("life", "value")
    return frozenset(present.join(last, on="life", how="left")["value"].unique())


def _with_currency(rows: pl.DataFrame, has_life: pl.Series, currency: str) -> pl.DataFrame:
    """Rows with the one currency of all others for deals that are known from their history alone, which says none."""
    told = rows.filter(pl.col("field") == "currency")["id"]
    known = has_life | holds_of(told.unique(), has_life.len())
    bare = rows.filter(~known.gather(rows["id"]) & ~pl.col("op").is_in(ENDS))
    first = bare.sort("at", "seq").unique("id", keep="first", maintain_order=True)
    added = first.with_columns(
        field=pl.lit("currency"), value=pl.lit(currency), assumed=pl.lit(value=True)
    )
    return pl.concat([rows, added])
