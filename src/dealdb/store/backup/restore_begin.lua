-- Makes an empty collection one that is being restored: until the end, no commit and no reader gets into it.
--
-- Atomic effect: takes the lease, removes records of writers of a lost past, and gives the collection a format that
-- every program refuses.
-- KEYS  1 meta   2 log   3 checkpoint   4 queries   5 chunks   6 writers   7 lease
-- ARGV  1 token of this restore   2 milliseconds that the lease lasts
--       3 '' or 'again': of a partition whose head was found to be that of a restore which did not finish. Then what is
--       there is a part of that restore, whole or not
-- Returns  {'ok', '0'}      it was empty
--          {'ok', '1'}      a restore that did not finish has left something, and can't write any more
--          {'busy'}         another process restores into it, or did a moment ago
--          {'holds', key}   it is not empty
--          {'denied', command}   the user may not run a command that the restore needs

local call = redis.call
local token = ARGV[1]
local lease = call('GET', KEYS[7])
if lease and lease ~= token and ARGV[3] ~= 'again' then return {'busy'} end
local format = call('HGET', KEYS[1], 'format')
if format and ARGV[3] == 'again' and format ~= 'restore' then
  call('DEL', KEYS[1])
  format = 'restore'
end
local left = format == 'restore'
if format and not left then return {'holds', KEYS[1]} end
if not left then
  for i = 2, 5 do
    if call('EXISTS', KEYS[i]) == 1 then return {'holds', KEYS[i]} end
  end
  -- a right that is missing would be noticed at the very end; with no keys there, the trial is without effect
  local function denied(...)
    local reply = redis.pcall(...)
    local problem = type(reply) == 'table' and reply.err or ''
    return string.find(problem, 'NOPERM') or string.find(problem, 'ACL failure')
      or string.find(problem, "can't run this command") or string.find(problem, "can't access")
  end
  if denied('XADD', KEYS[2], '0-0', '', '') then return {'denied', 'XADD'} end
  if denied('HDEL', KEYS[4], '') then return {'denied', 'HDEL'} end
  if denied('UNLINK', KEYS[3]) then return {'denied', 'UNLINK'} end
  call('DEL', KEYS[6])
else
  -- a server that is full accepts the next writes behind one that frees memory: then what is left can go
  call('DEL', KEYS[2])
end
call('SET', KEYS[7], token, 'PX', ARGV[2])
call('HSET', KEYS[1], 'format', 'restore', 'restore', token)
return {'ok', left and '1' or '0'}
