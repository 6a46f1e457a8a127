"""Writes ``docs/api.md`` from the docstrings: ``python tools/api_page.py [--check] docs/api.md``."""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from enum import Enum
from functools import cached_property
from pathlib import Path

import dealdb
from dealdb.analytics import Analytics
from dealdb.connection import RedisConnection
from dealdb.loader import DataLoader
from dealdb.query import QueryEngine

_HEAD = """\
# API

Made by `make docs` from the docstrings, which say more: parameters, errors, cost in round trips, examples. To see one:
`help(dealdb.DealDatabase.save_deal)`. Names are imported as `from dealdb import DealDatabase`.

What is on this page is the public interface; all other names may change at any time. Of what programs construct
themselves, the arguments are shown; of the rest, the attributes.
"""
_CONSTRUCTED = (dealdb.DealDatabase, dealdb.Field, dealdb.Pipeline, dealdb.Stage)
# what callers reach as attributes of a database, and don't construct
_PARTS = {
    "db.connection": RedisConnection,
    "db.loader": DataLoader,
    "db.query": QueryEngine,
    "db.analytics": Analytics,
}
_ERRORS = """
## Errors

[Errors](errors.md) has the tree, and cause and remedy of each.

| error | code | meaning |
|---|---|---|
"""


def page() -> str:
    """Text of the page."""
    named = [getattr(dealdb, name) for name in dealdb.__all__]
    public = [thing for thing in named if inspect.isclass(thing)]
    functions = [thing for thing in named if not inspect.isclass(thing)]
    errors = [thing for thing in public if issubclass(thing, dealdb.DealDBError)]
    first = (dealdb.DealDatabase, dealdb.DealView)
    rest = [thing for thing in public if thing not in {*first, *errors}]
    sections = [
        _section("DealDatabase", dealdb.DealDatabase),
        *(_section(f"{name}: {part.__name__}", part) for name, part in _PARTS.items()),
        _section("DealView", dealdb.DealView),
        *(_section(thing.__name__, thing) for thing in rest),
        "\n## Functions\n\n",
        *(f"- `{each.__name__}{_arguments(each)}`: {_summary(each)}\n" for each in functions),
    ]
    rows = [f"| `{kind.__name__}` | `{kind.code}` | {_cell(_summary(kind))} |" for kind in errors]
    return _HEAD + "".join(sections) + _ERRORS + "\n".join(rows) + "\n"


def _section(title: str, thing: type) -> str:
    lines = [f"\n## {title}\n"]
    if thing in _CONSTRUCTED:
        call = textwrap.fill(f"{thing.__name__}{_arguments(thing)}", 100, subsequent_indent="    ")
        lines.append(f"```python\n{call}\n```\n")
    lines.append(f"{_summary(thing)}\n")
    if issubclass(thing, Enum):
        lines.append(f"Members: {', '.join(f'`{member.name}`' for member in thing)}.\n")
    items = [*_attributes(thing), *_members(thing)]
    return "\n".join(lines) + ("\n" + "\n".join(items) + "\n" if items else "")


def _attributes(thing: type) -> Iterator[str]:
    """A line for each entry of the docstring's section Attributes, without those that are properties."""
    text = inspect.getdoc(thing) or ""
    found = re.search(r"^Attributes\n-+\n(.*?)(?=\n\n\S[^\n]*\n-+\n|\Z)", text, flags=re.M | re.S)
    entries = re.findall(r"^(\S[^\n]*)\n((?:    [^\n]*\n?|\n)+)", found[1] if found else "", re.M)
    for names, description in entries:
        shown = ", ".join(f"`{name}`" for name in names.split(", "))
        yield f"- {shown}: {_on_one_line(description)}"


def _members(thing: type) -> Iterator[str]:
    """A line for each public method and property, in the order of the source."""
    named = " ".join(_attributes(thing))
    for name, value in _own(thing):
        if isinstance(value, property | cached_property):
            if f"`{name}`" not in named:
                yield f"- `{name}`: {_summary(value)}"
            continue
        prefix = f"{thing.__name__}." if isinstance(value, classmethod | staticmethod) else ""
        method = getattr(thing, name)
        yield f"- `{prefix}{name}{_arguments(method)}`: {_summary(method)}"


def _own(thing: type) -> Iterator[tuple[str, object]]:
    """Public methods and properties of the class and its bases, as far as they are dealdb's."""
    seen = set()
    for base in thing.__mro__:
        if not base.__module__.startswith("dealdb"):
            continue
        for name, value in vars(base).items():
            wanted = isinstance(value, property | cached_property | classmethod | staticmethod)
            if name in seen or name.startswith("_") or not (wanted or inspect.isfunction(value)):
                continue
            seen.add(name)
            yield name, value


def _arguments(thing: Callable[..., object]) -> str:
    """Arguments with their defaults, and what comes back; types of arguments are in the docstring."""
    signature = inspect.signature(thing)
    bare = [
        each.replace(annotation=inspect.Parameter.empty, default=_plain(each.default))
        for each in signature.parameters.values()
        if each.name not in {"self", "cls"}
    ]
    returned = "" if inspect.isclass(thing) else f" -> {signature.return_annotation}"
    return str(inspect.Signature(bare)) + returned


def _plain(default: object) -> object:
    """Value as callers write it: the text of a member of an enumeration."""
    return default.value if isinstance(default, Enum) else default


def _summary(thing: object) -> str:
    """First paragraph of the docstring."""
    return _on_one_line((inspect.getdoc(thing) or "").split("\n\n")[0])


def _on_one_line(text: str) -> str:
    return " ".join(text.split()).replace("``", "`")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _run(arguments: list[str]) -> int:
    path = Path(arguments[-1])
    if "--check" not in arguments:
        path.write_text(page(), encoding="utf-8")
    elif not path.exists() or path.read_text(encoding="utf-8") != page():
        print(f"{path} does not match the docstrings: run make docs", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_run(sys.argv[1:]))
