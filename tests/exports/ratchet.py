"""
What is still silently wrong in the sample, by shape: it may become less, never more.

``expected.json`` has for each shape how many exports of the sample are silently wrong, and in which figures.
``python -m exports --lower`` writes it again after a repair; it never raises a number that is there.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypedDict

from exports.judge import Judgement, Verdict

PATH = Path(__file__).with_name("expected.json")
SAMPLE, SEED = 30, 1


class Wrong(TypedDict):
    """How many exports of a shape are silently wrong, and in what."""

    silent: int
    kinds: list[str]


def wrong_in(judgements: Iterable[Judgement]) -> dict[str, Wrong]:
    """What is silently wrong, by shape; an error that is not ours counts as silent."""
    found: dict[str, Wrong] = defaultdict(lambda: Wrong(silent=0, kinds=[]))
    for each in judgements:
        if each.verdict in (Verdict.SILENT, Verdict.CRASHED):
            wrong = found[each.export.shape.name]
            wrong["silent"] += 1
            wrong["kinds"] = sorted({*wrong["kinds"], *(each.silent or (str(each.verdict),))})
    return dict(found)


def expected() -> dict[str, Wrong]:
    """What the file has."""
    read: dict[str, Wrong] = json.loads(PATH.read_text(encoding="utf-8"))
    return read


def grown(found: Mapping[str, Wrong], known: Mapping[str, Wrong]) -> dict[str, str]:
    """Shapes with more silent errors than known, and what they are."""
    none = Wrong(silent=0, kinds=[])
    return {
        name: f"{wrong['silent']} instead of {known.get(name, none)['silent']}: {', '.join(wrong['kinds'])}"
        for name, wrong in found.items()
        if wrong["silent"] > known.get(name, none)["silent"]
    }


def lowered(found: Mapping[str, Wrong], known: Mapping[str, Wrong]) -> dict[str, Wrong]:
    """What is known after a repair: where there is more than before, what was before."""
    more = grown(found, known)
    return {
        name: known[name] if name in more else found[name]
        for name in sorted(found)
        if name in known
    }


def save(wrong: Mapping[str, Wrong]) -> None:
    """Write the file."""
    lines = [f"  {json.dumps(name)}: {json.dumps(each)}" for name, each in sorted(wrong.items())]
    PATH.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
