"""Colours that all can read, in light and in dark."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest

import dealdb.board
from dealdb.charts.svg.colours import DARK, LIGHT, STEPS, style_sheet
from dealdb.charts.tones import SERIES, tones_of


def luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, two: str) -> float:
    low, high = sorted((luminance(one), luminance(two)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_texts_and_marks_are_seen_on_their_ground(scheme: dict[str, str]) -> None:
    ground = scheme["chart-ground"]
    for text in ("chart-ink", "chart-soft"):
        assert contrast(scheme[text], ground) >= 4.5
        assert contrast(scheme["chart-soft"], scheme["chart-null"]) >= 4.5
    for mark in (
        *(f"chart-{n}" for n in range(1, SERIES + 1)),
        "chart-up",
        "chart-down",
        "chart-total",
        "chart-calm",
        "chart-pale",
    ):
        assert contrast(scheme[mark], ground) >= 3, mark
    for n in (*range(1, SERIES + 1), "calm", "faint"):
        assert contrast(scheme[f"chart-{n}"], scheme[f"chart-ink-{n}"]) >= 4.5, n
    # whiskers and ticks, on bars that have some
    assert contrast(scheme["chart-pale"], scheme["chart-ink"]) >= 3
    for step in range(STEPS):
        assert contrast(scheme[f"chart-heat-{step}"], scheme[f"chart-heat-ink-{step}"]) >= 4.5, step


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_steps_of_heat_go_one_way(scheme: dict[str, str]) -> None:
    steps = [luminance(scheme[f"chart-heat-{step}"]) for step in range(STEPS)]
    assert steps == sorted(steps, reverse=scheme is LIGHT)


def seen_by_a_deuteranope(colour: str) -> tuple[float, float, float]:
    red, green, blue = ((int(colour[n : n + 2], 16) / 255) ** 2.2 for n in (1, 3, 5))
    # the usual matrix for eyes that lack the cones for green
    return (
        0.367322 * red + 0.860646 * green - 0.227968 * blue,
        0.280085 * red + 0.672501 * green + 0.047413 * blue,
        -0.011820 * red + 0.042940 * green + 0.968881 * blue,
    )


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_the_first_colours_and_up_and_down_differ_for_those_who_see_no_green(
    scheme: dict[str, str],
) -> None:
    pairs = [*combinations((f"chart-{n}" for n in range(1, 4)), 2), ("chart-up", "chart-down")]
    for one, two in pairs:
        both = zip(
            seen_by_a_deuteranope(scheme[one]), seen_by_a_deuteranope(scheme[two]), strict=True
        )
        assert sum((a - b) ** 2 for a, b in both) ** 0.5 > 0.15, (one, two)


def test_only_what_is_lost_or_left_alone_has_the_colour_of_alarm() -> None:
    parts = ["rotting", "in time", "won", "lost", "open", "pipeline", "omitted", "young", "old"]
    tones = tones_of(parts, are_parts=True)
    assert [name for name, tone in tones.items() if tone == tones["rotting"]] == ["rotting", "lost"]


def test_the_style_sheet_of_the_board_is_the_one_of_the_charts() -> None:
    there = Path(str(dealdb.board.__file__)).parent / "static" / "charts.css"
    assert there.read_text() == style_sheet()
