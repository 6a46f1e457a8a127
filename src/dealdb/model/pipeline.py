"""
What the stages of a deal mean: the only place that knows open, won and lost.

A pipeline is an ordered list of stages. It is proposed once from the names of the stages that a load
meets (``Pipeline.covering``), kept on the server, and from then on its definition counts, never the
text of a stage.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any

from dealdb.errors import SchemaError
from dealdb.model.decimals import number_of
from dealdb.model.fiscal import (
    FISCAL_NAMES,
    checked_choice,
    checked_names,
    checked_number,
    checked_pattern,
    checked_zone_name,
    new_names,
    time_zone,
)
from dealdb.model.stage_words import meaning_of


class Kind(StrEnum):
    """What a stage means for a deal that stands in it."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"

    @property
    def rank(self) -> int:
        """
        Place of its stages in a pipeline: open ones stand first, lost ones last.

        Examples
        --------
        >>> [kind.rank for kind in (Kind.OPEN, Kind.WON, Kind.LOST)]
        [0, 1, 2]
        """
        return list(Kind).index(self)


# what a forecast counts the open deals of a stage as
CATEGORIES = ("pipeline", "bestcase", "commit", "omitted")


@dataclass(frozen=True, slots=True)
class Stage:
    """
    One stage of a pipeline.

    Attributes
    ----------
    name
        Text that deals carry in ``stage``.
    kind
        Whether a deal in it is open, won or lost.
    probability
        Chance of winning that an open deal has by default, 0 to 1; None leaves such deals out of weighted figures.
        A float stands for the digits that it is written with: 0.3 is exactly 0.3.
    rot_days
        Days without an update after which an open deal counts as rotting; 0 or None never.
    category
        What a forecast counts its open deals as: ``"pipeline"``, ``"bestcase"``, ``"commit"`` or ``"omitted"``. None
        counts as ``"pipeline"``: nothing is guessed from the chance.

    Examples
    --------
    >>> Stage("Proposal", Kind.OPEN, Decimal("0.5"), rot_days=30).name
    'Proposal'
    """

    name: str
    kind: Kind
    probability: Decimal | None = None
    rot_days: int | None = None
    category: str | None = None

    def __post_init__(self) -> None:
        name: object = self.name
        if not isinstance(name, str) or not name:
            msg = f"a stage needs a name, which is a text: got {name!r}"
            raise SchemaError(msg, field="stage")
        # as they are read back: a pipeline that isn't equal to what the server keeps would be written for ever, and a
        # kind that is only a text would be none of the three
        object.__setattr__(self, "kind", self._checked_kind())
        object.__setattr__(self, "probability", self._checked_probability())
        days = self.rot_days
        if days is not None and (type(days) is not int or days < 0):
            msg = f"stage {self.name!r}: rot_days is a whole number of days from 0 up, not {days}"
            raise SchemaError(msg, field="rot_days", expected="0 or more")
        if self.category is not None:
            checked_choice(f"stage {self.name!r}: category", self.category, CATEGORIES)

    def _checked_kind(self) -> Kind:
        try:
            return Kind(self.kind)
        except ValueError:
            msg = f"stage {self.name!r}: a kind is open, won or lost, not {self.kind!r}"
            raise SchemaError(msg, field="stage", expected="open, won or lost") from None

    def _checked_probability(self) -> Decimal | None:
        if self.probability is None:
            return None
        number = number_of(self.probability)
        if number is None or not 0 <= number <= 1:
            msg = f"stage {self.name!r}: a probability is a number from 0 to 1, not {self.probability}"
            raise SchemaError(msg, field="probability", expected="a number from 0 to 1")
        return number


@dataclass(frozen=True, slots=True)
class Pipeline:
    """
    Ordered stages of a collection's deals.

    Attributes
    ----------
    stages
        In the order that a deal passes them; won and lost last. Names are unique.
    closes
        Whether saving a deal as won or lost sets its ``closed``, and reopening it clears that, unless it is given.
    zone
        Time zone, a name of the IANA database: which day a moment belongs to. Dates of deals are never moved by it.
    week_start
        Day with which weeks begin, 1 Monday to 7 Sunday.
    fiscal_start
        Month with which fiscal quarters and years begin, 1 to 12; without effect where there is a ``fiscal_pattern``.
    fiscal_name
        Whether a fiscal year is called by the calendar year in which it ``"end"``s or in which it ``"start"``s.
    fiscal_pattern
        ``"4-4-5"``, ``"4-5-4"`` or ``"5-4-4"``: weeks of the three periods of each quarter. A 53rd week is in the last
        period of its year. None: calendar months.
    fiscal_year_end
        With a pattern: ``"last saturday of january"`` or ``"nearest saturday to january"`` (to its end), with any day
        of the week and any month.
    renamed
        Old names of stages with those of today, by which the values of the past are read: ``{"Demo": "Demo call"}``.

    Examples
    --------
    >>> pipeline = Pipeline().covering(["Won", "Prospecting", "Lost", "Engaging"])
    >>> [(stage.name, str(stage.kind)) for stage in pipeline]
    [('Prospecting', 'open'), ('Engaging', 'open'), ('Won', 'won'), ('Lost', 'lost')]
    """

    stages: tuple[Stage, ...] = ()
    closes: bool = True
    zone: str = "UTC"
    week_start: int = 1
    fiscal_start: int = 1
    fiscal_name: str = "end"
    fiscal_pattern: str | None = None
    fiscal_year_end: str | None = None
    renamed: Mapping[str, str] = field(default_factory=dict, hash=False)
    _known: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # a list would never be equal to what is read back, and saving it would never end
        object.__setattr__(self, "stages", tuple(self.stages))
        names = [stage.name for stage in self.stages]
        object.__setattr__(self, "_known", frozenset(names))
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            msg = f"a pipeline names each stage once; {', '.join(twice)} stands in it twice"
            raise SchemaError(msg, field="stage")
        self._check_settings()

    def _check_settings(self) -> None:
        time_zone(self.zone)
        checked_number("week_start", self.week_start, 7)
        checked_number("fiscal_start", self.fiscal_start, 12)
        checked_choice("fiscal_name", self.fiscal_name, FISCAL_NAMES)
        pattern, year_end = checked_pattern(self.fiscal_pattern, self.fiscal_year_end)
        object.__setattr__(self, "fiscal_pattern", pattern)
        object.__setattr__(self, "fiscal_year_end", year_end)
        # a copy: nobody may change it from outside
        object.__setattr__(self, "renamed", checked_names(self.renamed))

    def __iter__(self) -> Iterator[Stage]:
        return iter(self.stages)

    def __len__(self) -> int:
        return len(self.stages)

    def __bool__(self) -> bool:
        return bool(self.stages)

    def __contains__(self, name: object) -> bool:
        return name in self._known

    def names(self, kind: Kind) -> list[str]:
        """Names of the stages of one kind, in order."""
        return [stage.name for stage in self.stages if stage.kind is kind]

    def covering(self, names: Iterable[str]) -> Pipeline:
        """
        Pipeline that also has these stages, with a proposed kind, place and probability for each new one.

        The proposal reads the name ("6 - Closed Won" is won); a stage that is already defined keeps its definition.

        Returns
        -------
        Pipeline
            This very pipeline when it has them all.

        Examples
        --------
        >>> Pipeline().covering(["Demo"]).covering(["Demo", "Signed"]).names(Kind.WON)
        ['Signed']
        """
        new = [name for name in dict.fromkeys(names) if name and name not in self._known]
        if not new:
            return self
        stages = [*self.stages, *(Stage(name, Kind(meaning_of(name))) for name in new)]
        if not self:
            # only a fresh pipeline is put in order: one that people arranged keeps their order
            stages.sort(key=_proposed_place)
        else:
            stages.sort(key=lambda stage: stage.kind.rank)
        return self.with_stages(_with_probabilities(stages, set(new)))

    def with_stages(self, stages: Iterable[Stage]) -> Pipeline:
        """
        Pipeline of other stages that says the same besides.

        Examples
        --------
        >>> Pipeline(closes=False).with_stages([Stage("Won", Kind.WON)]).settings()["closes"]
        False
        """
        return self._with_zone(replace(self, stages=tuple(stages), zone="UTC"), self.zone)

    @staticmethod
    def _with_zone(pipeline: Pipeline, zone: str) -> Pipeline:
        """
        A pipeline in a zone that was checked when it was set.

        A machine that doesn't know it must not be kept from reading or loading deals: only what needs the zone fails.
        """
        object.__setattr__(pipeline, "zone", checked_zone_name(zone))
        return pipeline

    def new_names(self) -> dict[str, str]:
        """
        The name of today of each stage that was renamed.

        Examples
        --------
        >>> Pipeline(renamed={"Demo": "Demo call"}).new_names()
        {'Demo': 'Demo call'}
        """
        return new_names(self.renamed)

    def outcomes_lacking(self, names: Iterable[str]) -> list[Kind]:
        """
        Outcomes that none of these stages means: figures that rest on them would be empty, or 100 %.

        Examples
        --------
        >>> pipeline = Pipeline().covering(["Demo", "Won", "Gone"])
        >>> [str(kind) for kind in pipeline.outcomes_lacking(["Demo", "Won", "Gone"])]
        ['lost']
        """
        used = set(names)
        there = {stage.kind for stage in self.stages if stage.name in used}
        return [kind for kind in (Kind.WON, Kind.LOST) if kind not in there]

    def to_text(self) -> str:
        """
        Stages as ``dealdb pipeline --set`` takes them; a name with a comma or a colon is in quotes.

        Examples
        --------
        >>> Pipeline(
        ...     (Stage("Demo, 2nd", Kind.OPEN, Decimal("0.5"), 30), Stage("Won", Kind.WON))
        ... ).to_text()
        '"Demo, 2nd":open:0.5:30,Won:won'
        """
        return ",".join(map(_stage_text, self.stages))

    def to_json(self) -> str:
        """Text under which the server keeps the pipeline."""
        stages = [
            [s.name, str(s.kind), None if s.probability is None else str(s.probability), s.rot_days]
            for s in self.stages
        ]
        said: dict[str, Any] = {} if self.closes else {"closes": False}
        categories = {s.name: s.category for s in self.stages if s.category is not None}
        # beside the stages: earlier versions know them as lists of four, and read a document whatever else is in it
        said |= {"categories": categories} if categories else {}
        said |= {n: getattr(self, n) for n in SETTINGS if getattr(self, n) != _BY_DEFAULT[n]}
        # as ever where nothing is said: others may know only the list
        document = {**said, "stages": stages} if said else stages
        return json.dumps(document, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> Pipeline:
        """
        Pipeline from the text of ``to_json``.

        Raises
        ------
        ValueError
            If the text is not such a pipeline.
        """
        document = json.loads(text)
        said = document if isinstance(document, dict) else {"stages": document}
        categories = dict(said.get("categories", {}))
        stages = tuple(
            Stage(name, Kind(kind), _number(chance), rot_days, categories.pop(name, None))
            for name, kind, chance, rot_days in said["stages"]
        )
        settings = {name: said[name] for name in SETTINGS if name in said}
        zone = settings.pop("zone", "UTC")
        return cls._with_zone(cls(stages, closes=said.get("closes") is not False, **settings), zone)

    def settings(self) -> dict[str, Any]:
        """
        What it says besides its stages, by name.

        Examples
        --------
        >>> Pipeline(fiscal_start=2).settings()["fiscal_start"]
        2
        """
        return {name: getattr(self, name) for name in ("closes", *SETTINGS)}


# what a pipeline says besides the stages, in the order of its document
SETTINGS = (
    "zone", "week_start", "fiscal_start", "fiscal_name", "fiscal_pattern", "fiscal_year_end", "renamed",
)  # fmt: skip
_BY_DEFAULT = {name: getattr(Pipeline(), name) for name in SETTINGS}


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


# in the order that sales teams pass them; the first word found in a name gives its place
_OPEN_WORDS = """
lead new sourced inbound prospect contact screen appointment meeting qualif discovery analysis
engag demo presentation evaluat diligence perception decision proposal quote price
negotiat review committee verbal commit termsheet contract
"""


def _stage_text(stage: Stage) -> str:
    name = stage.name
    if name != name.strip() or any(each in name for each in ',:"'):
        doubled = name.replace('"', '""')
        name = f'"{doubled}"'
    probability = "" if stage.probability is None else f"{stage.probability.normalize():f}"
    days = "" if stage.rot_days is None else f"{stage.rot_days}"
    return ":".join((name, stage.kind, probability, days, stage.category or "")).rstrip(":")


def _key(name: str) -> str:
    # "Closed-Won", "closed won " and "closedwon" are one name
    return re.sub(r"[\W_]+", "", name).casefold()


def _proposed_place(stage: Stage) -> tuple[int, int]:
    key = _key(stage.name)
    words = _OPEN_WORDS.split()
    places = [place for place, word in enumerate(words) if word in key]
    return stage.kind.rank, places[0] if places else len(words)


def _with_probabilities(stages: list[Stage], new: set[str]) -> tuple[Stage, ...]:
    n_open = sum(stage.kind is Kind.OPEN for stage in stages)

    def proposed(place: int, stage: Stage) -> Decimal:
        if stage.kind is Kind.OPEN:
            # evenly spread over the open stages, which stand first
            return round(Decimal(place + 1) / (n_open + 1), 2)
        return Decimal(stage.kind is Kind.WON)

    return tuple(
        replace(stage, probability=proposed(place, stage)) if stage.name in new else stage
        for place, stage in enumerate(stages)
    )
