"""Answers about what became of deals and who worked on them: ``losses``, ``win_loss``, ``ramp`` and so on."""

from __future__ import annotations

from typing import Any

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
    total,
)


def cohorts(asked: AskedMetric) -> str:
    """How many of the deals created so far are won, and how many may still be."""
    seen: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in asked.rows:
        if row["won"] is not None:
            seen[(*(row[name] for name in asked.groups), row.get("currency"), row["label"])] = row
    last = list(seen.values())
    # each currency has a row for all deals of a cohort
    one = {(*(row[name] for name in asked.groups), row["label"]): row for row in last}.values()
    size, opened = total(one, "size"), total(one, "open")
    if not size:
        return "No deal has a day of creation."
    won = total(last, "won")
    within = asked.options.get("periods", 12)
    unit = asked.options.get("by_period", "month")
    first, end = min(row["label"] for row in one), max(row["label"] for row in one)
    born = f"in {first}" if first == end else f"from {first} to {end}"
    return sentences(
        f"Of {deals(size)} created {born}, {counted(won, 'was', 'were')} won within "
        f"{counted(within, unit)} ({percent(won / size)}), and {counted(opened, 'is', 'are')} still open.",
        f"Column 0 is the {unit} of creation itself; a column counts all that was won by then, "
        f"and the last cell of a line may still grow.",
    )


def losses(asked: AskedMetric) -> str:
    """How much was lost, and why most of all."""
    n = total(asked.rows, "n")
    if not n:
        return f"No deal was lost {asked.span}".rstrip() + "."
    worth = listing([money(total(rows, "value"), currency) for currency, rows in asked.parts])
    by = asked.options.get("by", ["loss_reason"])
    by = [by] if isinstance(by, str) else list(by)
    names = [tuple(row[name] for name in by) for row in asked.rows]
    sums = {
        name: total([r for r, k in zip(asked.rows, names, strict=True) if k == name], "n")
        for name in names
    }
    top = max(sums, key=lambda name: sums[name])
    is_reason = by == ["loss_reason"]
    what = "The first reason is" if is_reason else "Most of them:"
    shown = ", ".join(str(value) for value in top)
    unknown = sums.get(("(none)",), 0) if is_reason else 0
    has = "has" if unknown == 1 else "have"
    return sentences(
        f"{counted(n, 'deal was', 'deals were')} lost {asked.span}".rstrip() + f", worth {worth}.",
        f"{what} {shown}: {deals(sums[top])}, {percent(sums[top] / n)}."
        if shown != "(none)"
        else None,
        f"{unknown:,} of them {has} no reason." if unknown else None,
        blanks(total(asked.rows, "blank")),
    )


def win_loss(asked: AskedMetric) -> str:
    """Which share of closed deals was won, and how sure that is."""
    rows = asked.rows
    # with several currencies, each has rows of its own deals
    n, won = total(rows, "n"), total(rows, "won")
    if not n:
        return f"No deal was won or lost {asked.span}".rstrip() + "."
    worth = listing([money(total(part, "won_value"), currency) for currency, part in asked.parts])
    first = (
        f"{won:,} of {counted(n, 'closed deal')} {'was' if won == 1 else 'were'} won {asked.span}".rstrip()
        + f" ({percent(won / n)}), worth {worth}."
    )
    if len(rows) == 1:
        return sentences(
            first,
            f"By so many deals, the true rate lies between {percent(rows[0]['lo'])} and {percent(rows[0]['hi'])} "
            "(95 % sure).",
        )
    known = [row for row in rows if row["n"]]
    best = max(known, key=lambda row: (row["rate"], row["n"]))
    worst = min(known, key=lambda row: (row["rate"], -row["n"]))
    return sentences(
        first,
        f"Best: {asked.group(best)} with {percent(best['rate'])} of {best['n']:,}; last: "
        f"{asked.group(worst)} with {percent(worst['rate'])} of {worst['n']:,}.",
        "Where the ranges of two groups overlap, they may be alike.",
    )


def ramp(asked: AskedMetric) -> str:
    """Who won most in the first months, and after how many an owner counts as ramped up."""
    keys = asked.groups or [asked.result.frame.columns[0]]
    reached = [row for row in asked.rows if row["active"]]
    owners = {tuple(row[key] for key in keys) for row in reached}
    if not owners:
        return "Nobody has had a deal."
    top = max(reached, key=lambda row: row["cumulative"] or 0)
    months = max(row["month"] for row in reached) + 1
    ramped = sorted(
        {(row[keys[0]], row["ramped"]) for row in asked.rows if row["ramped"] is not None}
    )
    name = ", ".join(str(top[key]) for key in keys)
    currency = top.get("currency") or _one(asked)
    told = (
        f"{len(ramped):,} of them {'has' if len(ramped) == 1 else 'have'} reached the level of the experienced ones."
        if ramped
        else "From which month on one counts as ramped up is not known: it takes three owners of 12 months."
    )
    return sentences(
        f"Of {counted(len(owners), 'owner')}, {name} won most in the first {counted(months, 'month')}: "
        f"{money(top['cumulative'], currency)}.",
        told,
        None
        if len(owners) >= 5
        else f"{counted(len(owners), 'owner says', 'owners say')} little about others.",
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
        f"{won:,} of {counted(n, 'closed deal')} {'was' if won == 1 else 'were'} won ({percent(won / n)}).",
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
        f"{counted(created, 'deal was', 'deals were')} created, {won:,} won and {lost:,} lost {asked.span}".rstrip()
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
                f"{period} ({percent(team['attainment'])}).",
                rest,
                _pace(team),
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
    by_load = "All" if bulk == changes else f"{bulk:,}"
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
    known = [row for row in rows if row["worst_days"] is not None]
    worst = max((row["worst_days"] for row in known), default=None)
    middle = (
        f"; half of all within {days(rows[0]['median_days'])}"
        if len(known) == len(rows) == 1
        else ""
    )
    return sentences(
        f"{late:,} of {counted(n, 'win')} ({percent(late / n)}, worth {worth}) {'was' if late == 1 else 'were'} "
        f"recorded "
        f"more than {days(limit)} after {'it' if late == 1 else 'they'} happened{middle}.",
        f"The latest: {days(worst)} after." if worst is not None and late else None,
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
        if value["then"] == value["now"] and not (value["added"] or value["removed"]):
            told.append(f"{won} is {money(value['now'], currency)}, as it was recorded by {known}.")
            continue
        parts = [
            f"{sign}{value[name]:,.2f} {words}"
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


def _one(asked: AskedMetric) -> str | None:
    currency = asked.result.basis.currency
    return None if currency == "mixed" else currency
