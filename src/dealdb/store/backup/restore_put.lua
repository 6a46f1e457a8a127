-- Writes some deals of a collection that is being restored; repeating it changes nothing.
--
-- Atomic effect: sets the hashes, and holds the lease for longer.
-- KEYS  1 meta   2 lease   3.. the deals' hashes
-- ARGV  1 token of this restore   2 milliseconds that the lease lasts   3 number of fields   4.. the fields, _row first;
--       then msgpack: a list of texts for each field, with a text for each deal, nil where it has none
-- Returns  {'ok'}
--          {'taken'}        another restore has begun since
--          {'holds', key}   another program has written to this key

local call = redis.call
if call('HGET', KEYS[1], 'restore') ~= ARGV[1] then return {'taken'} end
call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
local n_deals, n_fields = #KEYS - 2, tonumber(ARGV[3])
if n_deals == 0 then return {'ok'} end
local columns = cmsgpack.unpack(ARGV[4 + n_fields])
for i = 1, n_deals do
  -- with the row that it is to have, it is from an earlier try whose answer was lost
  if call('EXISTS', KEYS[2 + i]) == 1 and call('HGET', KEYS[2 + i], '_row') ~= columns[1][i] then
    return {'holds', KEYS[2 + i]}
  end
end
local args = {'HSET'}
for i = 1, n_deals do
  local n = 2
  args[2] = KEYS[2 + i]
  for j = 1, n_fields do
    local value = columns[j][i]
    if value then
      args[n + 1], args[n + 2] = ARGV[3 + j], value
      n = n + 2
    end
  end
  call(unpack(args, 1, n))
end
return {'ok'}
