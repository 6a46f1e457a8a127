"""Loads an export as a user would, and compares what dealdb then says with the truth."""

from __future__ import annotations

import inspect
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from dealdb import DealDatabase
from dealdb.errors import DealDBError
from dealdb.loader.loader import DataLoader
from dealdb.loader.report import LoadReport
from exports.deals import KINDS, Deal
from exports.shape import Export

# what says only how a file was read, not that a figure may be wrong
NEUTRAL = re.compile(
    r"^(encoding |sheet |other sheets left out|.* between cells|milliseconds since 1970|times of day dropped"
    r"|deals that are won or lost by|close dates split|(day|month) first in dates"
    r"|decimal commas in|commas in .* separate thousands|.* counts from 0 to 100)"
)
# other words that name a field in a note
WORDS = {
    "pages": ("page", "pages", "incomplete"),
    "deals": ("deleted", "total", "summary", "archived"),
    "ids": ("id", "ids"),
    "outcome": ("outcome", "stage", "stages", "status", "won", "lost"),
    "amount": ("amount", "amounts"),
    "currency": ("currency", "currencies"),
    "probability": ("probability", "probabilities"),
    "expected_close": ("expected_close", "close date", "close dates"),
    "closed": ("closed", "close date", "close dates"),
}


class Verdict(StrEnum):
    """How a load came out."""

    RIGHT = "right"
    ASKED = "asked"
    WARNED = "warned"
    REFUSED = "refused"
    SILENT = "silent"
    # an error that is not ours: a defect, whatever the figures
    CRASHED = "crashed"


# figures that follow from others: where one of those is wrong, it is the one that counts
DERIVED = ("counts", "won value", "open value")
GOOD = (Verdict.RIGHT, Verdict.ASKED)


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """
    The verdict on one export.

    ``wrong`` are the figures that differ, each with an example; ``silent`` those of them that nothing was said of.
    """

    export: Export
    verdict: Verdict
    wrong: Mapping[str, str] = field(default_factory=dict)
    silent: tuple[str, ...] = ()
    said: tuple[str, ...] = ()


class Judge:
    """A server of its own, with a collection for each load."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loads = 0

    def judge(self, export: Export) -> Judgement:
        """Load an export, answer one question at most, and compare."""
        options: dict[str, Any] = {}
        asked: tuple[str, ...] = ()
        while True:
            try:
                with self._collection() as db:
                    return self._compared(db, export, options, asked)
            except DealDBError as error:
                said = (*asked, f"{type(error).__name__}: {error}")
                if asked or self._written():
                    verdict = Verdict.SILENT if self._written() else Verdict.REFUSED
                    return Judgement(export=export, verdict=verdict, said=said)
                options, asked = _answer(export, str(error)), said
                if not options:
                    return Judgement(export=export, verdict=Verdict.REFUSED, said=said)
            except Exception as error:
                said = (*asked, f"{type(error).__name__}: {error}")
                return Judgement(export=export, verdict=Verdict.CRASHED, said=said)

    @contextmanager
    def _collection(self) -> Iterator[DealDatabase]:
        self._loads += 1
        with DealDatabase.embedded(self._folder, collection=f"load{self._loads}") as db:
            yield db

    def _written(self) -> bool:
        """Whether the load that ended in an error left deals."""
        with DealDatabase.embedded(self._folder, collection=f"load{self._loads}") as db:
            return len(db) > 0

    def _compared(
        self, db: DealDatabase, export: Export, options: Mapping[str, Any], asked: tuple[str, ...]
    ) -> Judgement:
        report = db.loader.load(export.path, bar=False, rejects=False, **options)
        wrong = dict(differences(db, export))
        if export.dirt == "more pages":
            # nothing is wrong with the deals that are there, but they are not all
            wrong["pages"] = "the answer says that more follow"
        roots = {kind: each for kind, each in wrong.items() if kind not in DERIVED}
        wrong = roots or wrong
        said = words_of(report)
        silent = tuple(kind for kind in wrong if not is_told(kind, export, report, said))
        if not wrong or (set(wrong) == {"pages"} and not silent):
            verdict = Verdict.ASKED if asked else Verdict.RIGHT
        else:
            verdict = Verdict.SILENT if silent else Verdict.WARNED
        return Judgement(
            export=export, verdict=verdict, wrong=wrong, silent=silent, said=(*asked, *said)
        )


@contextmanager
def a_judge() -> Iterator[Judge]:
    """A judge whose server ends with the block."""
    with (
        TemporaryDirectory(prefix="dealdb") as folder,
        # keeps the server running between the loads
        DealDatabase.embedded(folder, collection="open"),
    ):
        yield Judge(Path(folder))


def _answer(export: Export, question: str) -> dict[str, Any]:
    """The option that a question names, with what the owner of the export knows."""
    known = inspect.signature(DataLoader.load).parameters
    for option, value in export.answers.items():
        if option in known and re.search(rf"\b{option}\b", question):
            return {option: value}
    return {}


def words_of(report: LoadReport) -> tuple[str, ...]:
    """Everything that a load says which may be of a wrong figure."""
    notes = [*report.notes, *getattr(report, "warnings", ())]
    notes = [str(note) for note in notes if not NEUTRAL.match(str(note))]
    return (*notes, *(f"rejected: {reason} ({n})" for reason, n in report.reasons.items()))


def is_told(kind: str, export: Export, report: LoadReport, said: tuple[str, ...]) -> bool:
    """Whether a load said something about the very field that is wrong."""
    if kind == "deals" and report.rejected:
        return True
    if kind in DERIVED:
        return any(
            is_told(each, export, report, said) for each in ("amount", "currency", "outcome")
        )
    words = {*WORDS.get(kind, (kind,)), kind.replace("_", " "), *export.headers.get(kind, ())}
    words -= {"deals"}
    return any(
        re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE)
        for word in words
        for text in said
    )


def differences(db: DealDatabase, export: Export) -> Iterator[tuple[str, str]]:
    """What dealdb says differently, by kind, with the first example."""
    key = "id" if "id" in export.headers else "name"
    truth = {str(getattr(deal, key)): deal for deal in export.deals}
    frame = db.query.find(None)
    found = {str(row[key]): row for row in frame.to_dicts()}
    if frame.height != len(truth):
        yield "deals", f"{frame.height} instead of {len(truth)}"
    missing = [each for each in truth if each not in found]
    if missing and frame.height >= len(truth):
        yield f"{key}s", f"no deal {missing[0]!r}; there is {next(iter(found), None)!r}"
    kinds = {stage.name: str(stage.kind) for stage in db.pipeline}
    pairs = [(deal, found[each]) for each, deal in truth.items() if each in found]
    for name in export.fields:
        for deal, row in pairs:
            want, got = _wanted(deal, name), _got(row, name, kinds)
            if want != got:
                yield name, f"deal {deal.id}: {got!r} instead of {want!r}"
                break
    if "outcome" in export.fields:
        yield from _sums(db, export, frame)


def _wanted(deal: Deal, name: str) -> Any:
    if name == "outcome":
        return deal.kind
    value = getattr(deal, name)
    return round(value, 2) if name == "probability" and value is not None else value


def _got(row: Mapping[str, Any], name: str, kinds: Mapping[str, str]) -> Any:
    if name == "outcome":
        return kinds.get(str(row["stage"]), "open")
    value = row.get(name)
    if name == "probability" and value is not None:
        return round(Decimal(str(value)), 2)
    return value


def _sums(db: DealDatabase, export: Export, frame: pl.DataFrame) -> Iterator[tuple[str, str]]:
    """Counts and values by currency, as the summary has them."""
    counts: Counter[str] = Counter()
    said: dict[str, dict[str | None, Decimal]] = {"won value": {}, "open value": {}}
    for row in db.analytics.summary(by="currency").to_dicts():
        counts.update({kind: row[kind] for kind in KINDS})
        for name, column in (("won value", "won_value"), ("open value", "pipeline_value")):
            if row[column]:
                currency = row["currency"] if "currency" in export.fields else None
                said[name].setdefault(currency, Decimal(0))
                said[name][currency] += Decimal(row[column])
    wanted = Counter(deal.kind for deal in export.deals)
    if counts != wanted:
        yield "counts", f"{dict(counts)} instead of {dict(wanted)}"
    if "amount" not in export.fields:
        return
    for name, kind in (("won value", "won"), ("open value", "open")):
        sums: dict[str | None, Decimal] = defaultdict(Decimal)
        for deal in export.deals:
            if deal.kind == kind and deal.amount:
                sums[deal.currency] += deal.amount
        if dict(sums) != said[name]:
            yield name, f"{said[name]} instead of {dict(sums)}"
