"""
Writes ``docs/gallery.md`` and its pictures: ``python tools/gallery.py docs``.

Each picture is made by the command that stands above it, on sample deals whose moves between stages are made up here,
in a server of its own. The deals and the moves are the same ones every time, and so are the pictures.
"""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from hashlib import sha1
from itertools import chain
from pathlib import Path
from random import Random
from typing import Any

from dealdb import DealDatabase
from dealdb.cli.main import main
from dealdb.model.pipeline import Kind, Pipeline, Stage
from dealdb.sample import deals
from dealdb.store.commit import script

TODAY = date(2026, 9, 30)
_STAGES = ("Lead", "Qualified", "Proposal", "Negotiation")
_PIPELINE = Pipeline(
    (
        *(
            Stage(name, Kind.OPEN, Decimal(chance) / 100, days)
            for name, chance, days in zip(_STAGES, (10, 25, 50, 75), (14, 21, 28, 21), strict=True)
        ),
        Stage("Won", Kind.WON),
        Stage("Lost", Kind.LOST),
    )
)
_HEAD = """\
# Gallery

Every chart that dealdb draws, each with the command that made it. `--plot FILE` writes PNG, SVG, HTML that needs no
network, or JSON of Vega-Lite, by the end of the file's name, and needs no browser; the extra is `plot`
(`pip install 'dealdb[plot]'`). `--chart` prints a chart of bars and lines in the terminal, without an extra. In Python,
`db.analytics.funnel().plot("funnel.png")` does the same, a notebook shows `db.analytics.funnel()` as a picture and a
table, and `.chart()` gives the marks as a table, with exact values.

Currencies are never on one axis: each has a panel of its own. Panels of one unit (deals, days, shares, money of one
currency) have one scale, so that their marks can be compared; but each funnel is as wide as its own first step, which
its steps are shares of. What a chart leaves out stands below it. Colours can be told apart by people who see red and
green alike; of the parts of a bar, what is lost or left alone is orange in all charts.

The deals are the samples, with moves between stages made up; `make gallery` makes all of it again. Those of the last
section were saved day by day, on a server whose clock was set.
"""
# sections, and in each the commands; {day} is the day that all are asked on
_SECTIONS: dict[str, tuple[str, ...]] = {
    "What is there": (
        "stats summary --by owner --as-of {day}",
        "stats pipeline --as-of {day}",
        "ageing --as-of {day}",
        "ageing --by stage --as-of {day}",
        "rotting --basis stage --as-of {day}",
        "facets source",
        "sql \"SELECT owner, sum(amount) AS value FROM deals WHERE stage = 'Lead' GROUP BY owner ORDER BY value DESC\"",
        "find \"closed >= '2026-06-01' AND stage = 'Won'\"",
    ),
    "What happened": (
        "changed --since 2026-09-01 --as-of {day}",
        "funnel --since 2026-01-01 --as-of {day}",
        "funnel --since 2026-01-01 --by source --as-of {day}",
        "time-in-stage --as-of {day}",
        "slippage --in 2026-Q3 --by owner --as-of {day}",
        "cohorts --measure win_rate --as-of {day} --where \"created >= '2025-10-01'\"",
        "losses --in 2026-Q3 --sort -n --as-of {day}",
        "stats trend --period month --since 2025-10-01",
    ),
    "Who": (
        "stats leaderboard --since 2026-07-01",
        "attainment 2026-Q3 --as-of {day}",
        "win-loss --by owner --sort -rate --since 2026-01-01 --as-of {day}",
        "stats win-rate --by source --sort -win_rate --since 2026-01-01",
        "stats deal-size --by owner --since 2026-01-01",
        "stats sales-cycle --by owner --since 2026-01-01",
        "stats velocity --by owner --since 2026-01-01",
        "stats concentration --by company --since 2026-01-01",
        "ramp --months 8 --as-of {day} --where \"owner IN ('Ana Duarte', 'Grace Kim', 'Hugo Weber')\"",
        "activity --by owner --since 2026-09-01 --as-of {day}",
    ),
    "What is likely": (
        "forecast --since 2026-08-01 --until 2027-01-01 --as-of {day}",
        "coverage --since 2026-10-01 --until 2027-01-01 --target 900000 --as-of {day}",
        "simulate --until 2027-01-01 --as-of {day}",
        "stage-chances --as-of {day}",
        "survival Proposal --as-of {day}",
        "time-to-close --by stage --as-of {day}",
        "calibration --since 2026-01-01 --every month --by owner --as-of {day}",
        "forecast-error --since 2025-10-01 --until 2026-10-01 --as-of {day}",
        "seasonality --measure created_n --as-of {day}",
    ),
}
# these need to know when something was recorded, and when it happened
_RECORDED: dict[str, tuple[str, ...]] = {
    "What was recorded late": (
        "late-entry --by owner --since 2026-07-01 --as-of {day}",
        "hindsight --in 2026-08 --known 2026-09-05 --as-of {day}",
    ),
}


def write(folder: Path) -> None:
    """Write the page and its pictures."""
    pictures = folder / "gallery"
    pictures.mkdir(exist_ok=True)
    for old in pictures.glob("*.svg"):
        old.unlink()
    parts = [_HEAD, *_sections(_SECTIONS, fill, pictures), *_sections(_RECORDED, _live, pictures)]
    (folder / "gallery.md").write_text("".join(parts))


def _sections(
    sections: dict[str, tuple[str, ...]], fill: Callable[[DealDatabase], None], pictures: Path
) -> Iterator[str]:
    """The text of sections, whose pictures are of deals of their own."""
    with tempfile.TemporaryDirectory() as place:
        # where the program looks for deals by itself
        os.environ["XDG_DATA_HOME"] = place
        with DealDatabase.embedded() as db:
            fill(db)
        for title, commands in sections.items():
            yield f"\n## {title}\n"
            yield from (_drawn(command.format(day=TODAY), pictures) for command in commands)


def _drawn(command: str, pictures: Path) -> str:
    words = shlex.split(command)
    metric = words[1] if words[0] == "stats" else words[0]
    group = words[words.index("--by") + 1] if "--by" in words else None
    file = pictures / f"{metric}-by-{group}.svg" if group else pictures / f"{metric}.svg"
    if file.exists() or main([*words, "--plot", str(file)]):
        raise SystemExit(f"no picture, or two of one name: dealdb {command}")
    return f"\n```sh\ndealdb {command} --plot {file.name}\n```\n\n![{file.stem}](gallery/{file.name})\n"


def fill(db: DealDatabase) -> None:
    """Deals of two years, and what happened to them."""
    random = Random(5)  # noqa: S311 invented data
    sample = [*_recent(), *_older()]
    db.set_pipeline(_PIPELINE)
    db.loader.load([{**deal, "updated": None} for deal in sample], bar=False)
    db.history.load([*chain.from_iterable(_told(deal, random) for deal in sample)])
    owners = sorted({str(deal["owner"]) for deal in sample})
    db.quotas.load(
        [
            {
                "period": "2026-Q3",
                "key": owner,
                "amount": 450_000 - 40_000 * place,
                "currency": "EUR",
            }
            for place, owner in enumerate(owners)
        ]
    )


def _recent() -> Iterator[dict[str, Any]]:
    yield from deals(700, today=TODAY)


def _older() -> Iterator[dict[str, Any]]:
    for deal in deals(500, seed=8, today=date(2025, 7, 1)):
        if "closed" in deal:
            yield {**deal, "id": f"E{str(deal['id'])[1:]}"}


def _told(deal: dict[str, Any], random: Random) -> Iterator[dict[str, Any]]:
    """The stages through which a deal came, a day for each, and dates that were pushed."""
    created, stage = deal["created"], deal["stage"]
    last = deal.get("closed") or TODAY - timedelta(random.randrange(2, 25))
    is_open = stage in _STAGES
    reached = _STAGES.index(stage) if is_open else 3 if stage == "Won" else random.randrange(4)
    passed = [*_STAGES[: reached + 1], *([] if is_open else [stage])]
    span = max((last - created).days, 0)
    cuts = sorted(random.random() for _ in passed[1:])
    if not is_open and cuts:
        cuts[-1] = 1.0
    days = [created, *(created + timedelta(round(span * cut)) for cut in cuts)]
    for name, day in zip(passed, days, strict=True):
        yield _fact(deal, day, "stage", name)
    for name in sorted(
        {*deal} - {"id", "stage", "expected_close", "closed", "loss_reason", "updated"}
    ):
        yield _fact(deal, created, name, deal[name])
    hoped = deal["expected_close"]
    pushed = random.random() < 0.3 and hoped > created + timedelta(20)
    first = hoped - timedelta(random.randrange(8, 20)) if pushed else hoped
    yield _fact(deal, created, "expected_close", first)
    if pushed:
        yield _fact(deal, created + timedelta(min(span, 12)), "expected_close", hoped)
    for name in ("closed", "loss_reason"):
        if name in deal:
            yield _fact(deal, last, name, deal[name])


def _live(db: DealDatabase) -> None:
    """Deals that people saved day by day; some of the wins late, and some with an amount that was not the last."""
    random = Random(9)  # noqa: S311 invented data
    told: list[tuple[date, date, dict[str, Any]]] = []
    sample: Iterator[dict[str, Any]] = iter(deals(500, seed=3, today=TODAY))
    for deal in sample:
        created, closed = deal["created"], deal.get("closed")
        begin = {**deal, "stage": "Lead", "updated": None, "closed": None, "loss_reason": None}
        told.append((created, created, begin))
        if closed is None:
            continue
        saved = min(closed + timedelta(random.choice((0, 0, 0, 1, 2, 9, 15))), TODAY)
        end = {"id": deal["id"], "stage": deal["stage"], "closed": closed}
        told.append((saved, closed, end))
        corrected = saved + timedelta(20)
        if deal["stage"] == "Won" and random.random() < 0.3 and corrected <= TODAY:
            factor = random.choice((Decimal("0.8"), Decimal("1.15"), Decimal("1.3")))
            right = {"id": deal["id"], "amount": round(deal["amount"] * factor, 2)}
            if random.random() < 0.2:
                right = {"id": deal["id"], "stage": "Lost", "loss_reason": "Price"}
            told.append((corrected, closed, right))
    with _clock(db) as set_clock:
        set_clock(min(created for created, *_ in told))
        db.set_pipeline(_PIPELINE)
        for saved, happened, values in sorted(told, key=lambda each: each[0]):
            set_clock(saved)
            db.save_deal(values, at=_noon(happened))


@contextmanager
def _clock(db: DealDatabase) -> Iterator[Callable[[date], None]]:
    """Let commits bear the time of a clock that can be set, in place of the server's."""
    own = {name: getattr(script, name) for name in ("_SCRIPT", "_SCRIPT_SHA1")}
    text = own["_SCRIPT"].replace(b"call('TIME')", b"{call('GET', 'clock'), '0'}")
    script._SCRIPT = text
    script._SCRIPT_SHA1 = sha1(text, usedforsecurity=False).hexdigest()

    def set_clock(day: date) -> None:
        db._store.link.call("SET", "clock", str(int(_noon(day).timestamp())))

    try:
        yield set_clock
    finally:
        for name, value in own.items():
            setattr(script, name, value)


def _fact(deal: dict[str, Any], day: date, field: str, value: object) -> dict[str, Any]:
    return {
        "id": deal["id"],
        "at": _noon(day).isoformat(),
        "field": field,
        "value": str(value),
        "op": "set",
    }


def _noon(day: date) -> datetime:
    return datetime.combine(day, time(12), UTC)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
