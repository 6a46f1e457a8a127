"""Answers about deals in their stages: ``funnel``, ``time_in_stage``, ``ageing``, ``rotting``."""

from __future__ import annotations

from typing import Any

from dealdb.answers.asked import (
    AskedMetric,
    blanks,
    counted,
    day,
    days,
    deals,
    listing,
    money,
    percent,
    sentences,
    total,
    whole,
)

_SINCE = {
    "stage": "in their stage",
    "created": "open",
    "update": "without a change",
    "activity": "without any activity",
}


def _since(asked: AskedMetric, number: int, basis: str) -> str:
    """What so many deals have been for some days, by the basis that was asked for."""
    told = _SINCE[asked.options.get("basis", basis)]
    return told.replace("their", "its") if number == 1 else told


def funnel(asked: AskedMetric) -> str:
    """How many came how far, and where most stop."""
    steps = _added_up(asked.rows)
    n, cohort = asked.result.basis.n, asked.options.get("cohort", "created")
    stage = cohort.partition(":")[2]
    if not n:
        return _nobody(asked, stage)
    base = (
        f"{deals(n)} {sentences(f'that first entered {stage}' if stage else 'created', asked.span)}"
    )
    won = steps["won"]["n"] if steps else 0
    first = f"Of {base}, {counted(won, 'is', 'are')} won ({percent(won / n)})"
    if asked.options.get("mode", "reached") != "reached":
        return sentences(f"{first}.", _weakest(steps))
    opened, lost = (total(steps.values(), key) for key in ("open", "lost"))
    fate = f"{counted(opened, 'is', 'are')} still open and {counted(lost, 'was', 'were')} lost."
    others = n - won - opened - lost
    return sentences(
        f"{first}. Of those that ever stood in an open stage, {fate}"
        if others
        else f"{first}, {fate}",
        _elsewhere(others),
        _weakest(steps),
    )


def _nobody(asked: AskedMetric, stage: str) -> str:
    """No deal is in a cohort: none came, or none is left."""
    if gone := asked.result.totals.get("deleted"):
        which = f"that first entered {stage}" if stage else "created"
        many = f"All {deals(gone)}" if gone > 1 else "The one deal"
        return (
            f"{many} {sentences(which, asked.span)} {'were' if gone > 1 else 'was'} deleted since."
        )
    return f"No deal {sentences(f'entered {stage}' if stage else 'was created', asked.span)}."


def _elsewhere(number: int) -> str | None:
    """Deals that are in no step."""
    if not number:
        return None
    is_in = "is" if number == 1 else "are"
    return (
        f"{counted(number, 'other', 'others')} never stood in an open stage, as far as is known, and "
        f"{is_in} in no line: lost at once, or in no stage of the pipeline."
    )


def _added_up(rows: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """Counts of each step, over all groups."""
    steps: dict[str, dict[str, int]] = {}
    for row in rows:
        step = steps.setdefault(row["stage"], {"n": 0, "open": 0, "lost": 0})
        for key in step:
            step[key] += row[key]
    return steps


def _weakest(steps: dict[str, dict[str, int]]) -> str | None:
    pairs = list(zip(steps.items(), list(steps.items())[1:], strict=False))
    known = [(after["n"] / step["n"], name, to) for (name, step), (to, after) in pairs if step["n"]]
    # where skipped stages don't count, more may come to a stage than stood in the one before
    share, name, to = min(known, key=lambda each: each[0], default=(1.0, "", ""))
    if share >= 1:
        return None
    went = "were won" if to == "won" else f"came to {to}"
    return f"The weakest step is {name}: of those that came there {percent(share)} {went}."


def time_in_stage(asked: AskedMetric) -> str:
    """In which stage deals stay longest, of those that left and of those that stand there."""
    left = [row for row in asked.rows if row["n"]]
    # of closed stages, those that have not left are done
    here = [row for row in asked.rows if row["open_n"] and not asked.options.get("closed")]
    if not left and not here:
        return f"No deal has stayed in an open stage {asked.span}".rstrip() + "."
    parts = []
    if left:
        row = max(left, key=lambda each: each["mean_days"])
        base = (
            counted(row["n"], "stay") + " that ended"
            if asked.options.get("unit") == "visit"
            else deals(row["n"]) + " that left"
        )
        parts.append(
            f"Deals stay longest in {row['stage']}{asked.named(row)}: {days(row['mean_days'])} on average, half "
            f"of them "
            f"{days(row['median_days'])} or less ({sentences(base, asked.span)})."
        )
    if here:
        row = max(here, key=lambda each: each["open_mean_days"])
        none = sentences("No deal has left an open stage", asked.span)
        there = "Of those that are still there" if left else f"{none}. Of those that stand in one"
        waited = "has" if row["open_n"] == 1 else "have"
        ones = "the one" if row["open_n"] == 1 else "the ones"
        parts.append(
            f"{there}, {ones} in {row['stage']}{asked.named(row)} {waited} waited longest: "
            f"{deals(row['open_n'])}, {days(row['open_mean_days'])} on average so far."
        )
    elif not asked.options.get("closed"):
        parts.append(f"No deal stands in an open stage as of {day(asked.result.basis.as_of)}.")
    return sentences(*parts)


def ageing(asked: AskedMetric) -> str:
    """How many deals are open, and how old the oldest are."""
    if not asked.result.basis.n:
        return f"No deal is open as of {day(asked.result.basis.as_of)}."
    told = []
    for currency, rows in asked.parts:
        n, known = total(rows, "n"), [row for row in rows if row["n"] and row["from"] is not None]
        # of deals without amounts nobody knows what they are worth
        has_amounts = total(rows, "blank") < n
        worth = f", worth {money(total(rows, 'value'), currency)}" if has_amounts else ""
        told.append(f"{counted(n, 'deal is', 'deals are')} open{worth}.")
        if known:
            first = max(row["from"] for row in known)
            oldest = [row for row in known if row["from"] == first]
            be = "has been" if total(oldest, "n") == 1 else "have been"
            where = _since(asked, total(oldest, "n"), "stage")
            value = f", {money(total(oldest, 'value'), currency)}" if has_amounts else ""
            told.append(
                f"The oldest {be} {where} for {_class(oldest[0])}: {deals(total(oldest, 'n'))}{value}."
            )
    unknown = total([row for row in asked.rows if row["from"] is None], "n")
    return sentences(
        *told,
        f"The age of {deals(unknown)} is not known." if unknown else None,
        blanks(total(asked.rows, "blank"), "open deal"),
    )


def _class(row: dict[str, Any]) -> str:
    return (
        f"{row['from']} days or more" if row["to"] is None else f"{row['from']} to {row['to']} days"
    )


def rotting(asked: AskedMetric) -> str:
    """How many open deals were left alone for too long."""
    rows = asked.rows
    if not rows:
        return (
            "No open stage says after how many days a deal was left alone for too long: "
            "dealdb pipeline --set NAME:open:PROBABILITY:DAYS,... says it, and --days N asks for all stages."
        )
    n, rotten = total(rows, "n"), total(rows, "rotting")
    if not n:
        return f"No deal is open as of {day(asked.result.basis.as_of)} in a stage that limits its days."
    how = f"{_since(asked, rotten or n, 'update')} for more days than the stage allows"
    if not rotten:
        return f"None of {counted(n, 'open deal')} is rotting, that is {how}."
    worth = listing([money(total(part, "value"), currency) for currency, part in asked.parts])
    be = "is" if rotten == 1 else "are"
    worst = max(
        (row for row in rows if row["worst_days"] is not None), key=lambda row: row["worst_days"]
    )
    return sentences(
        f"{whole(rotten)} of {counted(n, 'open deal')} ({percent(rotten / n)}) {be} rotting, that is {how}; worth "
        f"{worth}.",
        f"The longest: {days(worst['worst_days'])}, in {worst['stage']}{asked.named(worst)}.",
        "--deals lists them.",
    )
