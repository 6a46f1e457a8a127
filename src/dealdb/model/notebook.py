"""What reports look like in a notebook."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from dataclasses import fields


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


class InNotebook:
    """
    A dataclass that a notebook shows as a table of its fields.

    Of things that are no texts or numbers it says how many there are: what they hold is theirs to show.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class Wrote(InNotebook):
    ...     rows: int
    ...     files: tuple[str, ...]
    >>> Wrote(1200, ("<a>",))._repr_html_()
    '<p>Wrote</p><table><tr><th>rows</th><td>1,200</td></tr><tr><th>files</th><td>&lt;a&gt;</td></tr></table>'
    """

    __slots__ = ()

    def _repr_html_(self) -> str:
        names = [each.name for each in fields(self)]  # type: ignore[arg-type]  # of a dataclass
        return facts_html(
            type(self).__name__, {name: _counted(getattr(self, name)) for name in names}
        )


def _counted(value: object) -> object:
    if isinstance(value, list | tuple) and not all(isinstance(each, str | int) for each in value):
        return len(value)
    return value
