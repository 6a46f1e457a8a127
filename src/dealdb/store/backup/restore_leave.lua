-- Gives a restore up: once what it wrote is removed, the collection is as empty as it was.
--
-- KEYS  1 meta   2 lease
-- ARGV  1 token of this restore
-- Returns  1, or 0 where it has ended, or another has begun since

if redis.call('HGET', KEYS[1], 'restore') ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
return 1
