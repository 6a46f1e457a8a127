-- Makes a collection that is being restored a whole one; repeating it changes nothing.
--
-- Atomic effect: writes log, manifest and saved queries, gives the lease back, and at last sets the meta data, by which
-- the collection is one.
-- KEYS  1 meta   2 log   3 checkpoint   4 queries   5 lease   6.. chunks and segments
-- ARGV  1 token of this restore   2 seq ('0': a collection without commits)   3 manifest
--       4 msgpack: three lists of names and values in turn: the last entry of the log, the meta data, the queries
-- Returns  {'ok', number of queries}   or
--          {'taken'}       another restore has begun since
--          {'lost', key}   a chunk or segment is not there

local call = redis.call
local parts = cmsgpack.unpack(ARGV[4])
local entry, meta, queries = parts[1], parts[2], parts[3]
if call('HGET', KEYS[1], 'restored') == ARGV[1] then return {'ok', tostring(#queries / 2)} end
-- where there is no commit, an earlier try whose answer was lost has left no token
local function is_empty_as_it_should_be()
  if ARGV[2] ~= '0' or call('EXISTS', KEYS[1]) == 1 then return false end
  for i = 1, #queries, 2 do
    if call('HGET', KEYS[4], queries[i]) == false then return false end
  end
  return true
end
if is_empty_as_it_should_be() then return {'ok', tostring(#queries / 2)} end
if call('HGET', KEYS[1], 'restore') ~= ARGV[1] then return {'taken'} end
for i = 6, #KEYS do
  if call('EXISTS', KEYS[i]) == 0 then return {'lost', KEYS[i]} end
end
if ARGV[2] ~= '0' then
  -- what an earlier try that failed midway has left of it
  call('DEL', KEYS[2])
  call('XADD', KEYS[2], ARGV[2] .. '-0', unpack(entry))
  call('SET', KEYS[3], ARGV[3])
end
local n = 0
for i = 1, #queries, 2 do
  -- one that was saved meanwhile stays
  if not call('HGET', KEYS[4], queries[i]) then
    call('HSET', KEYS[4], queries[i], queries[i + 1])
    n = n + 1
  end
end
if call('GET', KEYS[5]) == ARGV[1] then call('DEL', KEYS[5]) end
if ARGV[2] == '0' then
  call('DEL', KEYS[1])
else
  call('HDEL', KEYS[1], 'restore')
  -- last, and in one command: by it the collection is whole
  call('HSET', KEYS[1], unpack(meta))
end
return {'ok', tostring(n)}
