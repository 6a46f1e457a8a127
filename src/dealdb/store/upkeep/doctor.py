"""
What a doctor looks at: whether a server and a collection on it are fit for use, and what to do if not.

It changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from dealdb.connection import Danger, Link, ServerHealth
from dealdb.connection.server.health import ping
from dealdb.connection.server.info import is_denied
from dealdb.connection.server.nodes import dangers_of_all
from dealdb.errors import AccessDenied, ServerRefused, StoreError
from dealdb.store.hashes import scan_names
from dealdb.store.history.damage import damage_of, log_is_gone, missing_commits, sealed_damage
from dealdb.store.history.state import trouble_of
from dealdb.store.keys import FORMAT_OF_RESTORE, FORMATS, Keys
from dealdb.store.upkeep.ahead import log_ahead
from dealdb.store.upkeep.clock import times_to_come
from dealdb.store.upkeep.health import Finding, State, of_server

__all__ = ["SAMPLE", "Finding", "State", "examined", "findings"]

# keys that the search for hashes without a commit looks at
SAMPLE = 5_000
# what docs/operations.md lists, by the keys that each is called on
_ON_COLLECTION = (
    "TYPE", "EXISTS", "GET", "GETRANGE", "SET", "DEL", "UNLINK", "HGET", "HSET", "HMGET", "HDEL", "HGETALL", "HSCAN",
    "SADD", "SREM", "SMEMBERS", "XADD", "XLEN", "XRANGE", "XTRIM",
)  # fmt: skip
_ON_DEALS = ("TYPE", "EXISTS", "HGET", "HSET", "HMGET", "HDEL", "HGETALL", "DEL", "UNLINK")
_NEW_LOG = (
    "restore a backup; or DEL {log}, which starts a new log: deals stay as the hashes have them, and the "
    "history since the last checkpoint is lost"
)
_GONE_LOG = (
    "restore a backup; or go on: the next query begins a new log, deals stay as the hashes have them, and the history "
    "since the last checkpoint is lost"
)
# a command and the arguments that make it a whole one; it is not run
_ARGUMENTS = {
    "GETRANGE": ("0", "1"), "SET": ("v",),
    "HGET": ("f",), "HSET": ("f", "v"), "HMGET": ("f",), "HDEL": ("f",), "HSCAN": ("0",),
    "SADD": ("m",), "SREM": ("m",), "XADD": ("*", "f", "v"), "XRANGE": ("-", "+"), "XTRIM": ("MAXLEN", "1"),
}  # fmt: skip
# asks for the rights of the user that runs it; the servers before Redis 7 can't tell
_RIGHTS = """
if not redis.acl_check_cmd then return false end
local missing, unknown = {}, {}
for line in string.gmatch(ARGV[1], '[^\\n]+') do
  local words = {}
  for word in string.gmatch(line, '%S+') do words[#words + 1] = word end
  -- it fails for a command that is renamed or removed
  local known, allowed = pcall(redis.acl_check_cmd, unpack(words))
  if not known then unknown[#unknown + 1] = words[1]
  elseif not allowed then missing[#missing + 1] = words[1] end
end
return {missing, unknown}
"""


def findings(
    link: Link, keys: Keys, health: ServerHealth, trouble: str | None
) -> Iterator[Finding]:
    """
    What there is to say of a server and of a collection on it, one thing after the other.

    Parameters
    ----------
    link
        To the database of the collection.
    keys
        Of the collection.
    health
        What the server has just said of itself.
    trouble
        What keeps the server from its work where it can't say so itself, or None.

    Raises
    ------
    StoreError
        If the server goes away before it has said what threatens it; later ones are findings.

    Cost
    ----
    Some thirty round trips, one for every MiB of the log, and one for every field of the facts that are kept.
    """
    if not health.reachable:
        yield _unreachable(link, health)
        return
    if trouble:
        yield Finding.fail("disk", trouble, "make room on that disk")
    dangers = [_of_danger(danger) for danger in dangers_of_all(link)]
    if not health.nodes and any(finding.check in _END_OF_LOOKING for finding in dangers):
        # nothing else that could be said of it would be true
        yield from dangers
        return
    hidden = frozenset(name for name, question in _QUESTIONS.items() if _is_hidden(link, question))
    yield from of_server(health, hidden)
    yield Finding.ok("pool", f"at most {health.pool_size} connections")
    yield from dangers
    yield from examined(link, keys, _EXAMINATIONS)


def examined(link: Link, keys: Keys, names: Iterable[str] = ()) -> Iterator[Finding]:
    """What there is to say of a collection alone, or of a part of one; by default of what it holds. Changes nothing."""
    for name in names or _OF_CONTENTS:
        examine = _EXAMINATIONS[name]
        try:
            yield examine(link, keys)
        except AccessDenied as error:
            yield Finding.fail(name, str(error), "give the rights that docs/operations.md lists")
        except StoreError as error:
            yield Finding.fail(name, str(error))


# what may be damaged, or by somebody else
_OF_CONTENTS = ("format", "hashes", "log", "history", "facts")
# a server that is one of these can't hold deals
_END_OF_LOOKING = ("server", "cluster")
# what managed services often do not let anybody ask
_QUESTIONS = {"INFO": ("INFO", "server"), "CONFIG": ("CONFIG", "GET", "save")}


def _unreachable(link: Link, health: ServerHealth) -> Finding:
    found = "; ".join(health.warnings) or "no answer"
    advice = "is a server running there? check host, port, TLS, password and firewall"
    with suppress(StoreError):
        # one that answers is there, and has said what it will not do
        ping(link)
        advice = ""
    return Finding.fail("server", found, advice)


def _of_danger(danger: Danger) -> Finding:
    state = State.FAIL if danger.grave else State.WARN
    return Finding(check=danger.check, state=state, found=danger.found, advice=danger.advice)


def _is_hidden(link: Link, question: tuple[str, ...]) -> bool:
    """Whether the server has no such command, rather than withhold the right to it."""
    if is_denied(link, question[0]):
        return False
    try:
        link.call(*question, retry=True)
    except StoreError as error:
        return isinstance(error, ServerRefused) and "unknown command" in str(error)
    return False


def _answers(link: Link, _: Keys) -> Finding:
    # also says that its disk is full
    began = time.perf_counter()
    link.call("PING", retry=True)
    milliseconds = (time.perf_counter() - began) * 1000
    return Finding.ok("server", f"answers in {milliseconds:.2f} ms")


def _rights(link: Link, keys: Keys) -> Finding:
    own, deal = f"{keys.own_prefix}doctor", keys.deal("doctor")
    wanted = [
        " ".join((command, key, *_ARGUMENTS.get(command, ())))
        for key, commands in ((own, _ON_COLLECTION), (deal, _ON_DEALS))
        for command in commands
    ]
    wanted += [f"XREAD STREAMS {own} 0", "SCAN 0", "TIME", "PING", "SELECT 0", "EVALSHA x 0"]
    told = link.call("EVAL", _RIGHTS, 0, "\n".join(wanted), retry=True)
    unknown = _names(told[1]) if told else _unknown(link)
    if unknown:
        found = f"this server does not know {', '.join(unknown)}"
        advice = "they are renamed or removed (rename-command): give them back, or use a server that has them"
        return Finding.fail("rights", found, advice)
    if told is None:
        found = "this server can't tell which rights a user has; Redis 7 can"
        return Finding.ok("rights", found)
    names = _names(told[0])
    if not names:
        return Finding.ok("rights", "all that dealdb needs")
    rights = " ".join("+" + name for name in names)
    advice = f"ACL SETUSER name ~{keys.deal_prefix}* ~{keys.own_prefix}* {rights}"
    found = f"missing for the keys of {keys.collection}: {', '.join(names)}"
    return Finding.fail("rights", found, advice)


def _names(words: list[bytes]) -> list[str]:
    return list(dict.fromkeys(word.decode().lower() for word in words))


def _unknown(link: Link) -> list[str]:
    """Commands that dealdb needs and the server does not have, as far as it lets this user ask."""
    wanted = list(
        dict.fromkeys((*_ON_COLLECTION, *_ON_DEALS, "XREAD", "SCAN", "TIME", "SELECT", "EVALSHA"))
    )
    try:
        found = link.call("COMMAND", "INFO", *wanted, retry=True)
    except (AccessDenied, ServerRefused):
        return []
    return [name.lower() for name, known in zip(wanted, found, strict=True) if known is None]


def _clock(link: Link, keys: Keys) -> Finding:
    found = times_to_come(link, keys)
    if found is None:
        return Finding.ok("clock", "no commit in the future")
    said, _, follows = found.partition("; ")
    return Finding.warn("clock", said, follows)


def _format(link: Link, keys: Keys) -> Finding:
    try:
        found = link.call("HGET", keys.meta, "format", retry=True)
    except ServerRefused as error:
        if error.reply != "WRONGTYPE":
            raise
        advice = "another program uses this key: choose another --collection"
        return Finding.fail("format", str(error), advice)
    if found in (None, *FORMATS):
        if trouble := trouble_of(link, keys):
            advice = "dealdb repair makes it again from the log"
            return Finding.fail("format", trouble, advice)
        text = "nothing saved yet" if found is None else found.decode()
        return Finding.ok("format", text)
    advice = "a newer dealdb wrote this collection: upgrade dealdb"
    if found == FORMAT_OF_RESTORE:
        advice = (
            "a restore is under way, or did not finish: wait for it, or run dealdb restore again"
        )
    return Finding.fail("format", found.decode(errors="replace"), advice)


def _log(link: Link, keys: Keys) -> Finding:
    if damage := damage_of(link, keys):
        found, _, _ = damage.partition("; dealdb doctor")
        return Finding.fail("log", found, _NEW_LOG.format(log=keys.log))
    if log_is_gone(link, keys):
        return Finding.warn("log", f"{keys.log!r} is gone, and there are commits", _GONE_LOG)
    trouble = log_ahead(link, keys)
    if trouble is None:
        return Finding.ok("log", "can be read, and goes as far as the deals")
    found, _, advice = trouble.rpartition("; ")
    return Finding.fail("log", found, advice)


def _hashes(link: Link, keys: Keys) -> Finding:
    """Deals that carry no row number have never been in a commit; looks at some thousand keys only."""
    seen: set[bytes] = set()
    strange, some = 0, ""
    for names in scan_names(link, keys):
        if len(seen) >= SAMPLE:
            some = f"the first {len(seen):,}: "
            break
        # one may come twice
        news = set(names) - seen
        seen |= news
        strange += link.calls([("HGET", name, "_row") for name in news], retry=True).count(None)
    if not strange:
        return Finding.ok("hashes", f"{some}{len(seen):,}, all in the log")
    found = f"{some}{strange:,} of {len(seen):,} not in the log"
    if link.call("HGET", keys.meta, "adopted", retry=True):
        advice = "other programs saved them: dealdb check says more, dealdb repair adopts them"
    else:
        advice = "another program's: reads show them and write nothing; dealdb repair --adopt adopts them"
    return Finding.warn("hashes", found, advice)


def _history(link: Link, keys: Keys) -> Finding:
    damage, found = sealed_damage(link, keys)
    missing = missing_commits(link, keys) if damage is None else None
    if damage is None and missing is None:
        return Finding.ok("history", found)
    advice = "restore a backup; the deals as they are stay readable"
    made = Finding.warn if damage is None else Finding.fail
    return made("history", damage or missing or "", advice)


def _facts(link: Link, keys: Keys) -> Finding:
    # not at the top: Polars takes longer to import than the rest takes to look at
    from dealdb.store.facts.rebuild import state_of_facts

    is_well, found = state_of_facts(link, keys)
    if is_well:
        return Finding.ok("facts", found)
    return Finding.warn("facts", found, "dealdb repair --facts makes them from the log")


_EXAMINATIONS: dict[str, Callable[[Link, Keys], Finding]] = {
    "server": _answers,
    "rights": _rights,
    "format": _format,
    "hashes": _hashes,
    "log": _log,
    "history": _history,
    "facts": _facts,
    "clock": _clock,
}
