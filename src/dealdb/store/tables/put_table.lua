-- Replaces a small table, provided that it is what the change was made from.
--
-- Atomic effect: sets one field of the saved queries' hash.
-- KEYS  1 queries   2 meta
-- ARGV  1 field   2 SHA-1 of the text that it has ('' for none)   3 text before the time of the change
--       4 text behind it   5 time of the change before, milliseconds since 1970 (0: none)
-- Returns  {'ok', time}   done
--          {'changed'}    the table is another one by now
--          {'other', format}  a restore of the collection is under way, or it is made of partitions by now

local call = redis.call
local form = call('HGET', KEYS[2], 'format')
if form == 'restore' or form == 'partitions' then return {'other', form} end
local found = call('HGET', KEYS[1], ARGV[1])
if (found and redis.sha1hex(found) or '') ~= ARGV[2] then return {'changed'} end
local now = call('TIME')
-- times grow, also where the clock was set back: a version is found by its own
local time = math.max(now[1] * 1000 + (now[2] - now[2] % 1000) / 1000, tonumber(ARGV[5]) + 1)
local text = string.format('%.0f', time)
call('HSET', KEYS[1], ARGV[1], ARGV[3] .. text .. ARGV[4])
return {'ok', text}
