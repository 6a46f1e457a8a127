"""
Forgetting the records of writers that have long not committed: there is one for each process and thread.

What a record is for, an answer to a commit that is sent again, is over within seconds. A writer that comes back after
its record is gone must not be taken for a new one, though: a copy of its last commit may have been carried out. So the
number of the last commit is kept with what was forgotten, and a name that was chosen before it is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from dealdb.connection import Link
from dealdb.store.bounds.wall import number_in
from dealdb.store.keys import Keys

# seconds without a commit after which a record goes; a week of a program that stands still is a long one
UNUSED_S = 7 * 86_400
# how often a collection is looked through, by a process that writes a checkpoint
SWEEP_EVERY_S = 86_400
# of a time in seconds
_MOST_DIGITS = 18
_PAGE = 1_000
_CLAIM = b"""
if not redis.call('HGET', KEYS[1], 'seq') then return 0 end
redis.call('HSET', KEYS[1], 'swept', ARGV[1])
return 1
"""
# what was used meanwhile has another text, and stays
_FORGET = b"""
local seq, n = redis.call('HGET', KEYS[1], 'seq'), 0
if not seq then return 0 end
for i = 1, #ARGV, 2 do
  if redis.call('HGET', KEYS[2], ARGV[i]) == ARGV[i + 1] then
    if n == 0 then redis.call('HSET', KEYS[1], 'forgotten', seq) end
    redis.call('HDEL', KEYS[2], ARGV[i])
    n = n + 1
  end
end
return n
"""


def forget_idle_writers(link: Link, keys: Keys) -> int:
    """
    Remove records that were not used for a week, once a day; returns how many.

    Records of earlier versions, which have no time, and the notes of unfinished loads stay.

    Cost
    ----
    One round trip; once a day another two for every 1,000 records.
    """
    swept, now = link.calls([("HGET", keys.meta, "swept"), ("TIME",)], retry=True)
    now_s = int(now[0])
    if swept and abs(now_s - number_in(f"swept in {keys.meta!r}", swept)) < SWEEP_EVERY_S:
        return 0
    if not link.call("EVAL", _CLAIM, 1, keys.meta, now_s):
        return 0
    return sum(_forget(link, keys, page) for page in _idle(link, keys, now_s))


def _idle(link: Link, keys: Keys, now_s: int) -> Iterator[list[bytes]]:
    """Names and texts in turn of the records that are to go, by pages."""
    cursor = b"0"
    while True:
        cursor, found = link.call("HSCAN", keys.writers, cursor, "COUNT", _PAGE, retry=True)
        pairs = zip(found[::2], found[1::2], strict=True)
        idle = [pair for pair in pairs if _is_idle(*pair, now_s)]
        if idle:
            yield [*chain.from_iterable(idle)]
        if cursor == b"0":
            return


def _is_idle(name: bytes, text: bytes, now_s: int) -> bool:
    _, _, rest = text.partition(b" #")
    used_at = rest.partition(b" ")[2].partition(b" ")[0]
    # of the future too: the server's clock was wrong then, or is wrong now
    known = used_at.isdigit() and len(used_at) < _MOST_DIGITS and not name.startswith(b"load:")
    return known and abs(now_s - int(used_at)) > UNUSED_S


def _forget(link: Link, keys: Keys, page: list[bytes]) -> int:
    # a small hash comes whole, however many were asked for
    parts = [page[start : start + 2 * _PAGE] for start in range(0, len(page), 2 * _PAGE)]
    return sum(int(link.call("EVAL", _FORGET, 2, keys.meta, keys.writers, *part)) for part in parts)
