-- Removes what a restore that did not finish has left; repeating it changes nothing.
--
-- Atomic effect: removes keys. Hashes without a row are another program's, and stay.
-- KEYS  1 meta   2 lease   3.. keys to remove
-- ARGV  1 token of this restore   2 milliseconds that the lease lasts   3 'deals' for hashes of deals, 'all' for others
-- Returns  {'ok', number of keys that stay}   or   {'taken'}: another restore has begun since

local call = redis.call
if call('HGET', KEYS[1], 'restore') ~= ARGV[1] then return {'taken'} end
local stay = 0
for i = 3, #KEYS do
  if ARGV[3] == 'all' or call('HGET', KEYS[i], '_row') then
    call('UNLINK', KEYS[i])
  else
    stay = stay + call('EXISTS', KEYS[i])
  end
end
-- behind the removals: a server that is full accepts it only then, if at all
redis.pcall('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return {'ok', tostring(stay)}
