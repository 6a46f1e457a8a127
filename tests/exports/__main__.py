"""Many exports, loaded and judged."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from exports import ratchet
from exports.judge import GOOD, Judgement, a_judge
from exports.shape import make
from exports.shapes import BY_NAME
from exports.table import tables


def seeds(n: int, seed: int, names: list[str]) -> Iterator[tuple[str, str]]:
    """Names of shapes by turns, each with the seed of its next export."""
    for number in range(n):
        name = names[number % len(names)]
        yield name, f"{seed}:{name}:{number // len(names)}"


def judged(n: int, seed: int, names: list[str], *, keep: Path | None = None) -> Iterator[Judgement]:
    """The judgement of each export; what is not right is kept in a folder."""
    with TemporaryDirectory() as folder, a_judge() as judge:
        for name, each in seeds(n, seed, names):
            judgement = judge.judge(make(BY_NAME[name], each, Path(folder)))
            if keep is not None and judgement.verdict not in GOOD:
                _keep(judgement, keep)
            judgement.export.path.unlink()
            yield judgement


def _keep(judgement: Judgement, keep: Path) -> None:
    folder = keep / judgement.verdict
    folder.mkdir(parents=True, exist_ok=True)
    path = judgement.export.path
    shutil.copy(path, folder)
    lines = [f"dirt: {judgement.export.dirt}", f"style: {judgement.export.style}"]
    lines += [f"wrong {kind}: {example}" for kind, example in judgement.wrong.items()]
    lines += [f"said: {text}" for text in judgement.said]
    (folder / f"{path.name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def sample() -> list[Judgement]:
    """The judgements of the sample that the default tests judge."""
    return list(judged(ratchet.SAMPLE, ratchet.SEED, list(BY_NAME)))


def _lower() -> int:
    found, known = ratchet.wrong_in(sample()), ratchet.expected()
    ratchet.save(ratchet.lowered(found, known))
    more = ratchet.grown(found, known)
    for name, text in more.items():
        print(f"more than before: {name}: {text}")
    return 1 if more else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m exports", description=__doc__)
    parser.add_argument("--n", type=int, default=1000, help="how many; default %(default)s")
    parser.add_argument(
        "--seed", type=int, default=1, help="the same ones again; default %(default)s"
    )
    parser.add_argument("--only", default="", help="shapes whose names contain this")
    parser.add_argument(
        "--keep", type=Path, help="folder for the exports that don't come out right"
    )
    parser.add_argument(
        "--lower",
        action="store_true",
        help="judge the sample, and lower expected.json after a repair",
    )
    options = parser.parse_args()
    if options.lower:
        return _lower()
    names = [name for name in BY_NAME if options.only.lower() in name.lower()]
    if not names:
        parser.error(f"no shape is called like {options.only!r}; there are {', '.join(BY_NAME)}")
    print(tables(list(judged(options.n, options.seed, names, keep=options.keep))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
