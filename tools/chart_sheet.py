"""
A page with every form of chart, in light and in dark, to be looked at.

``python tools/chart_sheet.py sheet.html [de-DE]`` writes it; a browser shows it. The marks are examples, made up here.
A test draws all of them in several widths and languages in a browser, and fails where a text leaves its picture or lies
over another.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from dealdb.charts import Axis, Chart, ChartForm, Unit
from dealdb.charts.svg.colours import DARK, LIGHT
from dealdb.charts.svg.drawing import drawn
from dealdb.charts.svg.elements import escaped
from dealdb.formats.locale import Locale

OWNER, STAGE = Axis(title="owner", unit=Unit.LABEL), Axis(title="stage", unit=Unit.LABEL)
DEALS, EUR = (
    Axis(title="deals", unit=Unit.DEALS),
    Axis(title="value", unit=Unit.MONEY, currency="EUR"),
)
SHARE = Axis(title="win rate", unit=Unit.SHARE)
MONTH, DAYS = Axis(title="month", unit=Unit.DATE), Axis(title="days", unit=Unit.DAYS)
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</script><b>",
    '"onload="x',
    "\u202eevil\u202c",
    "x" * 10_000,
    "",
]


def chart(
    form: ChartForm,
    title: str,
    x: Axis,
    y: Axis,
    subtitle: str = "n 1,234, as of 2026-11-26",
    /,
    **marks: Any,
) -> Chart:
    """A chart of columns."""
    return Chart(
        form=form, title=title, subtitle=subtitle, marks=pl.DataFrame(marks, strict=False), x=x, y=y
    )


def bars() -> Iterator[Chart]:
    """Bars of all kinds."""
    owners = [
        "Ana Duarte",
        "Chloe Martin",
        "Grace Kim",
        "Ben Okafor",
        "Wolfeschlegelsteinhausenbergerdorff",
        None,
    ]
    yield chart(
        ChartForm.BARS,
        "Won by owner against quota",
        OWNER,
        EUR,
        label=owners,
        value=[Decimal(v) for v in ("1250000", "983500.50", "760000", "310000", "95000", "0")],
        target=[Decimal(v) for v in ("1000000", "1000000", "900000", "400000", "200000", "0")],
    )
    yield chart(
        ChartForm.BARS,
        "Win rate by owner",
        OWNER,
        SHARE,
        label=owners,
        value=[0.615, 0.545, 0.52, 0.36, 0.28, None],
        low=[0.55, 0.48, 0.4, 0.2, 0.05, None],
        high=[0.68, 0.61, 0.64, 0.55, 0.66, None],
    )
    yield chart(
        ChartForm.BARS,
        "Open deals by stage and age",
        STAGE,
        DEALS,
        label=[s for s in ("Lead", "Qualified", "Proposal", "Negotiation") for _ in range(3)],
        part=["under 30 days", "30 to 90 days", "rotting"] * 4,
        value=[120, 60, 20, 80, 70, 40, 50, 60, 30, 10, 20, 45],
    )
    yield chart(
        ChartForm.BARS,
        "Change of pipeline by owner",
        OWNER,
        EUR,
        label=owners[:5],
        value=[Decimal(v) for v in ("250000", "83500", "0", "-110000", "-295000")],
    )
    yield chart(
        ChartForm.BARS,
        "Won and lost by quarter",
        Axis(title="quarter", unit=Unit.LABEL),
        DEALS,
        label=[q for q in ("2026 Q1", "2026 Q2", "2026 Q3") for _ in range(2)],
        series=["won", "lost"] * 3,
        value=[40, 52, 44, 41, 61, 38],
    )
    yield chart(
        ChartForm.BARS,
        "Pipeline by stage",
        STAGE,
        Axis(title="value", unit=Unit.MONEY),
        panel=["EUR"] * 4 + ["USD"] * 4,
        label=["Lead", "Qualified", "Proposal", "Negotiation"] * 2,
        value=[98e6, 127e6, 137e6, 116.6e6, 1.2e6, 3.4e6, 0.4e6, 2.2e6],
    )
    yield chart(
        ChartForm.BARS,
        "Rotting by owner, on one scale",
        STAGE,
        DEALS,
        panel=[owner for owner in owners[:2] for _ in range(4)],
        label=["Lead", "Lead", "A stage with a long name", "A stage with a long name"] * 2,
        part=["rotting", "in time"] * 4,
        value=[3, 40, 8, 21, 1, 5, 0, 2],
    )


def steps_of_a_pipeline() -> Iterator[Chart]:
    """A funnel, waterfalls and a heat map."""
    yield chart(
        ChartForm.FUNNEL,
        "Funnel of deals created in 2026",
        STAGE,
        DEALS,
        label=["Lead", "Qualified", "Proposal", "Negotiation", "Won"],
        value=[4210, 2890, 1460, 905, 391],
        share=[1.0, 0.686, 0.347, 0.215, 0.093],
        next=[0.686, 0.505, 0.62, 0.432, None],
    )
    values = [412, 86, 33, -22, -88, -61]
    start = [0, 412, 498, 531, 509, 421]
    yield chart(
        ChartForm.WATERFALL,
        "What changed in October",
        Axis(title="", unit=Unit.LABEL),
        EUR,
        label=[
            "Open on 1 October",
            "Created",
            "Raised",
            "Lowered",
            "Won",
            "Lost",
            "Open on 31 October",
        ],
        value=[Decimal(v) * 10**6 for v in [*values, 360]],
        start=[Decimal(v) * 10**6 for v in [*start, 0]],
        end=[Decimal(s + v) * 10**6 for s, v in zip([*start, 0], [*values, 360], strict=True)],
        is_total=[True, False, False, False, False, False, True],
    )
    yield chart(
        ChartForm.WATERFALL,
        "Below zero and back",
        Axis(title="", unit=Unit.LABEL),
        EUR,
        label=["Start", "Down", "Up", "End"],
        value=[50.0, -120.0, 90.0, 20.0],
        start=[0.0, 50.0, -70.0, 0.0],
        end=[50.0, -70.0, 20.0, 20.0],
        is_total=[True, False, False, True],
    )
    cohorts = [(row, age) for row in range(12) for age in range(12 - row)]
    yield chart(
        ChartForm.HEAT,
        "Cohorts: share won by age",
        Axis(title="months since creation", unit=Unit.NUMBER),
        SHARE,
        column=[age for _, age in cohorts],
        label=[f"2026-{row + 1:02}" for row, _ in cohorts],
        value=[
            None if (row, age) == (3, 2) else 0.5 * (1 - math.exp(-0.4 * age)) + row * 0.004
            for row, age in cohorts
        ],
    )


def over_time() -> Iterator[Chart]:
    """Lines, a fan and steps."""
    months = [date(2026, m, 1) for m in range(1, 13)]
    values = [
        Decimal(v) * 10**5
        for v in (686, 700, 827, 899, 901, 1021, 998, 1030, 1154, 1144, 1226, 1300)
    ]
    low = [v if n < 8 else v - Decimal(4 * 10**6) * (n - 7) for n, v in enumerate(values)]
    high = [v if n < 8 else v + Decimal(5 * 10**6) * (n - 7) for n, v in enumerate(values)]
    yield chart(
        ChartForm.FAN,
        "Forecast",
        MONTH,
        EUR,
        "P10 to P90 of 10,000 simulations of the open deals",
        x=months,
        low=low,
        middle=values,
        high=high,
    )
    quarters = [f"FY{y} Q{q}" for y in (25, 26, 27) for q in (1, 2, 3, 4)]
    yield chart(
        ChartForm.LINES,
        "Won value by fiscal quarter",
        Axis(title="", unit=Unit.LABEL),
        EUR,
        x=quarters,
        value=[31e6, 37e6, 40e6, None, 58e6, 68e6, 73e6, 81e6, 88e6, 88.6e6, 100e6, 90e6],
    )
    yield chart(
        ChartForm.LINES,
        "Win rate by source",
        MONTH,
        SHARE,
        x=months * 4,
        series=[
            s for s in ("Referral", "Inbound", "Outbound", "Partner programme EMEA") for _ in months
        ],
        value=[0.3 + 0.1 * k + 0.04 * math.sin(n + k) for k in (0, 0.2, 1, 2) for n in range(12)],
    )
    days = [0, 4, 9, 15, 22, 30, 41, 55, 70, 90, 120]
    curves = [math.exp(-day / half) for half in (30, 60) for day in days]
    yield chart(
        ChartForm.STEPS,
        "Deals that are still in the stage",
        DAYS,
        Axis(title="still there", unit=Unit.SHARE),
        x=days * 2,
        series=["Lead"] * len(days) + ["Negotiation"] * len(days),
        value=curves,
        low=[max(0.0, v - 0.05) for v in curves],
        high=[min(1.0, v + 0.05) for v in curves],
    )


def one_against_another() -> Iterator[Chart]:
    """Dots."""
    said = [0.05, 0.15, 0.25, 0.4, 0.55, 0.7, 0.85]
    yield chart(
        ChartForm.DOTS,
        "Calibration",
        Axis(title="said", unit=Unit.SHARE),
        Axis(title="won", unit=Unit.SHARE),
        x=said,
        value=[v * 0.9 + 0.03 for v in said],
        low=[v * 0.8 for v in said],
        high=[min(1, v + 0.1) for v in said],
        n=[400, 220, 180, 90, 60, 40, 12],
    )
    yield chart(
        ChartForm.SCATTER,
        "Size against cycle",
        DAYS,
        EUR,
        x=[(n * 37) % 180 + 3 for n in range(160)],
        value=[((n * 7919) % 1000) ** 2 / 8.0 for n in range(160)],
        label=[f"Deal {n}" for n in range(160)],
        series=["won" if n % 3 else "lost" for n in range(160)],
    )


def odd_ones() -> Iterator[Chart]:
    """What is empty, extreme or hostile."""
    yield chart(ChartForm.BARS, "Nothing", OWNER, DEALS, label=[], value=[])
    yield chart(ChartForm.LINES, "One point", MONTH, EUR, x=[date(2026, 3, 1)], value=[5])
    yield chart(ChartForm.BARS, "All zero", OWNER, DEALS, label=["a", "b"], value=[0, 0])
    yield chart(ChartForm.BARS, "All negative", OWNER, EUR, label=["a", "b"], value=[-5, -2.5])
    yield chart(
        ChartForm.BARS, "Far apart", OWNER, EUR, label=["huge", "tiny"], value=[1e15, 0.001]
    )
    yield chart(
        ChartForm.BARS, "Hostile <b>", OWNER, DEALS, label=HOSTILE, value=[3, 5, 2, 4, 1, 6]
    )
    yield chart(
        ChartForm.BARS,
        "Many",
        OWNER,
        DEALS,
        label=[f"owner {n}" for n in range(500)],
        value=list(range(500, 0, -1)),
    )


def charts() -> list[Chart]:
    """All examples."""
    return [*bars(), *steps_of_a_pipeline(), *over_time(), *one_against_another(), *odd_ones()]


def page(tag: str = "") -> str:
    """Both schemes side by side."""
    parts = []
    for name, scheme in (("light", LIGHT), ("dark", DARK)):
        styles = "".join(f"--{key}:{value};" for key, value in scheme.items())
        cards = "".join(
            f"<div class=card>{drawn(each, locale=Locale(tag), width=560, id_prefix=f'{name}{number}')}</div>"
            for number, each in enumerate(charts())
        )
        parts.append(
            f'<section style="{styles}background:var(--chart-ground);color:var(--chart-ink)">{cards}</section>'
        )
    css = "body{margin:0;display:grid;grid-template-columns:1fr 1fr}section{padding:20px}"
    css += ".card{margin:0 0 34px}"
    return f"<!doctype html><meta charset=utf-8><title>Charts</title><style>{css}</style>{''.join(parts)}"


def page_to_check() -> str:
    """All examples in several widths and languages, each in a box that names it."""
    boxes = [
        f'<div data-name="{escaped(f"{each.title} {width} {tag}")}">'
        f"{drawn(each, locale=Locale(tag), width=width, id_prefix=f'{tag}{width}{number}')}</div>"
        for tag in ("", "de-DE", "fr-FR")
        for width in (300, 420, 560, 900)
        for number, each in enumerate(charts())
    ]
    return f"<!doctype html><meta charset=utf-8><body>{''.join(boxes)}"


def main(arguments: list[str]) -> int:
    """Write the page."""
    Path(arguments[0]).write_text(page(*arguments[1:2]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
