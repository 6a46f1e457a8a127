"""Which stages are won, lost or open, where a source has flags that say so and names don't."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal

import polars as pl

from dealdb.loader.cells.truth_words import FALSE_WORDS, TRUE_WORDS
from dealdb.model.pipeline import Kind, Pipeline, Stage
from dealdb.model.stage_words import meaning_of, outcome_called

# what a flag is called that is true for won and for lost deals
_CLOSED = (
    "closed", "deal_closed", "geschlossen", "abgeschlossen", "cerrado", "cerrada", "fermé", "fermée", "clos",
    "chiuso", "chiusa", "gesloten", "afgesloten", "fechado", "fechada",
)  # fmt: skip
# Close and Bitrix24 have the outcome of each stage next to it
_TYPES = ("status_type", "stage_type", "stage_semantic_id", "stage_semantic")
_OF_TYPE = {
    "active": Kind.OPEN, "open": Kind.OPEN, "won": Kind.WON, "lost": Kind.LOST,
    "p": Kind.OPEN, "s": Kind.WON, "f": Kind.LOST,
}  # fmt: skip
# what HubSpot and Salesforce put before and behind the names of flags, and a load behind those of columns
_AROUND = re.compile(r"^(?:hs_?)?(?:is_?)?|_[0-9]+$|_c$")


def stages_in(cells: pl.Series) -> dict[str, None]:
    """
    Stages of some rows, in the order of their first occurrence.

    Examples
    --------
    >>> list(stages_in(pl.Series(["Lead", None, "Won", "Lead"])))
    ['Lead', 'Won']
    """
    return dict.fromkeys(name for name in cells.unique(maintain_order=True) if name is not None)


def outcomes_in(
    frame: pl.DataFrame, mapping: Mapping[str, str | None]
) -> Iterator[tuple[str, Kind]]:
    """
    Stages of some rows with the outcome that the flags next to them give.

    Examples
    --------
    >>> rows = pl.DataFrame(
    ...     {"Stage": ["S9", "S8"], "IsWon": ["true", "false"], "IsClosed": ["1", "1"]}
    ... )
    >>> fields = {"Stage": "stage", "IsWon": "is_won", "IsClosed": "is_closed"}
    >>> [(name, str(kind)) for name, kind in outcomes_in(rows, fields)]
    [('S9', 'won'), ('S8', 'lost')]
    """
    present = set(frame.columns)
    there = {
        header: _AROUND.sub("", field)
        for header, field in mapping.items()
        if field and header in present
    }
    stage = next((header for header in there if mapping[header] == "stage"), None)
    flags = [
        next((h for h, field in there.items() if is_it(field) and holds(frame[h])), None)
        for is_it, holds in (
            (_is_won, _has_flags),
            (_is_lost, _has_flags),
            (_CLOSED.__contains__, _has_flags),
            (_TYPES.__contains__, _has_words),
        )
    ]
    if stage is None or not any(flags):
        return
    cells = [pl.lit(None, pl.String) if flag is None else pl.col(flag) for flag in flags]
    columns = [cell.alias(f"_{place}") for place, cell in enumerate(cells)]
    rows = frame.select(pl.col(stage).alias("_"), *columns).unique(maintain_order=True)
    by_stage: dict[str, list[set[Kind] | None]] = {}
    for name, *said in rows.iter_rows():
        if name:
            by_stage.setdefault(name, []).append(_possible_beside(*said))
    for name, rows_say in by_stage.items():
        for kind in _kinds_of(name, rows_say):
            yield name, kind


def _is_won(field: str) -> bool:
    return outcome_called(field) == "won"


def _is_lost(field: str) -> bool:
    return outcome_called(field) == "lost"


def _has_flags(cells: pl.Series) -> bool:
    # a closing date may be called the same
    return any(_flag(cell) is not None for cell in cells.unique())


def _has_words(cells: pl.Series) -> bool:
    return cells.null_count() < len(cells)


def _possible_beside(
    won: str | None, lost: str | None, closed: str | None, word: str | None
) -> set[Kind] | None:
    """Kinds that the flags of a row leave; None where one of them is no flag, such as "maybe"."""
    said = _OF_TYPE.get((word or "").strip().lower())
    if said:
        return {said}
    is_unclear = any(map(_is_unclear, (won, lost, closed)))
    return None if is_unclear else _possible(won, lost, closed)


def _kinds_of(name: str, rows_say: Collection[set[Kind] | None]) -> Collection[Kind]:
    """What the rows of a stage say of it: one kind, nothing, or several where they don't agree."""
    by_name, every = Kind(meaning_of(name)), set(Kind)
    known = [each for each in rows_say if each is not None]
    left = every.intersection(*known)
    if not left:
        # some of its deals are won, and others are not: it goes by its name
        return set().union(*known)
    if len(left) == 1:
        return left if len(known) == len(rows_say) else left | {by_name}
    if by_name in left:
        return (by_name,) if left != every or len(known) < len(rows_say) else ()
    # "not won" is all that is known of a stage that is called won: then it is not
    return (Kind.OPEN,) if Kind.OPEN in left else left


def _possible(is_won: str | None, is_lost: str | None, is_closed: str | None) -> set[Kind]:
    """Kinds that three flags leave; all of them where they contradict each other."""
    won, lost, closed = (_flag(cell) for cell in (is_won, is_lost, is_closed))
    if won or lost:
        return set(Kind) if won and lost else {Kind.WON if won else Kind.LOST}
    kinds = set(Kind)
    if closed is not None:
        kinds = {Kind.WON, Kind.LOST} if closed else {Kind.OPEN}
    kinds -= {kind for kind, flag in ((Kind.WON, won), (Kind.LOST, lost)) if flag is False}
    return kinds or set(Kind)


def told(
    pipeline: Pipeline, names: Iterable[str], outcomes: Mapping[str, Collection[Kind]]
) -> Pipeline:
    """
    Pipeline that also has these stages; new ones with the outcome that all rows agree on.

    Parameters
    ----------
    pipeline
        What is defined there stays.
    names
        Of stages.
    outcomes
        What the rows say, by stage.

    Returns
    -------
    Pipeline
        This very pipeline when it has them all.

    Examples
    --------
    >>> told(Pipeline(), ["Demo", "Signed"], {"Signed": {Kind.LOST}}).names(Kind.LOST)
    ['Signed']
    """
    covered = pipeline.covering(names)
    if covered is pipeline:
        return pipeline
    stages = [
        stage if stage.name in pipeline else _with_kind(stage, outcomes.get(stage.name, ()))
        for stage in covered
    ]
    return covered.with_stages(sorted(stages, key=lambda stage: stage.kind.rank))


def _with_kind(stage: Stage, kinds: Collection[Kind]) -> Stage:
    kind = next(iter(kinds)) if len(kinds) == 1 else stage.kind
    if kind is stage.kind:
        return stage
    # an open stage whose name says otherwise has no place that would give its chances
    return replace(
        stage, kind=kind, probability=None if kind is Kind.OPEN else Decimal(kind is Kind.WON)
    )


def kind_of(is_won: str | None, is_closed: str | None) -> Kind | None:
    """
    Outcome that two flags give, or None if they don't.

    Examples
    --------
    >>> str(kind_of("FALSE", "TRUE"))
    'lost'
    """
    possible = _possible(is_won, None, is_closed)
    return possible.pop() if len(possible) == 1 else None


def _is_unclear(cell: str | None) -> bool:
    return bool((cell or "").strip()) and _flag(cell) is None


def _flag(cell: str | None) -> bool | None:
    word = (cell or "").strip().lower()
    return True if word in TRUE_WORDS else False if word in FALSE_WORDS else None
