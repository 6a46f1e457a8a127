"""The command ``doctor``: whether settings, server and collection are fit for use, and what to do where not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import typer

from dealdb.cli.context import Output, Session
from dealdb.cli.output import print_rows
from dealdb.cli.pager import show
from dealdb.errors import AccessDenied, ServerRefused, StoreError

if TYPE_CHECKING:
    from dealdb import DealDatabase, Health
    from dealdb.connection import Link

OLDEST = {"redis": (6, 2), "valkey": (7, 2)}
FORMAT = b"1"
FORMAT_OF_RESTORE = b"restore"
# keys that the search for hashes without a commit looks at
SAMPLE = 5_000
# what docs/operations.md lists, by the keys that each is called on
_ON_COLLECTION = (
    "TYPE", "EXISTS", "GET", "SET", "DEL", "UNLINK", "HGET", "HSET", "HMGET", "HDEL", "HGETALL",
    "SADD", "SREM", "SMEMBERS", "XADD", "XLEN", "XRANGE", "XTRIM",
)  # fmt: skip
_ON_DEALS = ("TYPE", "EXISTS", "HGET", "HSET", "HMGET", "HDEL", "HGETALL", "DEL", "UNLINK")
# a command and the arguments that make it a whole one; it is not run
_ARGUMENTS = {
    "SET": ("v",), "HGET": ("f",), "HSET": ("f", "v"), "HMGET": ("f",), "HDEL": ("f",),
    "SADD": ("m",), "SREM": ("m",), "XADD": ("*", "f", "v"), "XRANGE": ("-", "+"), "XTRIM": ("MAXLEN", "1"),
}  # fmt: skip
# asks for the rights of the user that runs it; the servers before Redis 7 can't tell
_RIGHTS = """
if not redis.acl_check_cmd then return false end
local missing = {}
for line in string.gmatch(ARGV[1], '[^\\n]+') do
  local words = {}
  for word in string.gmatch(line, '%S+') do words[#words + 1] = word end
  if not redis.acl_check_cmd(unpack(words)) then missing[#missing + 1] = words[1] end
end
return missing
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
    with session.open() as db:
        findings = list(_examine(db, session))
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


def _examine(db: DealDatabase, session: Session) -> Iterator[Finding]:
    collection = session.collection_name
    found = (
        f"{db.connection.settings.where}, collection {collection} (from {session.sources['url']})"
    )
    yield Finding(check="settings", state=State.OK, found=found)
    health = db.connection.health()
    if not health.reachable:
        found = "; ".join(health.warnings) or "no answer"
        advice = "is a server running there? check host, port, TLS, password and firewall"
        yield Finding(check="server", state=State.FAIL, found=found, advice=advice)
        return
    for look in (_version, _memory, _persistence, _role, _pool):
        yield look(health)
    link = db.connection.link()
    examinations: dict[str, Callable[[Link, str], Finding]] = {
        "server": _answers, "rights": _rights, "format": _format, "hashes": _hashes,
    }  # fmt: skip
    for name, examine in examinations.items():
        try:
            yield examine(link, collection)
        except AccessDenied as error:
            advice = "give the rights that docs/operations.md lists"
            yield Finding(check=name, state=State.FAIL, found=str(error), advice=advice)
        except StoreError as error:
            yield Finding(check=name, state=State.FAIL, found=str(error))


def _answers(link: Link, _: str) -> Finding:
    # also tells that its disk is full
    began = time.perf_counter()
    link.call("PING", retry=True)
    milliseconds = (time.perf_counter() - began) * 1000
    return Finding(check="server", state=State.OK, found=f"answers in {milliseconds:.2f} ms")


def _version(health: Health) -> Finding:
    found = f"{health.flavor or 'unknown'} {health.version or ''}".strip()
    oldest = OLDEST.get(health.flavor or "")
    if oldest is None or not health.version:
        advice = (
            "the user may not ask: give +info, or see that it is Redis 6.2, Valkey 7.2 or later"
        )
        return Finding(check="version", state=State.WARN, found=found, advice=advice)
    if tuple(map(int, health.version.split(".")[:2])) >= oldest:
        return Finding(check="version", state=State.OK, found=found)
    advice = f"upgrade it to {health.flavor} {'.'.join(map(str, oldest))} or later"
    return Finding(check="version", state=State.FAIL, found=found, advice=advice)


def _memory(health: Health) -> Finding:
    policy = health.memory_policy
    if policy is None:
        return Finding(check="eviction", state=State.WARN, found="unknown", advice="give +info")
    limit = f"limit {health.memory_max_bytes:,} bytes" if health.memory_max_bytes else "no limit"
    found = f"{policy}, {limit}"
    if not policy.startswith("allkeys"):
        return Finding(check="eviction", state=State.OK, found=found)
    state = State.FAIL if health.memory_max_bytes else State.WARN
    advice = "the server may remove deals: set maxmemory-policy noeviction"
    return Finding(check="eviction", state=state, found=found, advice=advice)


def _persistence(health: Health) -> Finding:
    found = health.persistence
    if found.startswith("aof") and not found.startswith("aof no"):
        return Finding(check="persistence", state=State.OK, found=found)
    advice = {
        "none": "a restart loses every deal: set appendonly yes",
        "unknown": "give +info and +config|get (+config on Redis 6.2)",
        "rdb": "a crash loses what came after the last snapshot: set appendonly yes",
    }.get(found, "a crash loses the last half minute: set appendfsync everysec")
    return Finding(check="persistence", state=State.WARN, found=found, advice=advice)


def _role(health: Health) -> Finding:
    if health.role == "slave":
        advice = "it refuses changes and lags behind: use its primary"
        return Finding(check="role", state=State.FAIL, found="replica", advice=advice)
    if health.role is None:
        return Finding(check="role", state=State.WARN, found="unknown", advice="give +info")
    return Finding(check="role", state=State.OK, found="primary")


def _pool(health: Health) -> Finding:
    return Finding(check="pool", state=State.OK, found=f"at most {health.pool_size} connections")


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
    missing = link.call("EVAL", _RIGHTS, 0, "\n".join(wanted), retry=True)
    if missing is None:
        found = "this server can't tell which rights a user has; Redis 7 can"
        return Finding(check="rights", state=State.OK, found=found)
    names = list(dict.fromkeys(name.decode().lower() for name in missing))
    if not names:
        return Finding(check="rights", state=State.OK, found="all that dealdb needs")
    advice = f"ACL SETUSER name ~{collection}:* ~{collection}s:* {' '.join('+' + n for n in names)}"
    found = f"missing for the keys of {collection}: {', '.join(names)}"
    return Finding(check="rights", state=State.FAIL, found=found, advice=advice)


def _format(link: Link, collection: str) -> Finding:
    try:
        found = link.call("HGET", f"{collection}s:meta", "format", retry=True)
    except ServerRefused as error:
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
