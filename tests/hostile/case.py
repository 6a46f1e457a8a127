"""A hostile case: what somebody sends in, and the bounds that it has to keep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import redis

    from dealdb import DealDatabase


@dataclass(frozen=True)
class World:
    """
    What a case works with.

    Attributes
    ----------
    url
        Database of a server that nobody else uses; empty.
    folder
        Empty folder; the working directory.
    """

    url: str
    folder: Path

    def database(self, **settings: object) -> DealDatabase:
        """A new database on the server."""
        from dealdb import DealDatabase

        return DealDatabase.from_url(self.url, **settings)  # type: ignore[arg-type]

    def client(self) -> redis.Redis:
        """Another program."""
        import redis

        return redis.Redis.from_url(self.url, protocol=2)


Attack = Callable[[World], None]
Prepare = Callable[[Path], None]


@dataclass(frozen=True)
class Case:
    """
    One case.

    Attributes
    ----------
    name
        What is sent in, in a few words.
    attack
        Does it, and asserts what has to come of it; whatever else it raises is a failure.
    memory_mb
        Resident memory that the process may reach, together with its children.
    seconds
        Processor time that it may take, with the start of Python.
    slow
        Whether the default run of the tests leaves it out.
    prepare
        Makes files in the folder of the case beforehand, in the process that watches: their making counts for nothing.
    """

    name: str
    attack: Attack
    memory_mb: int
    seconds: float
    slow: bool = False
    prepare: Prepare | None = None


CASES: dict[str, Case] = {}


def case(
    name: str,
    *,
    memory_mb: int = 600,
    seconds: float = 10,
    slow: bool = False,
    prepare: Prepare | None = None,
) -> Callable[[Attack], Attack]:
    """Make a function a case."""

    def register(attack: Attack) -> Attack:
        if name in CASES:
            msg = f"two cases are named {name!r}"
            raise ValueError(msg)
        CASES[name] = Case(name, attack, memory_mb, seconds, slow, prepare)
        return attack

    return register
