"""
The lease of a collection: who writes a checkpoint now.

It saves work and keeps orphans apart from what is about to be published; that no checkpoint is published on top of
another is seen to by ``publish.lua``. So one that was left behind may be taken over as soon as it is old.
"""

from __future__ import annotations

from dealdb.connection import Link
from dealdb.store.keys import Keys

# a writer that dies leaves the lease behind for so long at most
LEASE_S = 60
# By the server's clock, which may be set: what was taken long ago or in the future is a leftover, whatever
# its expiry says, since that is a moment too. One of an older version has no time: it gets the present one.
_TAKE = b"""
local now = tonumber(redis.call('TIME')[1])
local held = redis.pcall('GET', KEYS[1])
if type(held) == 'table' then
  if not string.find(held.err or '', 'WRONGTYPE', 1, true) then return held end
  held = false
end
if held then
  local token, taken = string.match(held, '^(%S+) (%d+)$')
  if not token then
    redis.call('SET', KEYS[1], string.gsub(held, '%s', '_') .. ' ' .. now, 'PX', ARGV[2] * 1000)
    return 0
  end
  if token ~= ARGV[1] and math.abs(now - tonumber(taken)) <= tonumber(ARGV[2]) then return 0 end
end
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. now, 'PX', ARGV[2] * 1000)
return 1
"""
# only one's own: it may have been taken over
_GIVE_BACK = b"""
local held = redis.call('GET', KEYS[1])
if held and string.sub(held, 1, #ARGV[1] + 1) == ARGV[1] .. ' ' then redis.call('DEL', KEYS[1]) end
"""


def take(link: Link, keys: Keys, token: str) -> bool:
    """Take the lease, unless another one than ``token`` has it. One round trip; repeating it does no harm."""
    return bool(link.call("EVAL", _TAKE, 1, keys.lease, token, LEASE_S, retry=True))


def give_back(link: Link, keys: Keys, token: str) -> None:
    """Give the lease back, unless it is another's by now. One round trip; repeating it does no harm."""
    link.call("EVAL", _GIVE_BACK, 1, keys.lease, token, retry=True)


def is_taken(link: Link, keys: Keys) -> bool:
    """Whether somebody has the lease, or has left it behind. One round trip."""
    return bool(link.call("EXISTS", keys.lease, retry=True))
