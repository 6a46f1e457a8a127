"""What the figures will rest on after a load: which column is which field, and what no column says."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from dealdb.loader.report import MappedColumn
from dealdb.model.pipeline import Kind, Pipeline
from dealdb.model.schema import STANDARD_NAMES
from dealdb.model.stage_words import says_ended

# the fields that figures are made of, and what is missing without them
_NEEDED = {
    "amount": "is the amount: figures of money will be empty",
    "stage": "is the stage: every deal counts as open",
    "owner": "is the owner: there will be no figures by owner",
    "created": "says when deals were created: no age, sales cycle or trend of new deals",
    "closed": "says when deals were closed: those that are won or lost are in no period",
    "expected_close": "says when deals are expected to close: none will be overdue",
}
_OTHERS = ("currency", "probability", "source", "loss_reason")
_CLOSE_DATE = "close_date"
# the field of the stages that deals were in before a status closed them
_BEFORE = "stage_at_close"
_ENDS = frozenset((Kind.WON, Kind.LOST))
_NONE: Mapping[str, Collection[Kind]] = MappingProxyType({})
# stages that a line names
_SHOWN = 8
# what the header of a column that is meant may contain, and what its cells are then
_LIKELY = {
    "amount": (
        r"amount|value|revenue|price|worth|funding|[$€£¥]|betrag|wert|umsatz|importe|monto|montant|valeur|valor|importo|bedrag",
        ("decimal", "int", "float"),
    ),
    "stage": (
        r"stage|phase|status|etapa|etape|étape|fase|stadi|situa[cçtz]|^stand$|avancement",
        ("text",),
    ),
    "owner": (
        r"owner|sales|seller|agent|manager|propriet|besitzer|verantwort|respons|eigenaar|commerc|comercial|vend|verk[aä]uf"
        r"|verkoper|vertrieb|betreu|bearbeit|zust[aä]ndig",
        ("text",),
    ),
    "closed": (r"clos|won|lost|abschluss|cierre|clotur|chius|fecha", ("date", "datetime")),
    "expected_close": (
        r"expect|target|due|deadline|until|forecast|erwart|prev|plan",
        ("date", "datetime"),
    ),
    "created": (
        r"creat|creado|creac|créa|crea[tz]|erstell|angelegt|anlage|erfass|eingang|aangemaakt|criad|criac|opened|added|entry"
        r"|entrada|alta$|inserim",
        ("date", "datetime"),
    ),
}
# the words of columns that are something else
_UNLIKELY = (
    r"weighted|forecast|probab|percent|count|number|email|phone|id$|by$|reason|lead|contact|previous|last"
    r"|unit(?:price|value)|per(?:unit|share)|shareprice|cpm"
)


def rests_on(
    columns: Iterable[MappedColumn], stages: Collection[str], pipeline: Pipeline
) -> tuple[str, ...]:
    """
    What each field that figures are made of was read from, a line each.

    Parameters
    ----------
    columns
        What became of each column.
    stages
        Stages that the rows have.
    pipeline
        What they mean.

    Examples
    --------
    >>> rests_on(
    ...     [MappedColumn(header="Deal Value", field="amount", type="decimal(2)")], (), Pipeline()
    ... )
    ('amount <- Deal Value',)
    """
    by_field = _by_field(columns)
    lines = []
    for name in (*_NEEDED, *_OTHERS):
        if name == "stage" and name in by_field:
            lines.append(f"stage <- {by_field[name]}{_outcomes(stages, pipeline)}")
        elif name in by_field:
            lines.append(f"{name} <- {by_field[name]}")
        elif _CLOSE_DATE in by_field and name in ("closed", "expected_close"):
            whose = "won and lost" if name == "closed" else "open"
            lines.append(f"{name} <- {by_field[_CLOSE_DATE]} of {whose} deals")
    return tuple(lines)


def doubts(
    columns: Iterable[MappedColumn],
    stages: Collection[str],
    pipeline: Pipeline,
    outcomes: Mapping[str, Collection[Kind]] = _NONE,
) -> tuple[str, ...]:
    """
    What no column says, each with what to do.

    Parameters
    ----------
    columns, pipeline
        As of ``rests_on``.
    stages
        Stages by which the pipeline is judged.
    outcomes
        What flags beside the stages say, by stage.

    Examples
    --------
    >>> for line in doubts(
    ...     [MappedColumn(header="Name", field="name", type="text")], (), Pipeline()
    ... ):
    ...     print(line)
    no column is the amount: figures of money will be empty; name it with --map HEADER=amount
    no column is the stage: every deal counts as open; name it with --map HEADER=stage
    no column is the owner: there will be no figures by owner; name it with --map HEADER=owner
    no column says when deals were created: no age, sales cycle or trend of new deals; name it with --map HEADER=created
    no column says when deals were closed: those that are won or lost are in no period; name it with --map HEADER=closed
    no column says when deals are expected to close: none will be overdue; name it with --map HEADER=expected_close
    """
    all_columns = list(columns)
    by_field = _by_field(all_columns)
    empty = _by_field(all_columns, is_empty=True)
    found = []
    for name, consequence in _NEEDED.items():
        if _column_of(name, by_field) is None:
            header, likely = _column_of(name, empty), _likely(name, all_columns)
            what = "no column" if header is None else f"column {header!r} is empty, and no other"
            found.append(
                f"{what} {consequence}; name {'another' if header else 'it'} with --map {likely}={name}"
            )
    if "stage" not in by_field:
        return tuple(found)
    # beside a status that gives the outcome, a stage needn't say it
    unclear = () if _BEFORE in by_field else _unclear_stages(stages, pipeline, outcomes)
    return (*found, *_doubts_of_stages(stages, pipeline), *unclear)


def _by_field(columns: Iterable[MappedColumn], *, is_empty: bool = False) -> Mapping[str, str]:
    """Column by field, of those that have values or of those that have none."""
    return {
        each.field: _one_line(each.header)
        for each in columns
        if each.field and each.is_empty == is_empty
    }


def _column_of(name: str, by_field: Mapping[str, str]) -> str | None:
    """Column that says what a field is; one close date says both."""
    if name in ("closed", "expected_close"):
        return by_field.get(name, by_field.get(_CLOSE_DATE))
    return by_field.get(name)


def _outcomes(stages: Collection[str], pipeline: Pipeline) -> str:
    counts = [(kind, sum(name in stages for name in pipeline.names(kind))) for kind in Kind]
    said = ", ".join(f"{n} {kind}" for kind, n in counts if n)
    return f": {said}" if said else ""


def _doubts_of_stages(stages: Collection[str], pipeline: Pipeline) -> Iterator[str]:
    if not stages:
        return
    open_ones = ", ".join(pipeline.names(Kind.OPEN)[:8])
    known = f": the open ones are {open_ones}" if open_ones else ""
    for kind in pipeline.outcomes_lacking(stages):
        yield f"no stage means {kind}{known}; {_change_of(pipeline)}"


def _unclear_stages(
    stages: Collection[str], pipeline: Pipeline, outcomes: Mapping[str, Collection[Kind]]
) -> Iterator[str]:
    """Stages that count as open for want of a word that says otherwise."""
    pending = [name for name in pipeline.names(Kind.OPEN) if name in stages]
    ended = [name for name in pending if says_ended(name) or _ENDS.issubset(outcomes.get(name, ()))]
    if ended:
        yield (
            "stages that say that a deal has ended, but not how, count as open: "
            f"{_some(ended)}; {_change_of(pipeline)}"
        )
    numbers = [name for name in pending if name.isdigit()]
    if 0 < len(numbers) < len(stages):
        yield (
            f"stages that are ids count as open: {_some(numbers)}; give a table of stages (--stages FILE), or "
            f"{_change_of(pipeline)}"
        )


def _change_of(pipeline: Pipeline) -> str:
    """The command that sets the pipeline as it is, ready to be edited."""
    return f"change what they mean in: dealdb pipeline --set {shlex.quote(pipeline.to_text())}"


def _some(names: Sequence[str]) -> str:
    more = f", and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _likely(name: str, columns: Iterable[MappedColumn]) -> str:
    """Header that is most likely the field, as an argument of the shell; HEADER where none is."""
    words, kinds = _LIKELY[name]
    for each in columns:
        header = each.header.replace(" ", "").replace("_", "").casefold()
        is_own = each.field not in STANDARD_NAMES and not each.is_empty
        if is_own and each.type.startswith(kinds) and _means(header, words):
            return (
                each.header if each.header.isidentifier() else shlex.quote(_one_line(each.header))
            )
    return "HEADER"


def _one_line(header: str) -> str:
    # blanks don't count when a header is looked up
    return " ".join(header.split())


def _means(header: str, words: str) -> bool:
    return bool(re.search(words, header)) and not re.search(_UNLIKELY, header)
