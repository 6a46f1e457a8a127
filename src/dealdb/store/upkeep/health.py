"""What is said of a collection beside the health of its server."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

from dealdb.connection import ServerHealth
from dealdb.model.notebook import facts_html


@dataclass(frozen=True, slots=True, kw_only=True)
class Health(ServerHealth):
    """
    State of the server, of the connection to it and of the collection.

    Attributes
    ----------
    deals, log_length
        Deals in the collection, and entries in its log; None where they can't be read.
    columns_bytes
        Memory of the collection's columns in this process; None before the first query.
    """

    deals: int | None = None
    log_length: int | None = None
    columns_bytes: int | None = None

    @classmethod
    def of_server(cls, server: ServerHealth) -> Self:
        """The state of a server, with nothing known of a collection yet."""
        return cls(**{field.name: getattr(server, field.name) for field in fields(server)})

    def _repr_html_(self) -> str:
        return facts_html(
            "health", {field.name: getattr(self, field.name) for field in fields(self)}
        )
