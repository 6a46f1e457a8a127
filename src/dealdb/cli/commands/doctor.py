"""The command ``doctor``: whether settings, server and collection are fit for use, and what to do where not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import typer

from dealdb.cli.output.output import print_rows
from dealdb.cli.output.pager import show
from dealdb.cli.output.streams import Output
from dealdb.cli.session import Session
from dealdb.errors import AccessDenied, ConfigError, ServerRefused, StoreError

if TYPE_CHECKING:
    from dealdb import Danger, DealDatabase, Health
    from dealdb.connection import Link

OLDEST = {"redis": (6, 2), "valkey": (7, 2)}
FORMAT = b"1"
FORMAT_OF_RESTORE = b"restore"
# keys that the search for hashes without a commit looks at
SAMPLE = 5_000
# what docs/operations.md lists, by the keys that each is called on
_ON_COLLECTION = (
    "TYPE", "EXISTS", "GET", "SET", "DEL", "UNLINK", "HGET", "HSET", "HMGET", "HDEL", "HGETALL", "HSCAN",
    "SADD", "SREM", "SMEMBERS", "XADD", "XLEN", "XRANGE", "XTRIM",
)  # fmt: skip
_ON_DEALS = ("TYPE", "EXISTS", "HGET", "HSET", "HMGET", "HDEL", "HGETALL", "DEL", "UNLINK")
# a command and the arguments that make it a whole one; it is not run
_ARGUMENTS = {
    "SET": ("v",), "HGET": ("f",), "HSET": ("f", "v"), "HMGET": ("f",), "HDEL": ("f",), "HSCAN": ("0",),
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


class State(StrEnum):
    """How one thing stands."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """
    One thing that was looked at.

    Attributes
    ----------
    check
        What was looked at.
    state
        ``ok``; ``warn``: it works, and may cost data or time; ``fail``: it will not work.
    found
        What was found.
    advice
        What to do; empty where there is nothing to do.
    """

    check: str
    state: State
    found: str
    advice: str = ""


def doctor(session: Session) -> None:
    """
    Check settings, server, rights and collection.

    It changes nothing. Each line says ok, warn or fail, and what to do. The exit code is 1 when something fails.
    """
    findings = list(_findings(session))
    if session.output is Output.TABLE:
        show([line for finding in findings for line in _lines(finding)])
    else:
        rows = [{**asdict(finding), "state": str(finding.state)} for finding in findings]
        print_rows(rows, ["check", "state", "found", "advice"], session.output)
    if any(finding.state is State.FAIL for finding in findings):
        raise typer.Exit(1)


def _lines(finding: Finding) -> Iterator[str]:
    yield f"{finding.state:<4}  {finding.check:<11}  {finding.found}"
    if finding.advice:
        yield f"{'':<19}-> {finding.advice}"


def _findings(session: Session) -> Iterator[Finding]:
    try:
        with session.open() as db:
            yield from _examine(db, session)
    except (ConfigError, StoreError) as error:
        # a URL that can't be read is for the caller; the embedded server is what this is about
        if session.url is not None:
            raise
        found = (
            f"embedded server, collection {session.collection_name} (from {session.sources['url']})"
        )
        yield Finding(check="settings", state=State.OK, found=found)
        advice = "give --url or DEALDB_URL, or set XDG_DATA_HOME to a folder that can be written"
        yield Finding(check="server", state=State.FAIL, found=str(error), advice=advice)


def _examine(db: DealDatabase, session: Session) -> Iterator[Finding]:
    collection = session.collection_name
    found = (
        f"{db.connection.settings.where}, collection {collection} (from {session.sources['url']})"
    )
    yield Finding(check="settings", state=State.OK, found=found)
    health = db.connection.health()
    if not health.reachable:
        yield _unreachable(db, health)
        return
    if trouble := db.connection.trouble():
        yield Finding(
            check="disk", state=State.FAIL, found=trouble, advice="make room on that disk"
        )
    link = db.connection.link()
    dangers = [_of_danger(danger) for danger in db.connection.dangers()]
    if any(finding.check in _END_OF_LOOKING for finding in dangers):
        # nothing else that could be said of it would be true
        yield from dangers
        return
    hidden = frozenset(name for name, question in _QUESTIONS.items() if _is_hidden(link, question))
    for look in (_version, _memory, _persistence, _role):
        yield look(health, hidden)
    yield Finding(check="pool", state=State.OK, found=f"at most {health.pool_size} connections")
    yield from dangers
    examinations: dict[str, Callable[[Link, str], Finding]] = {
        "server": _answers, "rights": _rights, "format": _format, "hashes": _hashes,
        "log": lambda *_: _log(db), "clock": lambda *_: _clock(db),
    }  # fmt: skip
    for name, examine in examinations.items():
        try:
            yield examine(link, collection)
        except AccessDenied as error:
            advice = "give the rights that docs/operations.md lists"
            yield Finding(check=name, state=State.FAIL, found=str(error), advice=advice)
        except StoreError as error:
            yield Finding(check=name, state=State.FAIL, found=str(error))


# a server that is one of these is no place for deals
_END_OF_LOOKING = ("server", "cluster")
# what managed services often do not let anybody ask
_QUESTIONS = {"INFO": ("INFO", "server"), "CONFIG": ("CONFIG", "GET", "save")}


def _unreachable(db: DealDatabase, health: Health) -> Finding:
    found = "; ".join(health.warnings) or "no answer"
    advice = "is a server running there? check host, port, TLS, password and firewall"
    with suppress(StoreError):
        # one that answers is there, and has said what it will not do
        db.connection.ping()
        advice = ""
    return Finding(check="server", state=State.FAIL, found=found, advice=advice)


def _of_danger(danger: Danger) -> Finding:
    state = State.FAIL if danger.grave else State.WARN
    return Finding(check=danger.check, state=state, found=danger.found, advice=danger.advice)


def _is_hidden(link: Link, question: tuple[str, ...]) -> bool:
    """Whether the server has no such command, rather than withhold the right to it."""
    try:
        link.call(*question, retry=True)
    except StoreError as error:
        return isinstance(error, ServerRefused) and "unknown command" in str(error)
    return False


def _answers(link: Link, _: str) -> Finding:
    # also tells that its disk is full
    began = time.perf_counter()
    link.call("PING", retry=True)
    milliseconds = (time.perf_counter() - began) * 1000
    return Finding(check="server", state=State.OK, found=f"answers in {milliseconds:.2f} ms")


def _version(health: Health, hidden: frozenset[str]) -> Finding:
    found = f"{health.flavor or 'unknown'} {health.version or ''}".strip()
    oldest = OLDEST.get(health.flavor or "")
    if oldest is None or not health.version:
        advice = f"{_ask(hidden)}, or see that it is Redis 6.2, Valkey 7.2 or later"
        return Finding(check="version", state=State.WARN, found=found, advice=advice)
    if tuple(map(int, health.version.split(".")[:2])) >= oldest:
        return Finding(check="version", state=State.OK, found=found)
    advice = f"upgrade it to {health.flavor} {'.'.join(map(str, oldest))} or later"
    return Finding(check="version", state=State.FAIL, found=found, advice=advice)


def _memory(health: Health, hidden: frozenset[str]) -> Finding:
    policy = health.memory_policy
    if policy is None:
        return Finding(check="eviction", state=State.WARN, found="unknown", advice=_ask(hidden))
    limit = f"limit {health.memory_max_bytes:,} bytes" if health.memory_max_bytes else "no limit"
    found = f"{policy}, {limit}"
    if not policy.startswith("allkeys"):
        return Finding(check="eviction", state=State.OK, found=found)
    state = State.FAIL if health.memory_max_bytes else State.WARN
    advice = "the server may remove deals: set maxmemory-policy noeviction"
    return Finding(check="eviction", state=state, found=found, advice=advice)


def _persistence(health: Health, hidden: frozenset[str]) -> Finding:
    found = health.persistence
    if found.startswith("aof") and not found.startswith("aof no"):
        return Finding(check="persistence", state=State.OK, found=found)
    advice = {
        "none": "a restart loses every deal: set appendonly yes",
        "unknown": _ask(hidden) if hidden else "give +info and +config|get (+config on Redis 6.2)",
        "rdb": "a crash loses what came after the last snapshot: set appendonly yes",
    }.get(found, "a crash loses the last half minute: set appendfsync everysec")
    return Finding(check="persistence", state=State.WARN, found=found, advice=advice)


def _role(health: Health, hidden: frozenset[str]) -> Finding:
    if health.role == "slave":
        advice = "it refuses changes and lags behind: use its primary"
        return Finding(check="role", state=State.FAIL, found="replica", advice=advice)
    if health.role is None:
        return Finding(check="role", state=State.WARN, found="unknown", advice=_ask(hidden))
    return Finding(check="role", state=State.OK, found="primary")


def _ask(hidden: frozenset[str]) -> str:
    """How to learn what could not be asked."""
    if not hidden:
        return "give +info"
    names = " and ".join(sorted(hidden))
    return f"this server has no {names}, as managed services do: its console tells"


def _rights(link: Link, collection: str) -> Finding:
    wanted = [
        " ".join((command, key, *_ARGUMENTS.get(command, ())))
        for key, commands in (
            (f"{collection}s:doctor", _ON_COLLECTION),
            (f"{collection}:doctor", _ON_DEALS),
        )
        for command in commands
    ]
    wanted += [
        f"XREAD STREAMS {collection}s:doctor 0",
        "SCAN 0",
        "TIME",
        "PING",
        "SELECT 0",
        "EVALSHA x 0",
    ]
    told = link.call("EVAL", _RIGHTS, 0, "\n".join(wanted), retry=True)
    unknown = _names(told[1]) if told else _unknown(link)
    if unknown:
        found = f"this server does not know {', '.join(unknown)}"
        advice = "they are renamed or removed (rename-command): give them back, or use a server that has them"
        return Finding(check="rights", state=State.FAIL, found=found, advice=advice)
    if told is None:
        found = "this server can't tell which rights a user has; Redis 7 can"
        return Finding(check="rights", state=State.OK, found=found)
    names = _names(told[0])
    if not names:
        return Finding(check="rights", state=State.OK, found="all that dealdb needs")
    advice = f"ACL SETUSER name ~{collection}:* ~{collection}s:* {' '.join('+' + n for n in names)}"
    found = f"missing for the keys of {collection}: {', '.join(names)}"
    return Finding(check="rights", state=State.FAIL, found=found, advice=advice)


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


def _clock(db: DealDatabase) -> Finding:
    found = db.check_clock()
    if found is None:
        return Finding(check="clock", state=State.OK, found="no commit of the future")
    said, _, follows = found.partition("; ")
    return Finding(check="clock", state=State.WARN, found=said, advice=follows)


def _format(link: Link, collection: str) -> Finding:
    try:
        found = link.call("HGET", f"{collection}s:meta", "format", retry=True)
    except ServerRefused as error:
        if error.reply != "WRONGTYPE":
            raise
        advice = "another program uses this key: choose another --collection"
        return Finding(check="format", state=State.FAIL, found=str(error), advice=advice)
    if found in (None, FORMAT):
        text = "nothing saved yet" if found is None else found.decode()
        return Finding(check="format", state=State.OK, found=text)
    advice = "a newer dealdb wrote this collection: upgrade dealdb"
    if found == FORMAT_OF_RESTORE:
        advice = "a restore is under way, or did not come to its end: wait for it, or run dealdb restore again"
    return Finding(
        check="format", state=State.FAIL, found=found.decode(errors="replace"), advice=advice
    )


def _log(db: DealDatabase) -> Finding:
    trouble = db.check_log()
    if trouble is None:
        return Finding(check="log", state=State.OK, found="goes as far as the deals")
    found, _, advice = trouble.rpartition("; ")
    return Finding(check="log", state=State.FAIL, found=found, advice=advice)


def _hashes(link: Link, collection: str) -> Finding:
    """Deals that carry no row number have never been in a commit; looks at some thousand keys only."""
    cursor, seen, strange = b"0", 0, 0
    while True:
        cursor, keys = link.call(
            "SCAN", cursor, "MATCH", f"{collection}:*", "COUNT", 1000, "TYPE", "hash", retry=True
        )
        seen += len(keys)
        strange += link.calls([("HGET", key, "_row") for key in keys], retry=True).count(None)
        if cursor == b"0" or seen >= SAMPLE:
            break
    some = "" if cursor == b"0" else f"the first {seen:,}: "
    if not strange:
        found = f"{some}{seen:,} deals, all in the log"
        return Finding(check="hashes", state=State.OK, found=found)
    advice = "other programs saved them: dealdb check tells more, dealdb repair adopts them"
    found = f"{some}{strange:,} of {seen:,} deals are not in the log"
    return Finding(check="hashes", state=State.WARN, found=found, advice=advice)
