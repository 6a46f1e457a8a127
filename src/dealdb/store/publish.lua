-- Publishes the manifest of a checkpoint, unless it is of another history or older than the one in force.
--
-- Atomic effect: sets the checkpoint key.
-- KEYS  1 log   2 checkpoint
-- ARGV  1 seq   2 chain hash of that commit   3 manifest (JSON with a member seq)
-- Returns  the manifest that was in force before ('' for none), or false when nothing was published

local entry = redis.call('XRANGE', KEYS[1], ARGV[1] .. '-0', ARGV[1] .. '-0')[1]
if not entry or entry[2][2] ~= ARGV[2] then return false end
local old = redis.call('GET', KEYS[2]) or ''
if old ~= '' then
  local known = cjson.decode(old)
  local there = redis.call('XRANGE', KEYS[1], string.format('%.0f-0', known.seq), string.format('%.0f-0', known.seq))[1]
  -- a manifest whose commit the log does not have is of a lost history, however high its number
  if there and there[2][2] == known.hash and known.seq >= tonumber(ARGV[1]) then return false end
end
redis.call('SET', KEYS[2], ARGV[3])
return old
