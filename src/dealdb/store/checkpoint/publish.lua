-- Publishes the manifest of a checkpoint, and trims the log to what the oldest of its generations needs.
--
-- Atomic effect: sets the checkpoint key and trims the log.
-- KEYS  1 log   2 checkpoint   3.. the chunks of its newest generation, and its new segments
-- ARGV  1 seq   2 chain hash of that commit   3 manifest   4 the manifest that it was made from ('' for none)
--       5 seq of the oldest generation that it keeps (0: keep the whole log)
-- Returns  1, or 0 when nothing was published: the commit is not in the log, which is another history now,
--          or another manifest has been published meanwhile, or a chunk is not there

local entry = redis.call('XRANGE', KEYS[1], ARGV[1] .. '-0', ARGV[1] .. '-0')[1]
if not entry or entry[2][2] ~= ARGV[2] then return 0 end
-- what is of another type is not a manifest, and is replaced
local manifest = redis.pcall('GET', KEYS[2])
if type(manifest) ~= 'string' then manifest = '' end
if manifest ~= ARGV[4] then return 0 end
-- a writer that took longer than its lease lasts may have had its chunks removed as orphans
for i = 3, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 0 then return 0 end
end
redis.call('SET', KEYS[2], ARGV[3])
-- the entry of that generation stays: a reader begins with it to know that the history is the same
if ARGV[5] ~= '0' then redis.call('XTRIM', KEYS[1], 'MINID', '=', ARGV[5] .. '-0') end
return 1
