"""
What a server's error replies mean, and what to do about each.

A reply is a word and a text: ``OOM command not allowed when used memory > 'maxmemory'``. A script that meets one
passes it on in the wrapping of its version, which says nothing to anybody who did not write the script.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from redis.exceptions import InvalidResponse


class ReplyBeyondBounds(InvalidResponse):
    """A reply that no server of deals has a reason to send."""


NODE = "it is a node of a cluster: connect by redis+cluster:// and its address"
_GIVE_RIGHTS = (
    "give the rights that docs/operations.md lists; dealdb doctor names those that are missing"
)
# cause and remedy by the reply's word
_MEANINGS = {
    "OOM": "its memory is full: raise maxmemory, or remove what it need not hold",
    "READONLY": "it is a replica, or has become one: connect to the primary",
    "MISCONF": "it can't write to its disk, and takes no changes until it can: free space on it, and look at its log",
    "NOREPLICAS": "fewer replicas are in step than min-replicas-to-write asks for: bring them back, or lower it",
    "MASTERDOWN": "it is a replica that has lost its primary: connect to the primary",
    "LOADING": "it is reading its data from disk: wait until it is done",
    "BUSY": "some client's script has been running for too long: end it with SCRIPT KILL, or wait",
    "UNKILLABLE": "the running script has already written and can't be ended: wait until it is done",
    "NOAUTH": "it wants a login: give a password, or username and password",
    "WRONGPASS": "check user and password",
    "NOPERM": _GIVE_RIGHTS,
    "DENIED": "it has no password and talks only to its own machine: set one on the server (requirepass), "
    "or bind it to an address that you trust",
    "WRONGTYPE": "another program uses this key: choose another collection",
    "EXECABORT": "a command before it in the same transaction was refused: the server's log or a proxy may say why",
    "CLUSTERDOWN": NODE,
    "MOVED": NODE,
    "ASK": NODE,
    "CROSSSLOT": NODE,
    "TRYAGAIN": NODE,
}
# the same for a client that has connected to a cluster
_IN_CLUSTER = {
    "CLUSTERDOWN": "some slots have no node that answers: wait for a replica to take its place, or see CLUSTER INFO",
    "TRYAGAIN": "its keys are on their way to another node: wait until they are there",
    "MOVED": "the nodes don't agree who has the keys: see CLUSTER INFO on each",
    "ASK": "the nodes don't agree who has the keys: see CLUSTER INFO on each",
}
# the same for replies that have no word of their own, by a part of their text
_TELLING_TEXTS = {
    "unknown command": "it is renamed or removed there (rename-command), or this is not a full Redis server: "
    "give the command back, or use a server that has it",
    "unknown redis command": "the command is renamed or removed there (rename-command): give it back",
    "max number of clients": "other connections take all its slots: raise maxclients, or close some",
    "select is not allowed in cluster mode": NODE,
    "db index is out of range": "it has fewer databases: choose a lower db, or raise its setting databases",
    "without any password configured": "it does not ask for a password: leave it out, or set one on the server",
    "no password is set": "it does not ask for a password: leave it out, or set one on the server",
}
_DENIED_TEXTS = ("acl failure in script", "the user executing the script can't")
_BEFORE_SCRIPTS_ERROR = re.compile(
    r"^(?:Error running script \(call to f_[0-9a-f]{40}\): @user_script:\d+: )?(?:@user_script: ?\d+: )?-?"
)
_BEHIND_SCRIPTS_ERROR = re.compile(r" script: (?:[0-9a-f]{40},? )?on @user_script:\d+\.?$")
_WORD = re.compile(r"[A-Z]{2,}(?= |$)")
# the server quotes the arguments of a command that it does not know
_QUOTED_ARGUMENTS = ", with args beginning with"
_SHOWN = 200


class ErrorReply(NamedTuple):
    """
    An error reply.

    Attributes
    ----------
    word
        Its first word, e.g. ``WRONGTYPE``; ``ERR`` for those that have none of their own.
    text
        The whole, word included, without the arguments of the command and without what a script added.
    """

    word: str
    text: str

    @property
    def is_unknown_command(self) -> bool:
        """Whether the server does not know the command."""
        return self.word == "ERR" and "unknown command" in self.text.lower()

    @property
    def is_missing_right(self) -> bool:
        """Whether the user's ACL withholds a command or a key, also from a script."""
        return self.word == "NOPERM" or _has(self.text, _DENIED_TEXTS)

    @property
    def meaning(self) -> str:
        """Cause and remedy; empty where the text has to speak for itself."""
        if self.is_missing_right:
            return _GIVE_RIGHTS
        if self.word in _MEANINGS:
            return _MEANINGS[self.word]
        return next((said for part, said in _TELLING_TEXTS.items() if _has(self.text, [part])), "")

    def explained(self, *, in_cluster: bool = False) -> str:
        """Text, cause and remedy, for people; ``in_cluster`` for those who have connected to one."""
        meaning = _IN_CLUSTER.get(self.word, "") if in_cluster else ""
        meaning = meaning or self.meaning
        # a server's own advice fills a screen, and says how to turn its safeguards off
        text = self.text.partition(". ")[0] if meaning else self.text
        text = text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
        return f"{text}; {meaning}" if meaning else text


def parse_reply(text: str, word: str | None = None) -> ErrorReply:
    """
    An error reply, freed of what a script wraps around it.

    Parameters
    ----------
    text
        What the server said.
    word
        Its first word, where the client has cut it off.

    Examples
    --------
    >>> parse_reply(
    ...     "READONLY You can't write against a read only replica. script: on @user_script:2."
    ... )
    ErrorReply(word='READONLY', text="READONLY You can't write against a read only replica")
    """
    plain = _BEHIND_SCRIPTS_ERROR.sub("", text)
    inner = _BEFORE_SCRIPTS_ERROR.sub("", plain)
    found = _WORD.match(inner) if word is None or inner != plain else None
    inner = inner.partition(_QUOTED_ARGUMENTS)[0].rstrip(". ")
    if found:
        return ErrorReply(found[0], inner)
    word = word or "ERR"
    return ErrorReply(word, inner if inner.startswith(word) else f"{word} {inner}")


def _has(text: str, parts: tuple[str, ...] | list[str]) -> bool:
    lower = text.lower()
    return any(part in lower for part in parts)
