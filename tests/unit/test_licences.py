"""The page of licences has what is installed beside dealdb, and no other licence."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from importlib.metadata import metadata, requires
from pathlib import Path

from packaging.requirements import Requirement

PAGE = Path(__file__).parents[2] / "docs" / "licences.md"
# as people write them -> as SPDX does
_SPDX = {
    "MIT License": "MIT",
    "Apache Software License": "Apache-2.0",
    "ISC License": "ISC",
    "ISC License (ISCL)": "ISC",
    # of altair and jinja2, whose texts have three clauses
    "BSD License": "BSD-3-Clause",
}


def needed(name: str, extras: Iterable[str] = ()) -> set[str]:
    """Packages that a package needs here, and those that they need."""
    found: set[str] = set()
    todo = [(name, frozenset(extras))]
    done = set()
    while todo:
        each = todo.pop()
        if each in done:
            continue
        done.add(each)
        for text in requires(each[0]) or ():
            wanted = Requirement(text)
            environments = [{"extra": extra} for extra in ("", *each[1])]
            if wanted.marker is None or any(map(wanted.marker.evaluate, environments)):
                found.add(wanted.name.lower().replace("_", "-"))
                todo.append((wanted.name, frozenset(wanted.extras)))
    return found


def licence_of(name: str) -> str:
    """The licence that a package declares."""
    told = dict(metadata(name).json)
    if expression := told.get("license_expression"):
        return str(expression)
    classes = [each for each in told.get("classifier") or () if each.startswith("License ::")]
    text = (
        classes[0].rpartition(" :: ")[2]
        if classes
        else str(told.get("license") or "").splitlines()[0]
    )
    return _SPDX.get(text, text)


def listed() -> dict[str, str]:
    rows = re.findall(r"^\| ([a-z0-9-]+) \| [^|]+ \| ([A-Za-z0-9. -]+) \|$", PAGE.read_text(), re.M)
    return {name: licence for name, licence in rows if name != "package"}


def test_the_page_has_every_package_with_its_licence() -> None:
    there = {
        name: licence_of(name)
        for name in needed("dealdb", ["sql", "xlsx", "plot", "report", "board"])
    }
    table = listed()
    assert {name: table.get(name) for name in there} == there
    if sys.version_info[:2] == (3, 11):
        # what redis needs of Pythons before that alone
        earlier = {"async-timeout"} if sys.version_info >= (3, 11, 3) else set()
        assert set(table) == {*there, *earlier}
