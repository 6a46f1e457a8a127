"""From changes of a source to facts: moments, fields and values checked, and differences taken."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import polars as pl

from dealdb.loader.cells.truth_words import is_true
from dealdb.loader.chunk import merged_type
from dealdb.loader.columns.stage_flags import outcomes_in
from dealdb.loader.history.changes import (
    CLOSE_DATE,
    CREATION,
    GONE,
    STATUS,
    Changes,
    Style,
)
from dealdb.loader.history.facts_read import END_OPS, FIELD_OPS
from dealdb.loader.history.forms.salesforce import without_twins
from dealdb.loader.history.rows.history_table import ROW
from dealdb.loader.history.rows.moments import DAY_MS, EARLIEST_MS, day_of, moments
from dealdb.loader.history.sequence.close_dates import split_close_dates
from dealdb.loader.history.sequence.differences import OPENING, aged, chains, differences
from dealdb.loader.history.sequence.merges import circles, once_each
from dealdb.loader.history.sequence.statuses import with_outcomes
from dealdb.loader.history.stages import KnownStages
from dealdb.loader.history.stored_values import stored_values
from dealdb.model.pipeline import Kind
from dealdb.model.schema import DEFAULT_SCALE, Field, FieldType, Schema

# columns of what is wrong with a row
BAD = (ROW, "column", "value", "code", "message")
_FLAG_FIELDS = {"value": "stage", "is_closed": "is_closed", "is_won": "is_won"}
_MOMENT = "expected a date and time such as 2026-01-31T09:30:00Z"


class FactReading:
    """
    Changes on their way to facts.

    Parameters
    ----------
    changes
        Of the source.
    stages
        What is known of stages.
    zone
        Time zone of the source.
    days
        Zone in which a day without a time begins; ``zone`` by default.
    fields
        Fields to keep, or None.
    now_ms
        The present.
    schema
        Of the collection, or None.

    Attributes
    ----------
    new_fields
        Fields that the collection doesn't have and that the source says the type of, by name.
    outcomes
        What flags of the source, or the table of stages, say of stages.
    unknown_stages
        Ids of stages without a label.
    n_repeated
        Changes that the source has more than once.
    """

    def __init__(
        self,
        changes: Changes,
        stages: KnownStages,
        *,
        zone: str,
        days: str | None = None,
        fields: Collection[str] | Mapping[str, str] | None,
        now_ms: int,
        schema: Schema | None = None,
    ) -> None:
        self._changes = changes
        self._stages = stages
        self._zone = zone
        self._days = days
        self._kinds = dict(fields) if isinstance(fields, Mapping) else {}
        self._wanted = None if fields is None else self._named(fields)
        self._now_ms = now_ms
        self._schema = schema
        self._bad: list[pl.DataFrame] = []
        self.new_fields = _new_fields(changes, schema)
        self.outcomes: dict[str, set[Kind]] = {}
        self.unknown_stages: set[str] = set()
        self.n_repeated = 0

    def facts(self) -> pl.DataFrame:
        """
        Facts of the source, in no order yet.

        Raises
        ------
        LoadError
            If dates or numbers can be read in several ways.
        """
        source = pl.col("source").fill_null(self._changes.crm)
        frame = self._timed(self._changes.frame.with_columns(source))
        frame = self._with_fields(self._with_ops(frame))
        frame = self._with_values(self._labelled(frame))
        closed = self._closed_stages(frame)
        facts = self._styled(frame)
        facts = facts.with_columns(pl.lit(value=False).alias("derived"))
        facts = with_outcomes(facts, self._stages.outcomes(), self._zone, OPENING)
        facts = once_each(facts)
        facts = split_close_dates(_with_lives(facts), closed, self._changes.crm, self._zone)
        if self._wanted is not None:
            is_end = pl.col("op").is_in(END_OPS)
            facts = facts.filter(is_end | pl.col("field").is_in(list(self._wanted)))
        return facts.with_columns(pl.col("derived").fill_null(value=False))

    def bad(self) -> pl.DataFrame:
        """What is wrong with which row."""
        empty = pl.DataFrame(schema=dict.fromkeys(BAD, pl.String)).cast({ROW: pl.UInt32})
        return pl.concat([empty, *self._bad]).sort(ROW, maintain_order=True)

    def _named(self, fields: Collection[str]) -> set[str]:
        """Fields that were asked for, by either of their names."""
        own = {self._changes.fields.get(name) or name for name in fields}
        if CLOSE_DATE in own:
            own |= {"closed", "expected_close"}
        if CREATION in own:
            own.add("created")
        return own | {"stage" for each in own if each == STATUS}

    def _reject(
        self, frame: pl.DataFrame, bad: pl.Expr, code: str, message: pl.Expr | str, *,
        column: pl.Expr | str = "", value: pl.Expr | None = None,
    ) -> pl.DataFrame:  # fmt: skip
        """The rows that are not bad; of the others it is kept what is wrong."""
        is_bad = frame.select(bad.fill_null(value=False).alias("bad")).to_series()
        if not is_bad.any():
            return frame
        texts = {
            "column": pl.lit(column) if isinstance(column, str) else column,
            "value": pl.lit("") if value is None else value.fill_null(""),
            "code": pl.lit(code),
            "message": pl.lit(message) if isinstance(message, str) else message,
        }
        self._bad.append(
            frame.filter(is_bad).select(ROW, *(each.alias(name) for name, each in texts.items()))
        )
        return frame.filter(~is_bad)

    def _timed(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Changes of deals with an id at a moment that can be."""
        frame = self._reject(
            frame, pl.col("id").is_null() | (pl.col("id") == ""), "missing-id",
            "expected an id that is not empty", column="id",
        )  # fmt: skip
        read = moments(frame["at"], self._zone, days=self._days).rename({"at": "ms"})
        frame = pl.concat([frame, read], how="horizontal")
        begin = moments(frame["begin"], self._zone, days=self._days)["at"].alias("begin")
        frame = frame.with_columns(begin)
        at, ms = pl.col("at"), pl.col("ms")
        missing = self._reject(frame, at.is_null(), "missing-moment", _MOMENT, column="at")
        known = self._reject(missing, ms.is_null(), "not-a-moment", _MOMENT, column="at", value=at)
        known = self._reject(
            known, ms < EARLIEST_MS, "too-early", "expected a moment of 1990 or later",
            column="at", value=at,
        )  # fmt: skip
        known = self._reject(
            known, ms > self._now_ms + DAY_MS, "in-the-future",
            "expected a moment that has been, or is within a day", column="at", value=at,
        )  # fmt: skip
        plausible = pl.col("begin").is_between(EARLIEST_MS, pl.col("ms"))
        return known.with_columns(
            ms.alias("at"), pl.when(plausible).then(pl.col("begin")).alias("begin")
        ).drop("ms")

    def _with_ops(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Changes that say what they do."""
        given = pl.col("op").str.strip_chars().str.to_lowercase()
        frame = frame.with_columns(given.fill_null("set").alias("op"))
        op, no_value, no_name = pl.col("op"), pl.col("value").is_null(), pl.col("name").is_null()
        known = [*FIELD_OPS, *END_OPS, GONE]
        frame = self._reject(
            frame, ~op.is_in(known), "unknown-op",
            f"expected one of {', '.join([*FIELD_OPS, *END_OPS])}", column="op", value=op,
        )  # fmt: skip
        frame = self._reject(
            frame, op.is_in(FIELD_OPS) & (no_name & (op != "retract") | (pl.col("name") == "id")),
            "missing-field", "expected the name of a field, which the id is not", column="field",
        )  # fmt: skip
        frame = self._reject(
            frame, (op == "merge") & no_value, "missing-survivor",
            "expected the id of the deal that stays", column="value",
        )  # fmt: skip
        circle = circles(frame.filter(op == "merge"))
        return self._reject(
            frame, pl.col(ROW).is_in(circle) & (op == "merge"), "merge-circle",
            "expected merges that end in a deal that stays", column="value", value=pl.col("value"),
        )  # fmt: skip

    def _with_fields(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Changes of the fields that are wanted."""
        fields = {name: field for name, field in self._changes.fields.items() if field is not None}
        is_end = pl.col("op").is_in(END_OPS)
        field = pl.col("name").replace_strict(fields, default=None, return_dtype=pl.String)
        # the end of a deal can be retracted, too
        of_deal = is_end | ((pl.col("op") == "retract") & pl.col("name").is_null())
        frame = frame.with_columns(
            pl.when(of_deal).then(pl.lit("")).otherwise(field).alias("field")
        )
        # a row that shows a deal as deleted counts for that alone, too
        frame = frame.filter(pl.col("field").is_not_null())
        if self._wanted is not None:
            needed = {*self._wanted, "stage", CLOSE_DATE, STATUS, CREATION}
            frame = frame.filter(is_end | pl.col("field").is_in(list(needed)))
        if self._changes.crm == "salesforce" and self._changes.style is Style.CHANGES:
            kinds = {
                self._changes.fields.get(name) or name: kind for name, kind in self._kinds.items()
            }
            frame = without_twins(frame, kinds)
        return frame

    def _labelled(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Changes with the labels of stages, owners and companies for their ids."""
        labels, is_stage = self._stages.labels, pl.col("field") == "stage"
        if self._changes.stage_ids or labels:
            ids = frame.filter(is_stage)
            unnamed = ids.select(
                pl.concat([ids["value"].filter(ids["label"].is_null()),
                           ids["old"].filter(ids["old_label"].is_null())])
            ).to_series()  # fmt: skip
            known = {*labels, *labels.values()}
            self.unknown_stages = set(unnamed.drop_nulls().to_list()) - known

        def named(value: str, label: str) -> pl.Expr:
            told = (
                pl.when(pl.col("field").is_in((STATUS, CREATION)))
                .then(None)
                .otherwise(pl.col(label))
            )
            by_table = pl.col(value).replace_strict(labels, default=None, return_dtype=pl.String)
            stage = pl.coalesce(by_table, told, value) if labels else pl.coalesce(told, value)
            other = pl.coalesce(told, value)
            # a value that is cleared has no label
            found = pl.when(is_stage).then(stage).otherwise(other)
            return pl.when(pl.col(value).is_not_null()).then(found).alias(value)

        labelled = frame.with_columns(named("value", "label"), named("old", "old_label"))
        return labelled.drop("label", "old_label")

    def _with_values(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Changes with the values that the store keeps."""
        texts = frame.filter(~pl.col("op").is_in(END_OPS))
        cells = pl.concat(
            [texts.select("field", pl.col(name).alias("text")) for name in ("value", "old")]
        ).filter(~pl.col("field").is_in((STATUS, CREATION)))
        known = {**self.new_fields, **(self._schema.by_name if self._schema else {})}
        stored = stored_values(cells, known, percent=self._changes.percent)
        for name in ("value", "old"):
            frame = frame.join(
                stored.rename({each: f"{name} {each}" for each in ("stored", "currency", "code", "message")}),
                left_on=["field", name], right_on=["field", "text"], how="left", maintain_order="left",
            )  # fmt: skip
        for name in ("value", "old"):
            code = pl.col(f"{name} code")
            for (found,), _ in frame.filter(code.is_not_null()).group_by(code):
                frame = self._reject(
                    frame, code == found, str(found), pl.col(f"{name} message"),
                    column=pl.col("name"), value=pl.col(name),
                )  # fmt: skip
        has_stored = ~(pl.col("op").is_in(END_OPS) | pl.col("field").is_in((STATUS, CREATION)))
        frame = frame.with_columns(
            pl.when(has_stored).then(pl.col(f"{name} stored")).otherwise(pl.col(name)).alias(name)
            for name in ("value", "old")
        )
        frame = _with_currencies(frame)
        is_empty = (
            (pl.col("op") == "set") & pl.col("value").is_null() & (pl.col("field") != CREATION)
        )
        op = pl.when(is_empty).then(pl.lit("clear")).otherwise(pl.col("op"))
        no_value = op.is_in(("clear", "unknown", "delete"))
        found = [name for name in frame.columns if name.startswith(("value ", "old "))]
        return frame.drop(found).with_columns(
            op.alias("op"), pl.when(~no_value).then(pl.col("value")).alias("value")
        )

    def _closed_stages(self, frame: pl.DataFrame) -> list[str]:
        names = frame.filter((pl.col("field") == "stage") & pl.col("value").is_not_null())
        flagged: list[str] = []
        known = names["value"].unique().sort().to_list()
        self.outcomes = self._stages.told(known)
        if self._changes.flagged is not None:
            told = names.join(self._changes.flagged, on=ROW)
            flagged = told.filter(is_true(pl.col("is_closed")))["value"].unique().to_list()
            for name, kind in outcomes_in(told, _FLAG_FIELDS):
                if name not in self._stages.told([name]):
                    self.outcomes.setdefault(name, set()).add(kind)
        return self._stages.closed_among(known, flagged)

    def _styled(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Facts of what the rows say, by what they are."""
        begins = frame.filter(pl.col("field") == CREATION).with_columns(
            pl.lit("created").alias("field"),
            day_of(pl.col("at"), self._zone).alias("value"),
            pl.lit("set").alias("op"),
        )
        begins = begins.sort("at", ROW).unique("id", keep="first", maintain_order=True)
        frame = frame.filter(pl.col("field") != CREATION)
        plain = (pl.lit(0, dtype=pl.Int64).alias("order"), pl.lit(value=False).alias("decided"))
        if self._changes.style is Style.SNAPSHOTS:
            facts = differences(aged(frame)).with_columns(plain)
            if self._changes.creates:
                begins = facts.sort("at", ROW).unique("id", keep="first", maintain_order=True)
                begins = begins.with_columns(
                    pl.lit("created").alias("field"),
                    day_of(pl.col("at"), self._zone).alias("value"),
                    pl.lit("set").alias("op"),
                    pl.col("key").str.replace(r":[^:]*$", ":created"),
                )
        elif self._changes.style is Style.CHANGES:
            facts = chains(frame, begins)
            self.n_repeated = frame.height - facts.filter(pl.col("is_change")).height
        else:
            facts = frame.with_columns(plain)
        return pl.concat(
            [facts.select(_KEPT), begins.with_columns(plain).select(_KEPT)], how="vertical_relaxed"
        )


_KEPT = (
    ROW, "id", "at", "precision", "field", "value", "op", "who", "source", "key", "order", "decided",
)  # fmt: skip


def _new_fields(changes: Changes, schema: Schema | None) -> dict[str, Field]:
    """Fields of the source that are new, and of a type that it says itself."""
    types: dict[str, set[FieldType]] = {}
    for name, target in changes.fields.items():
        if target is not None:
            types.setdefault(target, set()).add(changes.types.get(name, FieldType.TEXT))
    known = {*Schema.standard(), *(schema or ()), CLOSE_DATE, STATUS, CREATION}
    return {
        name: Field(name, kind, DEFAULT_SCALE if kind is FieldType.DECIMAL else 0)
        for name, found in types.items()
        # as in loads, what is called an id is a text
        if name not in known and not name.endswith("_id") and (kind := merged_type(found))
    }


def _with_currencies(frame: pl.DataFrame) -> pl.DataFrame:
    """Changes with the currencies that amounts name, where the source says none itself."""
    named = frame.filter(
        (pl.col("field") == "amount")
        & pl.col("value currency").is_not_null()
        & (pl.col("op") == "set")
    )
    if named.is_empty() or frame.select((pl.col("field") == "currency").any()).item():
        return frame
    currency = named.with_columns(
        pl.lit("currency").alias("field"),
        pl.col("value currency").alias("value"),
        pl.col("old currency").alias("old"),
        pl.col("key").str.replace(r":[^:]*$", "") + ":currency",
    )
    # a change of the amount in one currency is no change of it
    same = pl.col("value").eq_missing(pl.col("old"))
    return pl.concat([frame, currency.filter(~same)])


def _with_lives(facts: pl.DataFrame) -> pl.DataFrame:
    """Facts in order, with the number of deletions of their deal before."""
    is_end = pl.col("op").is_in(END_OPS)
    facts = facts.sort("id", "at", is_end, "order", ROW, maintain_order=True)
    life = is_end.cast(pl.Int64).cum_sum().over("id") - is_end.cast(pl.Int64)
    return facts.with_columns(life.alias("life"))
