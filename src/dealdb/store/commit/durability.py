"""
What an acknowledged change is to survive, beyond the process that made it.

The server answers on the connection that wrote: WAITAOF, whether it is on its disk; WAIT, how many replicas have it.
Both count what this connection has written, and nothing else: so they go with the commits, on the same socket.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

from dealdb.connection import Link
from dealdb.connection.server.info import ask_config, ask_info
from dealdb.errors import AccessDenied, ConfigError, NotDurable, ServerRefused

# of the time that a socket waits for an answer; the rest is for the way
_SHARE = 0.8
Wait: TypeAlias = tuple[str | int, ...]


class Durability(StrEnum):
    """
    Where a change has to be before it is acknowledged.

    Attributes
    ----------
    MEMORY
        In the server's memory: what its configuration makes of that.
    DISK
        On the server's disk: it survives a power failure, if the disk keeps what it confirms.
    REPLICATED
        In the memory of a replica too: it survives the loss of the server, if the replica takes over.
    """

    MEMORY = "memory"
    DISK = "disk"
    REPLICATED = "replicated"

    @classmethod
    def of(cls, name: str) -> Durability:
        """
        Durability by its name.

        Raises
        ------
        ConfigError
            If there is no durability of that name.

        Examples
        --------
        >>> Durability.of("disk")
        <Durability.DISK: 'disk'>
        """
        try:
            return cls(name)
        except ValueError:
            raise ConfigError(
                f"durability must be memory, disk or replicated: got {name!r}"
            ) from None


def wait_of(link: Link, durability: Durability) -> Wait | None:
    """
    Command that waits for it, behind commits on their connection; None where there is nothing to wait for.

    Raises
    ------
    NotDurable
        If this server can't promise it; nothing was written.

    Cost
    ----
    None for memory, else a round trip or two.
    """
    timeout_ms = max(1, int(_SHARE * 1000 * link.settings.socket_timeout_s))
    match durability:
        case Durability.DISK:
            return ("WAITAOF", 1, 0, timeout_ms) if _asks_for_disk(link) else None
        case Durability.REPLICATED:
            if ask_info(link, "replication").get("connected_slaves") == "0":
                raise NotDurable(
                    f"{link.settings.where} has no replica: durability='replicated' can't be had; nothing was written"
                )
            return ("WAIT", 1, timeout_ms)
    return None


def is_reached(wait: Wait, answer: object) -> bool:
    """Whether the answer to such a command says that the commit is there."""
    if isinstance(answer, list):
        answer = answer[0]
    return isinstance(answer, int) and answer >= int(wait[1])


def _asks_for_disk(link: Link) -> bool:
    """Whether the server has to be asked; one that syncs before each answer has said it with the answer."""
    if ask_info(link, "persistence").get("aof_enabled") == "0":
        raise NotDurable(
            f"{link.settings.where} keeps no append-only file: durability='disk' can't be had; nothing was written; "
            "set appendonly yes"
        )
    try:
        link.call("WAITAOF", 1, 0, 1, retry=True)
    except (ServerRefused, AccessDenied) as refusal:
        # appendfsync may be set where no file is kept, and the refusal be of that
        keeps_a_file = ask_config(link, "appendonly") == "yes"
        if keeps_a_file and ask_config(link, "appendfsync") == "always":
            return False
        raise NotDurable(
            f"{link.settings.where} can't tell what is on its disk: durability='disk' can't be had; nothing was "
            "written; it takes Redis 7.2 or Valkey and the right +waitaof, or appendfsync always"
        ) from refusal
    return True
