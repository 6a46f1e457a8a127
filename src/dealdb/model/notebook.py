"""What reports look like in a notebook."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping


def facts_html(title: str, facts: Mapping[str, object], notes: Iterable[str] = ()) -> str:
    """
    Facts as a table of two columns, and notes as a list below it; no text in them is taken for markup.

    Examples
    --------
    >>> facts_html("a & b", {"read": 1200}, ["x < y"])
    '<p>a &amp; b</p><table><tr><th>read</th><td>1,200</td></tr></table><ul><li>x &lt; y</li></ul>'
    """
    rows = "".join(
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(_shown(value))}</td></tr>"
        for name, value in facts.items()
    )
    lines = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
    return f"<p>{html.escape(title)}</p><table>{rows}</table>" + (
        f"<ul>{lines}</ul>" if lines else ""
    )


def _shown(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"
        case list() | tuple():
            return ", ".join(map(_shown, value)) or "-"
        case Mapping():
            return ", ".join(f"{name}: {_shown(inner)}" for name, inner in value.items()) or "-"
    return str(value)
