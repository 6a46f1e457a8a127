"""When what a history tells was so, and facts that were recorded later than they happened, among its rows."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from dealdb.store.encoding import unpacked_facts
from dealdb.store.history.reading import moment_of
from dealdb.store.log.entry import Entry

# behind the columns of what a commit changed
TOLD_SCHEMA: dict[str, pl.DataType] = {"at": pl.Datetime("ms", "UTC"), "source": pl.String()}
_CHANGES = {"delete": "deleted", "merge": "merged", "retract": "retracted"}


class Retold:
    """
    What the commits of a history say of other moments than their own.

    Parameters
    ----------
    only
        Id of the one deal that is asked for; None for all.
    """

    def __init__(self, only: str | None = None) -> None:
        self._only = only
        self._facts: list[pl.DataFrame] = []
        self._ats: list[tuple[int, str, int]] = []

    def see(self, entry: Entry) -> None:
        """Note what an entry says."""
        if entry.kind == "facts":
            with entry.reading():
                facts = unpacked_facts(entry.data)
            about = {"seq": entry.position.seq, "when": moment_of(entry), "_by": entry.actor}
            known = facts if self._only is None else facts.filter(id=self._only)
            self._facts.append(known.with_columns(pl.lit(v).alias(n) for n, v in about.items()))
        elif entry.kind == "set" and any(entry.ats):
            ids, _, _ = entry.change
            self._ats += [
                (entry.position.seq, deal, at)
                for deal, at in zip(ids, entry.ats, strict=True)
                # those of other deals say nothing of the order of its rows
                if at and self._only in (None, deal)
            ]

    def with_moments(self, rows: pl.DataFrame) -> pl.DataFrame:
        """
        Rows of a history with ``at`` and ``source``, and imported facts among them in the order of ``at``.

        Parameters
        ----------
        rows
            ``seq``, ``when``, ``who``, ``change``, ``field``, ``before`` and ``after``; ``id`` unless it is that of one
            deal.
        """
        facts = [frame for frame in self._facts if not frame.is_empty()]
        if not facts and not self._ats:
            # most deals: not worth a query
            source = pl.Series("source", [None] * rows.height, pl.String)
            return rows.hstack([rows["when"].alias("at"), source])
        found = rows if "id" in rows.columns else rows.with_columns(id=pl.lit(self._only))
        ats = pl.DataFrame(
            self._ats, schema={"seq": pl.Int64, "id": pl.String, "at": pl.Int64}, orient="row"
        )
        found = found.join(ats, on=["seq", "id"], how="left", maintain_order="left").with_columns(
            pl.coalesce(pl.col("at").cast(TOLD_SCHEMA["at"]), "when").alias("at"),
            pl.lit(None, pl.String).alias("source"),
        )
        found = _merged(found, facts) if facts else found.sort("at", "seq", maintain_order=True)
        return found.select(*rows.columns, *TOLD_SCHEMA)


def _merged(rows: pl.DataFrame, facts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    told = pl.concat(facts).select(
        "id",
        pl.col("seq").cast(pl.Int64),
        pl.col("when").cast(TOLD_SCHEMA["at"]),
        pl.col("_by").alias("who"),
        pl.col("op").replace_strict(_CHANGES, default="updated").alias("change"),
        "field",
        pl.lit(None, pl.String).alias("before"),
        pl.col("value").alias("after"),
        pl.col("at").cast(TOLD_SCHEMA["at"]),
        "source",
        _told=pl.lit(value=True),
    )
    every = pl.concat([rows.with_columns(_told=pl.lit(value=False)), told], how="diagonal_relaxed")
    every = every.sort("at", "seq", maintain_order=True).with_row_index("_place")
    # what was taken back changes nothing, and the end of a deal has no field
    counts = every.filter(~pl.col("_told") | (pl.col("change") == "updated"))
    last = counts.select("_place", _last=pl.col("after").shift(1).over("id", "field"))
    every = every.join(last, on="_place", how="left", maintain_order="left")
    is_update = pl.col("_told") & (pl.col("change") == "updated")
    repeats = is_update & pl.col("after").eq_missing(pl.col("_last"))
    before = pl.when(is_update).then("_last").otherwise("before")
    return every.with_columns(before=before).filter(~repeats)
