"""Files of charts: PNG, SVG, HTML that needs no network, and JSON."""

from __future__ import annotations

import json
from typing import Any

import vl_convert

from dealdb.charts.chart import Chart
from dealdb.charts.vega.drawing import specification
from dealdb.formats.locale import PLAIN, Locale

# twice as many points as pixels, as screens have
_SCALE = 2.0


def picture_bytes(chart: Chart, kind: str, locale: Locale = PLAIN) -> bytes:
    """
    What a file of a chart holds.

    Parameters
    ----------
    chart
        What to draw.
    kind
        ``"png"``, ``"svg"``, ``"html"`` or ``"json"``.
    locale
        How the reader writes numbers and days.
    """
    spec = specification(chart, locale)
    match kind:
        case "png":
            return bytes(vl_convert.vegalite_to_png(spec, scale=_SCALE))
        case "svg":
            return str(vl_convert.vegalite_to_svg(spec)).encode()
        case "html":
            return _page(spec, chart).encode()
    return json.dumps(spec, ensure_ascii=False, indent=1).encode()


def _page(spec: dict[str, Any], chart: Chart) -> str:
    del chart
    return str(vl_convert.vegalite_to_html(spec, bundle=True))
