"""Colours, sizes and letters of charts in files; the ground is white, as of paper."""

from __future__ import annotations

from typing import Any

from dealdb.charts.tones import CALM, FAINT, tones_of

FONT = "DejaVu Sans"
INK, SOFT, LINE = "#18212b", "#566170", "#c3cad3"
# bars with whiskers or targets are pale, so that these can be seen
BAR, PALE_BAR, UP, DOWN, TOTAL = "#0072b2", "#7db8dd", "#00775a", "#c24e00", "#566170"
# from zero to what is to be reached
TRACK = "#e6e9ee"
# Okabe's and Ito's, darker where they are too pale for white
SERIES = ("#0072b2", "#d55e00", "#008a64", "#a8558a", "#9a6b00", "#2f8fc0", "#5a6473")
HEAT = ("#eaf2fb", "#a6cbe6", "#6fadd6", "#2f77b4", "#08306b")
_COLOURS = {
    **{str(number): colour for number, colour in enumerate(SERIES, 1)},
    CALM: "#8393a3",
    FAINT: "#dfe4ea",
}
# those on which dark letters can be read
_PALE = ("6", CALM, FAINT)
# a letter takes some six pixels
LETTER = 6.4
WIDTH, PANEL_WIDTH = 560, 320
LABEL_LIMIT = 220

CONFIG: dict[str, Any] = {
    "background": "#ffffff",
    "font": FONT,
    "padding": 14,
    "view": {"stroke": None},
    "title": {
        "anchor": "start",
        "frame": "bounds",
        "color": INK,
        "fontSize": 17,
        "fontWeight": "bold",
        "subtitleColor": SOFT,
        "subtitleFontSize": 12,
        "subtitlePadding": 5,
        "offset": 14,
    },
    "axis": {
        "grid": False,
        "domain": False,
        "ticks": False,
        "labelColor": INK,
        "labelFontSize": 12,
        "labelPadding": 6,
        "labelLimit": LABEL_LIMIT,
        "titleColor": SOFT,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 10,
        "titleLimit": WIDTH,
    },
    "legend": {
        "labelColor": INK,
        "labelFontSize": 12,
        "titleColor": SOFT,
        "titleFontWeight": "normal",
        "labelLimit": LABEL_LIMIT,
        "symbolType": "square",
    },
    "text": {"color": INK, "fontSize": 12},
}


def colours_of(names: list[str], *, are_parts: bool = False) -> list[str]:
    """
    Colours of names; a part that has one of its own has it in every chart.

    Examples
    --------
    >>> colours_of(["won", "Ann"], are_parts=True)
    ['#008a64', '#0072b2']
    """
    tones = tones_of(names, are_parts=are_parts)
    return [_COLOURS[tones[name]] for name in names]


def pale_parts(names: list[str]) -> set[str]:
    """
    Parts whose colour is pale.

    Examples
    --------
    >>> pale_parts(["rotting", "in time"])
    {'in time'}
    """
    tones = tones_of(names, are_parts=True)
    return {name for name in names if tones[name] in _PALE}
