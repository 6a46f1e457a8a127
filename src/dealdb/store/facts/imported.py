"""Facts that were imported: which of them count, where several say the same, something else, or take one back."""

from __future__ import annotations

import polars as pl

from dealdb.store.facts.fold import ENDS, holds_of, numbers_of

# what 64 bits hold
_MOST = 2**63


def imported_facts(given: pl.DataFrame) -> pl.DataFrame:
    """Imported facts that count, each once: neither repeated nor retracted."""
    ordered = (given if _is_in_order(given) else given.sort("seq", "place")).with_row_index("_row")
    is_retraction = pl.col("op") == "retract"
    facts, retractions = ordered.filter(~is_retraction), ordered.filter(is_retraction)
    # nearly every fact is the only one of its moment; the rules that choose need look at the others alone
    is_one_of_several = _are_several(facts, retractions)
    kept = _chosen(facts.filter(is_one_of_several), retractions)["_row"]
    whole = facts.filter(~is_one_of_several | holds_of(kept, ordered.height).gather(facts["_row"]))
    is_set = pl.col("op") == "set"
    return whole.select(
        "id",
        "at",
        "seq",
        "field",
        value=pl.when(is_set | (pl.col("op") == "merge")).then("value"),
        op=pl.when(pl.col("op").is_in(ENDS)).then("op").otherwise(pl.lit("set")),
        loaded=pl.lit(value=False),
        imported=pl.lit(value=True),
    )


def _is_in_order(given: pl.DataFrame) -> bool:
    same = pl.col("seq") == pl.col("seq").shift(1)
    follows = (pl.col("seq") > pl.col("seq").shift(1)) | (
        same & (pl.col("place") >= pl.col("place").shift(1))
    )
    return bool(given.select(follows.all()).item())


def _are_several(facts: pl.DataFrame, retractions: pl.DataFrame) -> pl.Series:
    """Which facts share deal, field and moment, or the number that their source gave, or may be taken back."""
    names = facts["field"].unique().drop_nulls()
    field = numbers_of(facts["field"], names).fill_null(names.len()).cast(pl.Int64)
    of_field = facts["id"].cast(pl.Int64) * (names.len() + 1) + field
    several = _of_one_moment(of_field, facts["at"])
    keyed = (facts["key"].is_not_null() & facts["source"].is_not_null()).arg_true()
    keyed = keyed.filter(facts["key"].gather(keyed).is_duplicated())
    if keyed.len():
        told = pl.DataFrame([of_field.alias("field"), facts["source"], facts["key"]])[keyed]
        rows = keyed.filter(told.is_duplicated())
        several = several | holds_of(rows, facts.height)
    if retractions.height:
        same = ["id", "field", "at"]
        found = facts.with_row_index("_nth").join(
            retractions.select(same), on=same, how="semi", nulls_equal=True
        )
        several = several | holds_of(found["_nth"], facts.height)
    return several


def _of_one_moment(of_field: pl.Series, at: pl.Series) -> pl.Series:
    """Which facts have the deal, the field and the moment of another."""
    bounds = [of_field.max(), at.min(), at.max()]
    most, first, last = (each if isinstance(each, int) else 0 for each in bounds)
    if (most + 1) * (last - first + 1) < _MOST:
        # one number is compared in a third of the time of two
        return (of_field * (last - first + 1) + (at - first)).is_duplicated()
    return pl.DataFrame([of_field.alias("field"), at.alias("at")]).is_duplicated()


def _chosen(facts: pl.DataFrame, retractions: pl.DataFrame) -> pl.DataFrame:
    """Of facts that share a moment or a number, those that count."""
    facts = facts.unique(
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
    facts = unretracted(facts, retractions)
    # between facts of one moment that say different things the number decides, whoever was told first
    of_field = facts.filter(pl.col("field").is_not_null()).sort(
        "id", "field", "at", "key", "seq", "place", nulls_last=False
    )
    last = of_field.unique(["id", "field", "at"], keep="last", maintain_order=True)
    return pl.concat([last, facts.filter(pl.col("field").is_null())])


def unretracted(facts: pl.DataFrame, retractions: pl.DataFrame) -> pl.DataFrame:
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
