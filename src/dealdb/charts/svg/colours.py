"""
Colours of charts, for light and dark.

Those of series are Okabe's and Ito's, which people who see red and green alike can tell apart, made darker where they
are too pale for white, and lighter where they are too dark for black. A page may give its own, as custom properties.
"""

from __future__ import annotations

from dealdb.charts.tones import SERIES

STEPS = 7

_SERIES_LIGHT = ("#0072b2", "#d55e00", "#008a64", "#a8558a", "#9a6b00", "#2f8fc0", "#5a6473")
_SERIES_DARK = ("#56b4e9", "#ff8a3d", "#2cc295", "#e59ac6", "#e6b035", "#9fd3f5", "#a3afbc")
_WHITE, _BLACK = "#ffffff", "#000000"
# of texts within marks of a series
_ON_LIGHT = (_WHITE, _BLACK, _BLACK, _WHITE, _WHITE, _BLACK, _WHITE)
_ON_DARK = (_BLACK,) * SERIES
_HEAT_LIGHT = ("#eaf2fb", "#cfe1f2", "#a6cbe6", "#6fadd6", "#2f77b4", "#155a9a", "#08306b")
_HEAT_DARK = ("#1d2833", "#1f3a54", "#225078", "#2a6aa0", "#5fa3d9", "#93c5ee", "#d3e8fb")
_INK_LIGHT = ("#18212b",) * 4 + ("#ffffff",) * 3
_INK_DARK = ("#ffffff",) * 4 + ("#0c1116",) * 3


# a chart is never wider than its place; marks with links answer to the pointer and to the keyboard
_LOOKS = """\
.chart { display: block; max-width: 100%; height: auto; }
.chart a:hover, .chart a:focus-visible { filter: brightness(1.15) saturate(1.2); }
.chart a:focus-visible { outline: 2px solid currentColor; outline-offset: 2px; }
@media print {
  .chart { break-inside: avoid; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""


def _scheme(
    series: tuple[str, ...],
    on_series: tuple[str, ...],
    heat: tuple[str, ...],
    inks: tuple[str, ...],
    **others: str,
) -> dict[str, str]:
    return {
        **{f"chart-{number}": colour for number, colour in enumerate(series, 1)},
        **{f"chart-ink-{number}": colour for number, colour in enumerate(on_series, 1)},
        **{f"chart-heat-{number}": colour for number, colour in enumerate(heat)},
        **{f"chart-heat-ink-{number}": colour for number, colour in enumerate(inks)},
        **{f"chart-{name}": colour for name, colour in others.items()},
    }


LIGHT = _scheme(
    _SERIES_LIGHT,
    _ON_LIGHT,
    _HEAT_LIGHT,
    _INK_LIGHT,
    up="#008a64",
    down="#d55e00",
    total="#566170",
    soft="#566170",
    line="#c3cad3",
    grid="#e6e9ee",
    null="#eceef1",
    pale="#559ac6",
    calm="#8393a3",
    faint="#dfe4ea",
    ground="#ffffff",
    ink="#18212b",
    **{"ink-calm": _BLACK, "ink-faint": _BLACK},
)
DARK = _scheme(
    _SERIES_DARK,
    _ON_DARK,
    _HEAT_DARK,
    _INK_DARK,
    up="#2cc295",
    down="#ff8a3d",
    total="#a3afbc",
    soft="#a3afbc",
    line="#4a5561",
    grid="#2a323b",
    null="#262d35",
    pale="#2f77b4",
    calm="#6b7885",
    faint="#39434d",
    ground="#1b2128",
    ink="#e8ecf1",
    **{"ink-calm": _BLACK, "ink-faint": _WHITE},
)


def colour(name: str) -> str:
    """
    A colour for an attribute, that of the page or ours.

    Examples
    --------
    >>> colour("up")
    'var(--chart-up, #008a64)'
    """
    return f"var(--chart-{name}, {LIGHT[f'chart-{name}']})"


def of_series(number: int) -> str:
    """
    The colour of a series, counted from 0; after seven they come again.

    Examples
    --------
    >>> of_series(0) == of_series(SERIES) == colour("1")
    True
    """
    return colour(str(number % SERIES + 1))


def style_sheet() -> str:
    """
    Rules for a page with charts: custom properties of all colours in light and dark, and how marks with links look.

    Examples
    --------
    >>> style_sheet().splitlines()[1]
    '  --chart-1: #0072b2;'
    """

    def lines(scheme: dict[str, str], indent: str) -> str:
        return "".join(f"{indent}--{name}: {value};\n" for name, value in scheme.items())

    return (
        f":root {{\n{lines(LIGHT, '  ')}}}\n"
        # paper is light
        f"@media screen and (prefers-color-scheme: dark) {{\n  :root {{\n{lines(DARK, '    ')}  }}\n}}\n{_LOOKS}"
    )


def rules() -> str:
    """
    Rules for a file, whose elements have classes such as ``fill-chart-1``: light ones are in the attributes.

    Examples
    --------
    >>> ".fill-chart-1{fill:#56b4e9}" in rules()
    True
    """
    dark = "".join(
        f".{what}-{name}{{{what}:{value}}}"
        for name, value in DARK.items()
        for what in ("fill", "stroke", "color")
    )
    return f"@media (prefers-color-scheme: dark){{{dark}}}"
