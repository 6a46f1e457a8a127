"""What was so before, added to what a collection knows of the past; nothing of the present changes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl

from dealdb.errors import LoadError
from dealdb.loader.columns.stage_flags import told
from dealdb.loader.facts.fitted import FittedFacts, read_fitted
from dealdb.loader.facts.history_report import HistoryReport
from dealdb.loader.facts.retold import retold
from dealdb.loader.store_protocol import RecordsFacts
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Schema
from dealdb.store.replica.snapshot import Snapshot

_SAME = ["id", "field", "at", "value", "op", "key"]
# whose histories have forms of their own
PROGRAMS = ("hubspot", "salesforce", "pipedrive")
_KEYED = ["id", "field", "source", "key"]


class FactStore(RecordsFacts, Protocol):
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

    def redefine(self, change: Callable[[Pipeline], Pipeline]) -> Pipeline:
        """Make other stages of those in force."""
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
        rejects: str | Path | bool = True,
    ) -> HistoryReport:
        """Add facts of the past; see ``DealDatabase.history``."""
        store = self._store()
        pipeline = store.pipeline()
        _check_zone(zone)
        read = self._read(
            store, rows_or_file, source, stages, zone, rejects=rejects if not dry_run else False
        )
        facts = read.frame
        recorded, ids = store.known_facts()
        _check_merges(
            pl.concat([recorded.select("id", "op", "value"), facts.select("id", "op", "value")])
        )
        fresh = _new(facts, recorded)
        is_stage = (pl.col("field") == "stage") & pl.col("value").is_not_null()
        named = facts.filter(is_stage)["value"].unique().sort().to_list()
        if fresh.height and not dry_run:
            store.redefine(partial(told, names=named, outcomes=read.outcomes))
            store.record(fresh.sort("place"), read.fields, named)
        n_rejected = sum(read.reasons.values())
        return HistoryReport(
            read=facts.height + read.repeated + n_rejected,
            new=fresh.height,
            known=facts.height + read.repeated - fresh.height,
            rejected=n_rejected,
            unknown_deals=facts.filter(~pl.col("id").is_in(ids.implode()))["id"].n_unique(),
            unknown_stages=sum(name not in pipeline for name in named),
            ties=_ties(fresh),
            imprecise=int((facts["precision"] == "day").sum()),
            reasons=read.reasons,
            rejects_file=read.rejects_file,
        )

    def _read(
        self,
        store: FactStore,
        rows_or_file: Any,
        source: str | None,
        stages: Any,
        zone: str,
        *,
        rejects: str | Path | bool,
    ) -> FittedFacts:
        """Facts of a source, of whatever form its headers tell."""
        is_program = source is not None and source.partition("-")[0] in PROGRAMS
        return read_fitted(
            _rows(rows_or_file),
            store.schema(),
            store.pipeline(),
            lambda: store.snapshot(["id", "created"]).frame,
            form=source if is_program else None,
            label=None if is_program else source,
            stages=_stage_rows(stages) if isinstance(stages, Mapping) else stages,
            zone=zone,
            rejects=rejects,
        )

    def span(self) -> pl.DataFrame:
        """First and last fact of each field; see ``DealDatabase.history``."""
        return self._store().spans()


def _rows(source: Any) -> Any:
    """Rows that can be looked at twice, with moments as texts, which keep it that they name no zone."""
    is_rows = isinstance(source, Iterable) and not isinstance(
        source, str | Path | Mapping | bytes | pl.DataFrame
    )
    if not is_rows or hasattr(source, "read") or hasattr(source, "columns"):
        return source
    return [_plain_row(row) for row in source]


def _plain_row(row: Any) -> Any:
    at = row.get("at") if isinstance(row, Mapping) else None
    return {**row, "at": at.isoformat()} if isinstance(at, date) else row


def _stage_rows(labels: Mapping[Any, Any]) -> list[dict[str, str]]:
    return [{"stage_id": str(key), "label": str(name)} for key, name in labels.items()]


def _check_zone(zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as problem:
        msg = f"zone: {str(zone)[:60]!r} is no time zone; write one such as Europe/Berlin"
        raise LoadError(msg) from problem


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
    fresh = pl.concat([fresh.filter(~is_keyed.fill_null(value=False)), keyed])
    return fresh.filter(~retold(fresh, recorded))


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
