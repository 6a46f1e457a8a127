-- Publishes the manifest of a checkpoint, unless it is of another history or older than the one in force.
--
-- Atomic effect: sets the checkpoint key, and gives the lease back if it is still the publisher's.
-- KEYS  1 log   2 checkpoint   3 lease
-- ARGV  1 seq   2 chain hash of that commit   3 manifest (JSON with the members seq and hash)   4 token of the lease
-- Returns  the manifest that was in force before ('' for none), or false when nothing was published

if redis.call('GET', KEYS[3]) == ARGV[4] then redis.call('DEL', KEYS[3]) end
local entry = redis.call('XRANGE', KEYS[1], ARGV[1] .. '-0', ARGV[1] .. '-0')[1]
if not entry or entry[2][2] ~= ARGV[2] then return false end
local old = redis.call('GET', KEYS[2]) or ''
local readable, known = pcall(cjson.decode, old)
if readable and type(known) == 'table' and type(known.seq) == 'number' then
  local id = string.format('%.0f-0', known.seq)
  local there = redis.call('XRANGE', KEYS[1], id, id)[1]
  -- a manifest whose commit the log does not have is of a lost history, however high its number
  if there and there[2][2] == known.hash and known.seq >= tonumber(ARGV[1]) then return false end
end
redis.call('SET', KEYS[2], ARGV[3])
return old
