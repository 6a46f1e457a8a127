"""The buckets of a waterfall: which of them a deal is in by what it was before and after, and with how much."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from dealdb.analytics.history.money import FX
from dealdb.analytics.history.movement.ends import ABSENT, AFTER, BEFORE, IN, OUT, after, before
from dealdb.analytics.history.movement.exchange import OPENED
from dealdb.analytics.options import Window

BUCKETS = (
    "start", "created", "pulled_in", "reopened", "up", "transferred_in", "won", "lost", "pushed_out", "down", "deleted",
    "transferred_out", FX, "end",
)  # fmt: skip
_NAMES = pl.Enum(BUCKETS)
# those that add to what is open, fx with its sign
ADDS = ("start", "created", "pulled_in", "reopened", "up", "transferred_in", FX)
# only groups make them
TRANSFERS = ("transferred_in", "transferred_out")
# what a deal stands in before and after
X, Y = pl.col("_x"), pl.col("_y")
_CLOSED = ("won", "lost")
_BEFORE, _AFTER = before("value").fill_null(0), after("value").fill_null(0)
_OPENED = pl.col(f"{OPENED}value").fill_null(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bucket:
    """
    One bucket.

    Attributes
    ----------
    name
        Of the bucket.
    when
        Which deals are in it.
    value
        With how much.
    of
        The side whose amount makes the deal a blank one where it is null, or an unpriced one.
    is_old
        Whether it belongs to the group that the deal was in before.
    cause
        The field whose change put it there.
    """

    name: str
    when: pl.Expr
    value: pl.Expr
    of: str
    is_old: bool = False
    cause: str


def ends(*, fx: bool, is_net: bool) -> Iterator[_Bucket]:
    """
    What was open at both ends, and with ``fx`` what the change of rates alone made of the first.

    Net, a deal changes its group with the value that it began with, and what rates made of it belongs to the group at
    the end. Of single changes, which all have the rate of the end, it comes before the first.
    """
    side, value = (OPENED, _OPENED) if fx else (BEFORE, _BEFORE)
    yield _Bucket(name="start", when=X == IN, value=value, of=side, is_old=True, cause="stage")
    if fx:
        yield _Bucket(
            name=FX,
            when=(X == IN) & (_BEFORE != _OPENED),
            value=_BEFORE - _OPENED,
            of=OPENED,
            is_old=not is_net,
            cause=FX,
        )
    yield _Bucket(name="end", when=Y == IN, value=_AFTER, of=AFTER, cause="stage")


def between(due: Window | None, *, is_net: bool) -> Iterator[_Bucket]:
    """
    What led from one end to the other.

    Net looks at both ends alone, so that what was created and closed in between comes in and goes out again. Of a
    single change that can't be: it is an amount, an entry or an exit.
    """
    closes = Y.is_in(_CLOSED)
    if is_net:
        day = pl.coalesce(after("closed"), after("expected_close"))
        is_due = pl.lit(value=True) if due is None else _holds(due, day)
        # what was closed before the same way is nothing new
        leaves = closes & ((X == IN) | (is_due & (X != Y)))
    else:
        leaves = closes & (X == IN)
    arrives = (Y == IN) | leaves
    enters = arrives & (X != IN)
    changes = arrives if is_net else (X == IN) & (Y != ABSENT)
    entered = _BEFORE if is_net else _AFTER
    grew = changes & (X != ABSENT)
    old, new = BEFORE, AFTER
    pushed, pushed_of = (_BEFORE, old) if is_net else (_AFTER, new)
    yield _Bucket(name="created", when=enters & (X == ABSENT), value=_AFTER, of=new, cause="begin")
    yield _Bucket(
        name="pulled_in", when=enters & (X == OUT), value=entered, of=new, cause="expected_close"
    )
    yield _Bucket(
        name="reopened", when=enters & X.is_in(_CLOSED), value=entered, of=new, cause="stage"
    )
    yield _Bucket(
        name="up", when=grew & (_AFTER > _BEFORE), value=_AFTER - _BEFORE, of=new, cause="amount"
    )
    yield _Bucket(
        name="down", when=grew & (_AFTER < _BEFORE), value=_BEFORE - _AFTER, of=new, cause="amount"
    )
    for outcome in _CLOSED:
        yield _Bucket(
            name=outcome, when=leaves & (outcome == Y), value=_AFTER, of=new, cause="stage"
        )
    yield _Bucket(
        name="pushed_out",
        when=(X == IN) & (Y == OUT),
        value=pushed,
        of=pushed_of,
        cause="expected_close",
    )
    yield _Bucket(
        name="deleted", when=(X == IN) & (Y == ABSENT), value=_BEFORE, of=old, cause="end"
    )


def transfers(keys: Sequence[str], *, fx: bool) -> Iterator[_Bucket]:
    """What went from one group to another, with the amount that it had before; with ``fx``, by the rate of then."""
    differs = pl.any_horizontal(before(key).ne_missing(after(key)) for key in keys)
    for name in TRANSFERS:
        yield _Bucket(
            name=name,
            when=(X == IN) & differs,
            value=_OPENED if fx else _BEFORE,
            of=AFTER,
            is_old=name == "transferred_out",
            cause="group",
        )


def _holds(due: Window, day: pl.Expr) -> pl.Expr:
    inside = pl.lit(value=True)
    if due.since is not None:
        inside = inside & (day >= due.since)
    if due.until is not None:
        inside = inside & (day < due.until)
    return inside.fill_null(value=False)


def lines_of(
    changes: pl.DataFrame, buckets: Iterator[_Bucket], keys: Sequence[str], *, told: bool
) -> pl.DataFrame:
    """
    A line for each deal and bucket.

    Parameters
    ----------
    changes
        Both sides of each change, with ``_x`` and ``_y``; ``at`` where each is of one moment.
    buckets
        The buckets to look for.
    keys
        Columns of the groups.
    told
        Whether each line says what the deal went from, to what, and when.
    """
    parts = [
        changes.lazy()
        .filter(bucket.when)
        .select(
            "id",
            "life",
            *((before if bucket.is_old else after)(key).alias(key) for key in keys if key != "id"),
            bucket=pl.lit(bucket.name, _NAMES),
            value=bucket.value,
            _blank=pl.col(f"{bucket.of}value").is_null() & ~pl.col(f"{bucket.of}unpriced"),
            _unpriced=pl.col(f"{bucket.of}unpriced"),
            _currency=(before if bucket.is_old else after)("currency"),
            **(_told(changes, bucket, keys) if told else {}),
        )
        for bucket in buckets
    ]
    return pl.concat(pl.collect_all(parts))


def _told(changes: pl.DataFrame, bucket: _Bucket, groups: Sequence[str]) -> dict[str, pl.Expr]:
    """What the deal went from, to what, and when."""
    none = pl.lit(None, pl.String)
    if bucket.name == "start":
        source, target = none, before("stage")
    elif bucket.name in ("created", "end"):
        source, target = none, after("stage")
    elif bucket.name == "deleted":
        source, target = before("stage"), none
    elif bucket.cause == FX:
        source, target = (pl.col(f"{side}value").cast(pl.String) for side in (OPENED, BEFORE))
    elif bucket.cause == "group":
        source, target = (
            pl.concat_str([_shown(changes, side(key)) for key in groups], separator=" / ")
            for side in (before, after)
        )
    else:
        source, target = (side(bucket.cause).cast(pl.String) for side in (before, after))
    return {"from": source, "to": target, "at": _moment(changes, bucket, groups)}


def _shown(changes: pl.DataFrame, column: pl.Expr) -> pl.Expr:
    is_list = isinstance(changes.schema[column.meta.output_name()], pl.List)
    shown = column.list.join(", ") if is_list else column.cast(pl.String)
    return shown.fill_null("(none)")


def _moment(changes: pl.DataFrame, bucket: _Bucket, groups: Sequence[str]) -> pl.Expr:
    if bucket.cause == FX:
        return pl.lit(None, pl.Int64)
    if "at" in changes.columns:
        return pl.col("at")
    if bucket.name == "start":
        return before("stage_at")
    if bucket.cause in ("begin", "end"):
        return pl.col(bucket.cause)
    if bucket.cause == "group":
        changed = [after(f"{key}_at") for key in groups if key != "id"]
        return pl.max_horizontal(changed) if changed else pl.lit(None, pl.Int64)
    return after(f"{bucket.cause}_at")
