"""What was so before, added to what a collection knows of the past; nothing of the present changes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl

from dealdb.errors import LoadError
from dealdb.loader.facts.crm import read_crm
from dealdb.loader.facts.history_report import HistoryReport
from dealdb.loader.facts.plain import NotPlain, PlainFacts, read_plain
from dealdb.loader.side_table import read_table
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Field, Schema
from dealdb.store.replica.snapshot import Snapshot

_SAME = ["id", "field", "at", "value", "op", "key"]
# whose histories have forms of their own
PROGRAMS = ("hubspot", "salesforce", "pipedrive")
_KEYED = ["id", "field", "source", "key"]


class FactStore(Protocol):
    """What a load of history needs of a store."""

    def schema(self) -> Schema:
        """Schema in force."""
        ...

    def pipeline(self) -> Pipeline:
        """Pipeline in force."""
        ...

    def snapshot(self, names: Collection[str] | None = None) -> Snapshot:
        """The deals as they are."""
        ...

    def known_facts(self) -> tuple[pl.DataFrame, pl.Series]:
        """Facts that were imported, and ids of deals that there ever were."""
        ...

    def record(self, facts: pl.DataFrame, fields: Iterable[Field], stages: Iterable[str]) -> int:
        """Write facts."""
        ...

    def spans(self) -> pl.DataFrame:
        """First and last fact of each field."""
        ...


class DealHistory:
    """
    History that comes from elsewhere, and what is known of the past.

    Parameters
    ----------
    store
        Gives the store of the database that is selected now.
    """

    def __init__(self, store: Callable[[], FactStore]) -> None:
        self._store = store

    def __repr__(self) -> str:
        return "<DealHistory>"

    def load(
        self,
        rows_or_file: Any,
        source: str | None = None,
        stages: Any = None,
        zone: str = "UTC",
        *,
        dry_run: bool = False,
    ) -> HistoryReport:
        """Add facts of the past; see ``DealDatabase.history``."""
        store = self._store()
        pipeline = store.pipeline()
        _check_zone(zone)
        read = self._read(store, rows_or_file, source, stages, zone)
        facts = read.frame
        facts = facts.with_columns(pl.coalesce("source", pl.lit(source, pl.String)).alias("source"))
        recorded, ids = store.known_facts()
        _check_merges(
            pl.concat([recorded.select("id", "op", "value"), facts.select("id", "op", "value")])
        )
        fresh = _new(facts, recorded)
        is_stage = (pl.col("field") == "stage") & pl.col("value").is_not_null()
        named = facts.filter(is_stage)["value"].unique().sort().to_list()
        if not dry_run:
            store.record(fresh.sort("place"), read.fields, named)
        n_rejected = sum(read.reasons.values())
        return HistoryReport(
            read=facts.height + n_rejected,
            new=fresh.height,
            known=facts.height - fresh.height,
            rejected=n_rejected,
            unknown_deals=facts.filter(~pl.col("id").is_in(ids.implode()))["id"].n_unique(),
            unknown_stages=sum(name not in pipeline for name in named),
            ties=_ties(fresh),
            imprecise=int((facts["precision"] == "day").sum()),
            reasons=read.reasons,
        )

    def _read(
        self, store: FactStore, rows_or_file: Any, source: str | None, stages: Any, zone: str
    ) -> PlainFacts:
        """Facts of a source: of the plain form, else of the form that its headers tell."""
        again = _repeatable(rows_or_file)
        is_program = source is not None and source.partition("-")[0] in PROGRAMS
        if not is_program:
            try:
                plain = read_plain(again, store.schema(), zone)
            except NotPlain:
                pass
            else:
                return replace(plain, frame=_labelled(plain.frame, _labels(stages)))
        table = _stage_rows(stages) if isinstance(stages, Mapping) else stages
        return read_crm(
            again,
            store.schema(),
            store.pipeline(),
            lambda: store.snapshot(["id", "created"]).frame,
            form=source if is_program else None,
            stages=table,
            zone=zone,
        )

    def span(self) -> pl.DataFrame:
        """First and last fact of each field; see ``DealDatabase.history``."""
        return self._store().spans()


def _repeatable(source: Any) -> Any:
    """Rows that can be looked at twice."""
    is_rows = isinstance(source, Iterable) and not isinstance(
        source, str | Path | Mapping | bytes | pl.DataFrame
    )
    return list(source) if is_rows and not hasattr(source, "read") else source


def _stage_rows(labels: Mapping[Any, Any]) -> list[dict[str, str]]:
    return [{"stage_id": str(key), "label": str(name)} for key, name in labels.items()]


def _check_zone(zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as problem:
        msg = f"zone: {str(zone)[:60]!r} is no time zone; write one such as Europe/Berlin"
        raise LoadError(msg) from problem


def _labels(stages: Any) -> Mapping[str, str]:
    """Names of stages by the ids that a source has for them."""
    if stages is None or isinstance(stages, Mapping):
        return {str(key): str(name) for key, name in (stages or {}).items()}
    table = read_table(stages)
    names = {column.lower(): column for column in table.columns}
    key = next((names[each] for each in ("stage_id", "id") if each in names), None)
    label = next((names[each] for each in ("label", "name", "stage") if each in names), None)
    if key is None or label is None:
        msg = "stages: a file of stages has the columns stage_id and label"
        raise LoadError(msg)
    pairs = table.select(pl.col(key, label).cast(pl.String)).drop_nulls()
    return dict(pairs.iter_rows())


def _labelled(facts: pl.DataFrame, labels: Mapping[str, str]) -> pl.DataFrame:
    if not labels:
        return facts
    named = pl.col("value").replace(dict(labels))
    is_stage = pl.col("field") == "stage"
    return facts.with_columns(value=pl.when(is_stage).then(named).otherwise("value"))


def _new(facts: pl.DataFrame, recorded: pl.DataFrame) -> pl.DataFrame:
    """Facts that are not known yet, each once."""
    fresh = facts.unique(_SAME, keep="first", maintain_order=True).join(
        recorded, on=_SAME, how="anti", nulls_equal=True, maintain_order="left"
    )
    is_keyed = (
        pl.col("key").is_not_null() & pl.col("source").is_not_null() & (pl.col("op") != "retract")
    )
    keyed = fresh.filter(is_keyed).unique(_KEYED, keep="first", maintain_order=True)
    others = recorded.filter(pl.col("op") != "retract")
    keyed = keyed.join(others, on=_KEYED, how="anti", nulls_equal=True)
    return pl.concat([fresh.filter(~is_keyed.fill_null(value=False)), keyed])


def _ties(facts: pl.DataFrame) -> int:
    """Moments of a field with several values that nothing but their place tells apart."""
    plain = facts.filter(pl.col("op").is_in(["set", "clear", "unknown"]) & pl.col("key").is_null())
    values = plain.group_by("id", "field", "at").agg(n=pl.struct("op", "value").n_unique())
    return int((values["n"] > 1).sum())


def _check_merges(facts: pl.DataFrame) -> None:
    """Refuse deals that were merged into one another in a circle."""
    into = dict(facts.filter(op="merge").select("id", "value").iter_rows())
    done: set[str] = set()
    for start in into:
        path: set[str] = set()
        deal = start
        while deal in into and deal not in done:
            if deal in path:
                msg = f"deal {deal!r} was merged into itself, by way of {len(path)} deals; nothing was written"
                raise LoadError(msg)
            path.add(deal)
            deal = into[deal]
        done |= path
