"""What came out, as tables."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from exports.judge import GOOD, Judgement, Verdict


def tables(judgements: Sequence[Judgement]) -> str:
    """Verdicts in all and by shape, and the kinds of errors that nothing was said of."""
    total = len(judgements)
    verdicts = Counter(each.verdict for each in judgements)
    shapes: dict[str, Counter[Verdict]] = defaultdict(Counter)
    for each in judgements:
        shapes[each.export.shape.name][each.verdict] += 1
    order = sorted(shapes, key=lambda name: (-_silent(shapes[name]), name))
    lines = [_line("shape", "n", *Verdict, "% good")]
    lines += [_row(name, shapes[name]) for name in order]
    lines += [_row("all", verdicts), ""]
    lines.append(_line("percent", "", *(f"{100 * verdicts[each] / total:.1f}" for each in Verdict)))
    for title, pick in (("silent", "silent"), ("wrong at all", "wrong")):
        kinds = Counter(kind for each in judgements for kind in getattr(each, pick))
        lines += ["", f"{title}, by kind (exports)"]
        lines += [f"  {kind:<16}{n:>5}  {100 * n / total:.1f} %" for kind, n in kinds.most_common()]
    dirt: dict[str, Counter[Verdict]] = defaultdict(Counter)
    for each in judgements:
        dirt[each.export.dirt or "(clean)"][each.verdict] += 1
    lines += ["", _line("dirt", "n", *Verdict, "% good")]
    lines += [_row(name, dirt[name]) for name in sorted(dirt)]
    return "\n".join(lines)


def _silent(counts: Counter[Verdict]) -> float:
    return (counts[Verdict.SILENT] + counts[Verdict.CRASHED]) / counts.total()


def _row(name: str, counts: Counter[Verdict]) -> str:
    good = sum(counts[each] for each in GOOD)
    return _line(
        name,
        counts.total(),
        *(counts[each] or "" for each in Verdict),
        f"{100 * good / counts.total():.0f}",
    )


def _line(name: str, *cells: object) -> str:
    return f"{name:<24}" + "".join(f"{cell!s:>9}" for cell in cells)
