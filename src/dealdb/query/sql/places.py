"""Places in a statement: DuckDB counts bytes of UTF-8, Python characters."""

from __future__ import annotations

from typing import Any


def offset_of(node: dict[str, Any], statement: str) -> int:
    """Offset in characters of a node; DuckDB counts bytes of UTF-8."""
    return character_offset(node.get("query_location"), statement)


def character_offset(location: object, statement: str) -> int:
    """Offset in characters for one in bytes of UTF-8; 0 where DuckDB knows none."""
    text = statement.encode()
    place = int(location) if isinstance(location, int | str) and str(location).isdigit() else 0
    return len(text[:place].decode(errors="ignore")) if place <= len(text) else 0
