"""
The facts as they happened: what was recorded later stands at its own moment.

Three things make them: what the commits say (each at its moment, or at the one that it names), facts that were
imported, and what has to be assumed of deals that came with a load, since what they were before nobody has recorded.
``docs/history.md`` has the rules in words.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal, TypeAlias

import polars as pl

from dealdb.model.moments import EPOCH
from dealdb.model.pipeline import Kind, Pipeline
from dealdb.store.facts.facts import Facts
from dealdb.store.facts.fold import ENDS, folded
from dealdb.store.facts.from_log import (
    Lives,
    cells_of,
    deal_commits,
    present_pipeline,
    present_schema,
)
from dealdb.store.ledger.ledger import Ledger

Assume: TypeAlias = Literal["birth", "none", "backfill"]
# facts are not older than this; what is assumed to have been so for ever begins here
FIRST_MS = (datetime(1990, 1, 1, tzinfo=EPOCH.tzinfo) - EPOCH) // timedelta(milliseconds=1)
_DAY_MS = 86_400_000
# of a deal that was won or lost by the time it was loaded: what holds from the day on which it was closed
_OF_CLOSING = ("stage", "closed", "loss_reason")


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
    No round trip.

    Examples
    --------
    >>> event_facts(Ledger()).lives.height
    0
    """
    known = ledger if until is None else ledger.upto(until)
    commits = known.commits()
    at = commits["at"]
    lives = Lives(known, at)
    pipeline = present_pipeline(known)
    imported = _imported(known)
    cells = _told_unretracted(_cells(known, lives, commits), known)
    ends = _ends(lives, at)
    saved = cells.filter(~pl.col("loaded"))
    facts = imported.filter(~pl.col("op").is_in(ENDS))
    loaded = _assumed(
        cells.filter("loaded"), pl.concat([facts, saved], how="diagonal"), pipeline, assume
    )
    rows = pl.concat([ends, imported, saved, loaded], how="diagonal").with_columns(
        pl.col("assumed").fill_null(value=False)
    )
    rows, n_ghosts = _without_ghosts(_without_late_loads(rows), lives)
    currency = _one_currency(known, lives) if assume != "none" else None
    if currency is not None:
        rows = _with_currency(rows, lives, currency)
    made = folded(
        rows.drop("loaded", "imported"),
        present_schema(ledger),
        present_pipeline(ledger),
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
    )


def _imported(ledger: Ledger) -> pl.DataFrame:
    """Imported facts that count, each once: neither repeated nor retracted."""
    given = ledger.imported.table().sort("seq", "place")
    is_retraction = pl.col("op") == "retract"
    facts = given.filter(~is_retraction).unique(
        ["id", "field", "at", "value", "op", "key"], keep="first", maintain_order=True
    )
    # a source may number what it tells: of a number the first telling counts
    keyed = pl.col("key").is_not_null() & pl.col("source").is_not_null()
    facts = pl.concat(
        [
            facts.filter(~keyed),
            facts.filter(keyed).unique(
                ["id", "field", "source", "key"], keep="first", maintain_order=True
            ),
        ]
    )
    facts = _unretracted(facts, given.filter(is_retraction))
    # between facts of one moment that say different things the number decides, whoever was told first
    of_field = facts.filter(pl.col("field").is_not_null()).sort(
        "id", "field", "at", "key", "seq", "place", nulls_last=False
    )
    last = of_field.unique(["id", "field", "at"], keep="last", maintain_order=True)
    whole = pl.concat([last, facts.filter(pl.col("field").is_null())]).sort("seq", "place")
    is_set = pl.col("op") == "set"
    return whole.select(
        "id",
        "at",
        "seq",
        "field",
        value=pl.when(is_set | (pl.col("op") == "merge")).then("value"),
        op=pl.when(pl.col("op").is_in(ENDS)).then("op").otherwise(pl.lit("set")),
        loaded=False,
        imported=True,
    )


def _unretracted(facts: pl.DataFrame, retractions: pl.DataFrame) -> pl.DataFrame:
    """
    Facts that nobody has taken back, whatever was recorded first.

    A retraction with a number takes the fact of that number; one without takes those without, or, where there is none,
    all of that deal, field and moment. With a value it takes only that one.
    """
    if retractions.is_empty():
        return facts
    same = ["id", "field", "at"]
    marked = facts.with_row_index("_fact")
    hits = marked.join(
        retractions.select(*same, "value", "key"), on=same, how="inner", nulls_equal=True
    ).filter(pl.col("value_right").is_null() | pl.col("value").eq_missing(pl.col("value_right")))
    exact = hits.filter(pl.col("key").eq_missing(pl.col("key_right")))
    plain = hits.filter(pl.col("key_right").is_null())
    all_keyed = plain.filter(pl.col("key").is_not_null().all().over([*same, "value_right"]))
    gone = pl.concat([exact["_fact"], all_keyed["_fact"]])
    return marked.filter(~pl.col("_fact").is_in(gone.implode())).drop("_fact")


def _ends(lives: Lives, at: pl.Series) -> pl.DataFrame:
    """Deletions that the log has."""
    ended = lives.table.filter(pl.col("end").is_not_null())
    moments = at.gather(ended["end"].cast(pl.Int64) - 1)
    return ended.select(
        "id",
        moments.alias("at"),
        seq="end",
        field=pl.lit(None, pl.String),
        value=pl.lit(None, pl.String),
        op=pl.lit("delete"),
        loaded=False,
        imported=False,
    )


def _told_unretracted(cells: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """Cells without those of saves with a moment of their own that were taken back."""
    retractions = ledger.imported.table().filter(op="retract")
    if retractions.is_empty():
        return cells
    is_told = pl.col("imported") & pl.col("field").is_not_null()
    told = cells.filter(is_told).with_columns(key=pl.lit(None, pl.String))
    return pl.concat([cells.filter(~is_told), _unretracted(told, retractions).drop("key")])


def _cells(ledger: Ledger, lives: Lives, commits: pl.DataFrame) -> pl.DataFrame:
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
    cells = pl.concat([bare, *parts], how="diagonal").join(
        touches, on=["life", "seq"], how="left", maintain_order="left"
    )
    of_life = lives.table.select("life", "id", "begin")
    cells = cells.join(of_life, on="life", how="inner", maintain_order="left")
    moments = at.gather(cells["seq"].cast(pl.Int64) - 1)
    previous = lives.table.sort("id", "begin").select(
        "life", ended=pl.col("end").shift(1).over("id")
    )
    ended = previous.with_columns(at.gather(previous["ended"].cast(pl.Int64) - 1).alias("ended"))
    first = (pl.col("seq") == pl.col("begin")) & pl.col("told").is_null()
    return cells.join(ended, on="life", how="left", maintain_order="left").select(
        "id",
        pl.coalesce("told", moments).alias("at"),
        "seq",
        "field",
        "value",
        op=pl.lit("set"),
        loaded=first,
        imported=pl.col("told").is_not_null(),
        ended="ended",
    )


def _assumed(
    loaded: pl.DataFrame, others: pl.DataFrame, pipeline: Pipeline, assume: Assume
) -> pl.DataFrame:
    """
    What deals had when they were first saved, at the moment from which on it is taken to have been so.

    Parameters
    ----------
    loaded
        The cells of first commits.
    others
        All other facts of deals: those with a moment of their own are better than what is assumed.
    """
    if assume == "none" or loaded.is_empty():
        return loaded.drop("ended").with_columns(assumed=pl.lit(value=False))
    load = ["id", "seq"]
    known = others.filter("imported").select("id", "field", told="at")
    loads = loaded.select(*load, "at", "ended").unique(load, maintain_order=True)
    told = loads.join(known, on="id", how="inner").filter(
        (pl.col("told") < pl.col("at")) & (pl.col("told") >= pl.col("ended").fill_null(-1))
    )
    starts = told.group_by(load).agg(first=pl.col("told").min())
    fields = told.select(*load, "field", told=pl.lit(value=True)).unique()
    texts = _own_values(loaded, pipeline)
    found = (
        loaded.join(fields, on=[*load, "field"], how="left", maintain_order="left")
        .join(starts, on=load, how="left", maintain_order="left")
        .join(texts, on=load, how="left", maintain_order="left")
    )
    earliest = pl.col("ended").fill_null(-1)
    zone = pipeline.zone
    day = pl.from_epoch("at", time_unit="ms").dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
    is_born = (pl.col("created") < day.dt.date()) & (pl.col("birth") >= earliest)
    ever = (
        pl.when(pl.col("created").is_null()).then(pl.coalesce("ended", pl.lit(FIRST_MS)))
        if assume == "backfill"
        else None
    )
    start = pl.coalesce(
        "first", pl.when(is_born).then("birth"), *([] if ever is None else [ever]), "at"
    )
    is_closed = pl.col("closing").is_not_null()
    at_closing = pl.max_horizontal(pl.min_horizontal("closing", "at"), start)
    since = (
        pl.when(pl.col("told").is_not_null())
        .then("at")
        .when(is_closed & pl.col("field").is_in(_OF_CLOSING))
        .then(at_closing)
        .when(is_closed & (pl.col("field") == "expected_close"))
        .then("at")
        .otherwise(start)
    )
    return (
        found.with_columns(since.alias("_since"))
        .select(
            "id",
            "_since",
            *("seq", "field", "value", "op", "loaded", "imported"),
            assumed=(pl.col("_since") < pl.col("at")) & pl.col("value").is_not_null(),
        )
        .rename({"_since": "at"})
    )


def _own_values(loaded: pl.DataFrame, pipeline: Pipeline) -> pl.DataFrame:
    """Of each load of a deal: ``created`` with the moment ``birth``, and ``closing`` where it came won or lost."""
    ended = [*pipeline.names(Kind.WON), *pipeline.names(Kind.LOST)]
    own = loaded.group_by("id", "seq").agg(
        pl.col("value").filter(pl.col("field") == name).first().alias(name)
        for name in ("stage", "created", "closed")
    )
    zone = pipeline.zone
    own = own.with_columns(pl.col("created", "closed").str.to_date("%Y-%m-%d", strict=False))
    is_closed = pl.col("stage").is_in(ended)
    return own.select(
        "id",
        "seq",
        "created",
        birth=_midnight("created", zone),
        closing=pl.when(is_closed).then(_midnight("closed", zone)),
    )


def _midnight(name: str, zone: str) -> pl.Expr:
    """Beginning of a day in a zone, milliseconds since 1970."""
    local = pl.col(name).cast(pl.Datetime("ms"))
    # a day that begins with the end of winter time begins an hour later
    zoned = local.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    later = local.dt.offset_by("1h").dt.replace_time_zone(
        zone, ambiguous="earliest", non_existent="null"
    )
    return pl.coalesce(zoned, later).dt.epoch("ms")


def _without_late_loads(rows: pl.DataFrame) -> pl.DataFrame:
    """
    Rows without what a load says of a deal that had been deleted before.

    The export of a CRM may still have a deal that its history says was deleted: nothing new has happened to it then.
    """
    ends = rows.filter(pl.col("imported") & pl.col("op").is_in(ENDS))
    if ends.is_empty():
        return rows
    concerned = pl.col("id").is_in(ends["id"].unique().implode())
    # before what was told of the same moment: what begins a deal anew has that field alone
    some = rows.filter(concerned).sort("id", "at", ~pl.col("loaded"), "seq", maintain_order=True)
    ended = pl.col("imported") & pl.col("op").is_in(ENDS)
    # of what is no load: whether it leaves the deal deleted by its history
    state = pl.when(~pl.col("loaded")).then(ended).forward_fill().over("id").fill_null(value=False)
    return pl.concat([rows.filter(~concerned), some.filter(~(pl.col("loaded") & state))])


def _without_ghosts(rows: pl.DataFrame, lives: Lives) -> tuple[pl.DataFrame, int]:
    """Rows without lives of deals that no commit has, and that have no end; and how many deals have such a life."""
    foreign = ~pl.col("id").is_in(lives.table["id"].unique().implode())
    some = rows.filter(foreign).sort("id", "at", "seq", maintain_order=True)
    if some.is_empty():
        return rows, 0
    is_end = pl.col("op").is_in(ENDS).cast(pl.UInt32)
    later = is_end.sum().over("id") - is_end.cum_sum().over("id") + is_end
    ghosts = some.filter(later == 0)["id"].n_unique()
    return pl.concat([rows.filter(~foreign), some.filter(later > 0)]), ghosts


def _one_currency(ledger: Ledger, lives: Lives) -> str | None:
    """The currency that all deals of the present have; None where there are several, or deals without one."""
    present = lives.table.filter(pl.col("end").is_null()).select("life")
    cells = lives.with_life(ledger.cells("currency")).sort("seq")
    last = cells.unique("life", keep="last").select("life", "value")
    found = present.join(last, on="life", how="left")["value"].unique()
    return found[0] if len(found) == 1 else None


def _with_currency(rows: pl.DataFrame, lives: Lives, currency: str) -> pl.DataFrame:
    """Rows with a currency for deals that are known from their history alone, which says nothing of it."""
    told = rows.filter(pl.col("field") == "currency")["id"]
    known = pl.concat([told, lives.table["id"]]).unique()
    bare = rows.filter(~pl.col("id").is_in(known.implode()) & ~pl.col("op").is_in(ENDS))
    first = bare.sort("at", "seq").unique("id", keep="first", maintain_order=True)
    added = first.with_columns(
        field=pl.lit("currency"), value=pl.lit(currency), assumed=pl.lit(value=True)
    )
    return pl.concat([rows, added])
