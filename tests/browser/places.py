"""The addresses of all pages, and what axe-core says of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from browser.chromium import axe_source
from dealdb.board.pages.all import PAGES

if TYPE_CHECKING:
    from browser.visit import Visit

# a page that says what is wrong; answered with this status
WRONG_FILTER = "/deals?where=stag+%3D+1"
NO_DEAL = "/deals/none-such"
# the sum and the part of a bar with one mark are drawn apart, and axe-core does not find them in its name
KNOWN: set[tuple[str, str]] = set()
# each with the status that it is answered with
ERRORS = {WRONG_FILTER: 400, NO_DEAL: 404}


def paths(deal: str) -> list[str]:
    """Every page of the board that needs no more than an address; those of a deal are of this one."""
    known = {"{id}": deal, "{metric}": "win-rate"}
    found = []
    for page in PAGES:
        path = page.path
        for name, value in known.items():
            path = path.replace(name, value)
        if "{" not in path:
            found.append(path)
    return [*found, f"/deals/{deal}?as_of=2020-01-01", "/deals?where=amount+%3E+50000", "/login"]


def serious_faults(visit: Visit) -> list[str]:
    """
    What axe-core calls serious or critical in a page as it is now, each with the elements and why.

    Its contrasts and roles are of the page that is rendered, in the scheme of the window.
    """
    page = visit.page
    if not page.evaluate("'axe' in window"):
        page.evaluate(axe_source())
    found: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{visit.path}: {rule['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
        for rule in found["violations"]
        if rule["impact"] in ("serious", "critical") and (visit.path, rule["id"]) not in KNOWN
        for node in rule["nodes"]
    ]
