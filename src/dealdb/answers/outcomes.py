"""Answers about what became of deals and who worked on them: ``losses``, ``win_loss``, ``ramp`` and so on."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any, cast

from dealdb.answers.asked import (
    AskedMetric,
    blanks,
    counted,
    days,
    deals,
    listing,
    money,
    percent,
    sentences,
    signed,
    total,
    whole,
)


def cohorts(asked: AskedMetric) -> str:
    """How many of the deals created so far are won, and how many may still be."""
    seen: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in asked.rows:
        if row["won"] is not None:
            seen[(*(row[name] for name in asked.groups), row.get("currency"), row["label"])] = row
    # with several currencies, each has rows of its own deals
    last = [row for row in seen.values() if row["size"]]
    size, opened = total(last, "size"), total(last, "open")
    if not size:
        return _no_cohort(total(seen.values(), "deleted"))
    won = total(last, "won")
    within = asked.options.get("periods", 12)
    unit = asked.options.get("by_period", "month")
    # labels are in no order: FY2026-P10 is after FY2026-P9
    first, end = (choose(last, key=_begun)["label"] for choose in (min, max))
    born = f"in {first}" if first == end else f"from {first} to {end}"
    return sentences(
        f"Of {deals(size)} created {born}, {counted(won, 'was', 'were')} won within "
        f"{counted(within, unit)} ({percent(won / size)}), and {counted(opened, 'is', 'are')} still open.",
        f"Column 0 is the {unit} of creation itself; a column counts all that was won by then, "
        f"and the last cell of a line may still grow.",
    )


def _no_cohort(deleted: int) -> str:
    """No deal is in a cohort: none has a day of creation, or none is left."""
    if not deleted:
        return "No deal has a day of creation."
    all_were = f"All {deals(deleted)} were" if deleted > 1 else "The one deal was"
    return f"{all_were} deleted since."


def _begun(row: dict[str, Any]) -> date:
    return cast("date", row["cohort"])


def losses(asked: AskedMetric) -> str:
    """How much was lost, and why most of all."""
    n = total(asked.rows, "n")
    if not n:
        return f"No deal was lost {asked.span}".rstrip() + "."
    by = asked.options.get("by", ["loss_reason"])
    by = [by] if isinstance(by, str) else list(by)
    sums: Counter[tuple[Any, ...]] = Counter()
    for row in asked.rows:
        sums[tuple(row[name] for name in by)] += row["n"]
    top = max(sums, key=lambda name: sums[name])
    is_reason = by == ["loss_reason"]
    what = "The first reason is" if is_reason else "The largest group:"
    shown = ", ".join(str(value) for value in top)
    unknown = sums.get(("(none)",), 0) if is_reason else 0
    return sentences(
        f"{counted(n, 'deal was', 'deals were')} lost {asked.span}".rstrip()
        + f"{_lost_worth(asked)}.",
        f"{what} {shown}: {deals(sums[top])}, {percent(sums[top] / n)}."
        if shown != "(none)"
        else None,
        _without_reason(unknown, n),
        blanks(total(asked.rows, "blank")),
    )


def _lost_worth(asked: AskedMetric) -> str:
    """What lost deals were worth; many leave their amounts at 0, or empty, which is no worth."""
    sums = [(total(rows, "value"), currency) for currency, rows in asked.parts]
    if any(value for value, _ in sums):
        return f", worth {listing([money(value, currency) for value, currency in sums])}"
    if total(asked.rows, "blank") == total(asked.rows, "n"):
        return ""
    return (
        f"; their amounts add up to {listing([money(value, currency) for value, currency in sums])}"
    )


def _without_reason(number: int, of: int) -> str | None:
    if not number:
        return None
    if number == of:
        return "It has no reason." if of == 1 else "None of them has a reason."
    return f"{whole(number)} of them {'has' if number == 1 else 'have'} no reason."


def win_loss(asked: AskedMetric) -> str:
    """Which share of closed deals was won, and how sure that is."""
    rows = asked.rows
    # with several currencies, each has rows of its own deals
    n, won = total(rows, "n"), total(rows, "won")
    if not n:
        return f"No deal was won or lost {asked.span}".rstrip() + "."
    worth = listing([money(total(part, "won_value"), currency) for currency, part in asked.parts])
    first = (
        f"{whole(won)} of {counted(n, 'closed deal')} {'was' if won == 1 else 'were'} won {asked.span}".rstrip()
        + f" ({percent(won / n)}), worth {worth}."
    )
    if len(rows) == 1:
        return sentences(
            first,
            f"By so many deals, the true rate lies between {percent(rows[0]['lo'])} and {percent(rows[0]['hi'])} "
            "(95 % sure).",
        )
    if not asked.groups:
        # only currencies tell the rows apart, and each deal is in one
        return first
    known = [row for row in _of_groups(asked) if row["n"]]
    if len(known) == 1:
        return first
    best = max(known, key=lambda row: (row["rate"], row["n"]))
    worst = min(known, key=lambda row: (row["rate"], -row["n"]))
    return sentences(
        first,
        f"Best: {asked.group(best)} with {percent(best['rate'])} of {whole(best['n'])}; last: "
        f"{asked.group(worst)} with {percent(worst['rate'])} of {whole(worst['n'])}.",
        "Where the ranges of two groups overlap, they may be alike.",
    )


def _of_groups(asked: AskedMetric) -> list[dict[str, Any]]:
    """Won and closed deals of each group, in whichever currency."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in asked.rows:
        key = tuple(row[name] for name in asked.groups)
        own = found.setdefault(key, {**row, "n": 0, "won": 0})
        for count in ("n", "won"):
            own[count] += row[count]
    for own in found.values():
        own["rate"] = own["won"] / own["n"] if own["n"] else None
    return list(found.values())


def ramp(asked: AskedMetric) -> str:
    """Who won most in the first months, and after how many an owner counts as ramped up."""
    keys = asked.groups or [asked.result.frame.columns[0]]
    reached = [row for row in asked.rows if row["active"]]
    owners = {tuple(row[key] for key in keys) for row in reached}
    if not owners:
        return "Nobody has had a deal."
    months = max(row["month"] for row in reached) + 1
    # in one of several currencies is enough
    ramped = {tuple(row[key] for key in keys) for row in asked.rows if row["ramped"] is not None}
    tops = []
    for currency, rows in asked.parts:
        top = max((row for row in rows if row["active"]), key=lambda row: row["cumulative"])
        name = ", ".join(str(top[key]) for key in keys)
        if top["cumulative"] > 0:
            tops.append(f"{name} won most, {money(top['cumulative'], currency)}")
    span = f"in the first {counted(months, 'month') if months > 1 else 'month'}"
    one = "owner" if keys[0] == "owner" else "group"
    who = (
        f"Of {counted(len(owners), one)}, {listing(tops)}, {span}."
        if tops
        else f"None of {counted(len(owners), one)} has won anything {span}."
    )
    some = "All" if len(ramped) == len(owners) > 1 else f"{whole(len(ramped))}"
    told = (
        f"{some} of them {'has' if len(ramped) == 1 else 'have'} reached the level of the experienced ones."
        if ramped
        else f"From which month on one counts as ramped up is not known: it takes three {one}s of 12 months."
    )
    return sentences(
        who,
        told,
        None
        if len(owners) >= 5
        else f"{counted(len(owners), f'{one} says', f'{one}s say')} little about others.",
    )


def leaderboard(asked: AskedMetric) -> str:
    """Who won most, and which share of the closed deals was won."""
    keys = asked.groups or [asked.result.frame.columns[0]]
    n, won = total(asked.rows, "n"), total(asked.rows, "won")
    if not n:
        return f"No deal was won or lost {asked.span}".rstrip() + "."
    told = []
    for currency, rows in asked.parts:
        top = [row for row in rows if row["rank"] == 1 and row["won"]]
        names = [", ".join(str(row[key]) for key in keys if key != "currency") for row in top]
        if top:
            worth = money(top[0]["won_value"], currency)
            each = " each" if len(top) > 1 else ""
            told.append(f"{listing(names)} won most {asked.span}".rstrip() + f": {worth}{each}.")
    is_event = asked.options.get("by_at", "event") == "event"
    return sentences(
        *told,
        f"{whole(won)} of {counted(n, 'closed deal')} {'was' if won == 1 else 'were'} won ({percent(won / n)}).",
        f"A deal counts for the {listing(keys)} that it had when it was closed."
        if is_event
        else None,
    )


def trend(asked: AskedMetric) -> str:
    """How much was created, won and lost in all, and in which period most was won."""
    created, won, lost = (total(asked.rows, name) for name in ("created", "won", "lost"))
    if not (created or won or lost):
        return f"No deal was created, won or lost {asked.span}".rstrip() + "."
    worth, best = [], []
    for currency, rows in asked.parts:
        sums: dict[str, Any] = {}
        for row in rows:
            sums[row["label"]] = sums.get(row["label"], 0) + row["won_value"]
        top = max(sums, key=lambda label: sums[label], default=None)
        worth.append(money(total(rows, "won_value"), currency))
        if top is not None and sums[top] > 0:
            best.append(f"{top} ({money(sums[top], currency)})")
    return sentences(
        f"{counted(created, 'deal was', 'deals were')} created, {whole(won)} won and {whole(lost)} lost "
        f"{asked.span}".rstrip()
        + (f"; the wins were worth {listing(worth)}." if won else "."),
        f"Most was won in {listing(best)}." if best else None,
        "Each event counts, also of deals that were reopened or deleted later.",
    )


def attainment(asked: AskedMetric) -> str:
    """How much of the quota the team has, and what is missing each day."""
    period = asked.options["period"]
    told = []
    for currency, rows in asked.parts:
        team = next(row for row in reversed(rows) if row["key"] == "team")
        if team["quota"] is None:
            told.append(
                f"{money(team['won'], currency)} was won in {period}, for which no quota is kept: "
                "dealdb quotas load FILE adds some."
            )
            continue
        share = "" if team["attainment"] is None else f" ({percent(team['attainment'])})"
        rest = (
            f"{money(team['needed_per_day'], currency)} a day are needed in the "
            f"{counted(team['days_left'], 'day')} left."
            if team["days_left"] and team["remaining"] > 0
            else None
        )
        told.append(
            sentences(
                f"The team has won {money(team['won'], currency)} of its quota of "
                f"{money(team['quota'], currency)} in "
                f"{period}{share}.",
                _pace(team),
                rest,
            )
        )
    return sentences(*told)


def _pace(team: dict[str, Any]) -> str | None:
    if team["pace"] is None or not team["days_left"]:
        return None
    ahead = team["pace"] - 1
    if abs(ahead) < 0.0005:
        return "That is just as many as the days gone by ask for."
    return f"That is {percent(abs(ahead))} {'more' if ahead > 0 else 'less'} than the days gone by ask for."


def activity(asked: AskedMetric) -> str:
    """How much was changed, and how much of it by people."""
    rows, n = asked.rows, asked.result.basis.n
    if not n:
        return f"No deal was changed {asked.span}".rstrip() + "."
    changes, bulk = total(rows, "changes"), total(rows, "bulk")
    kinds = {
        "stage_moves": "stage move",
        "pushes": "date pushed",
        "amount_changes": "new amount",
        "created": "deal created",
        "closed": "deal closed",
    }
    many = {"pushes": "dates pushed", "created": "deals created", "closed": "deals closed"}
    told = [
        counted(total(rows, key), one, many.get(key))
        for key, one in kinds.items()
        if total(rows, key)
    ]
    by_load = "All" if bulk == changes else f"{whole(bulk)}"
    return sentences(
        f"{counted(n, 'deal was', 'deals were')} changed {asked.span}".rstrip()
        + f", {counted(changes, 'field')} in all"
        + (f": {listing(told)}." if told else "."),
        f"{by_load} of these came by loads and imports, not by hand." if bulk else None,
        "It counts records, not work.",
    )


def late_entry(asked: AskedMetric) -> str:
    """Which share of wins was recorded late."""
    rows = asked.rows
    n, late = total(rows, "n"), total(rows, "late")
    if not n:
        return f"No deal was won {asked.span}".rstrip() + "."
    limit = asked.options.get("days", 7)
    worth = listing([money(total(part, "late_value"), currency) for currency, part in asked.parts])
    unknown = total(rows, "unknown")
    known = [row for row in rows if row["worst_days"] is not None]
    if not known:
        return f"When {counted(n, 'win was', 'wins were')} recorded is not known."
    worst = max((row["worst_days"] for row in known), default=None)
    middle = (
        f"; half of all within {days(rows[0]['median_days'])}"
        if len(known) == len(rows) == 1
        else ""
    )
    dated, were = n - unknown, "was" if late == 1 else "were"
    return sentences(
        f"{whole(late)} of {counted(dated, 'win')} ({percent(late / dated)}, worth {worth}) {were} recorded more than "
        f"{days(limit)} after {'it' if late == 1 else 'they'} happened{middle}.",
        f"The latest: {days(worst)} after." if worst is not None and late else None,
        f"Of {counted(unknown, 'more win')} it is not known when {'it was' if unknown == 1 else 'they were'} recorded."
        if unknown
        else None,
        "Deals that were loaded from a file count as recorded on the day of the load."
        if late
        else None,
    )


def hindsight(asked: AskedMetric) -> str:
    """How much of a period's wins has changed since it was looked at."""
    known = asked.options["known"]
    if not asked.result.basis.n:
        return (
            f"No deal was won {asked.span}".rstrip() + f", neither as recorded by {known} nor now."
        )
    told = []
    for currency, rows in asked.parts:
        value = {
            name: total([row for row in rows if row["bucket"] == name], "value")
            for name in ("then", "added", "up", "down", "removed", "now")
        }
        won = f"What was won {asked.span}".rstrip()
        if value["then"] == value["now"] and not any(
            value[name] for name in ("added", "up", "down", "removed")
        ):
            told.append(f"{won} is {money(value['now'], currency)}, as it was recorded by {known}.")
            continue
        parts = [
            f"{signed(sign, value[name])} {words}"
            for name, sign, words in (
                ("added", "+", "added later"),
                ("up", "+", "from higher amounts"),
                ("down", "-", "from lower amounts"),
                ("removed", "-", "no longer won"),
            )
            if value[name]
        ]
        told.append(
            f"{won} was {money(value['then'], currency)} as recorded by {known}, and is "
            f"{money(value['now'], currency)} "
            f"now: {', '.join(parts)}."
        )
    return sentences(*told, "--deals lists the deals.")
