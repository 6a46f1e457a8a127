"""Files of charts: PNG, SVG, HTML that needs no network, and JSON."""

from __future__ import annotations

import html
import json
from functools import cache
from typing import Any

import vl_convert

from dealdb.charts.chart import Chart
from dealdb.charts.vega.drawing import specification
from dealdb.charts.wording import label_text
from dealdb.formats.locale import PLAIN, Locale

_START = """
const spec = JSON.parse(document.getElementById("spec").textContent);
vegaEmbed("#chart", spec, {renderer: "svg", actions: false});
"""
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)
_PAGE = (
    """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content=\""""
    + _POLICY
    + """">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
</head>
<body>
<div id="chart"></div>
<script type="application/json" id="spec">{data}</script>
<script type="module">{script}</script>
</body>
</html>
"""
)
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
    """A page with the scripts and the chart in it, that asks for nothing from anywhere."""
    # in a script only "<" could end it, and JSON has an escape for that
    data = json.dumps(spec, ensure_ascii=True).replace("<", "\\u003c")
    return _PAGE.format(
        title=html.escape(label_text(chart.title)[:200]), data=data, script=_scripts()
    )


@cache
def _scripts() -> str:
    return str(vl_convert.javascript_bundle(_START)).replace("</script", "<\\/script")
