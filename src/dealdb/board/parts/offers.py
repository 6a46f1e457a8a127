"""Values that other deals have, to be offered where somebody writes one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from dealdb.query import QueryEngine

MOST_OFFERED = 200


def offers(
    query: QueryEngine, names: Sequence[str], known: Collection[str], most: int = MOST_OFFERED
) -> dict[str, list[str]]:
    """
    Values of some columns, the usual ones first; nothing of columns that the deals don't have.

    Examples
    --------
    >>> from dealdb.query import QueryEngine
    >>> reasons = ["Price", "Timing", "Timing", None, ""]
    >>> query = QueryEngine.over(
    ...     {"id": str(n), "loss_reason": each} for n, each in enumerate(reasons)
    ... )
    >>> offers(query, ["loss_reason", "owner"], ["id", "loss_reason"])
    {'loss_reason': ['Timing', 'Price']}
    """
    has = [name for name in names if name in known]
    facets = query.facets(has, limit=most) if has else {}
    return {
        name: [each for each in facet.table["value"].to_list() if each]
        for name, facet in facets.items()
    }
