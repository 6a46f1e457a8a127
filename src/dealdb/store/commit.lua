-- Commits one change to a collection, or refuses it whole.
--
-- Atomic effect: appends one entry to the log, writes the hashes of the deals concerned, and records seq, chain
-- hash and the writer's answer. Every check stands before the first write, because a script that fails midway
-- keeps what it wrote.
--
-- KEYS  1 meta   2 log   3 writers   4.. the deals' hashes, in the order of the payload's ids
-- ARGV  1 writer     random name of the process and thread that commits
--       2 counter    1 for its first commit, then one more each; a repeat gets the first answer again
--       3 kind       set, delete, schema, pipeline; mend (adopts what stands in the hashes, or moves fields);
--                    void (uses up the counter, changes nothing)
--       4 version    of the schema (set, delete, schema) or pipeline (pipeline) that the change was prepared with:
--                    16 hex digits of the SHA-1 of its JSON, '' for none. A number would not do: after a reset
--                    another schema can have the same one
--       5 condition  '' none, '*' the deal must exist, '@seq' no commit since seq, '<=rev' no deal may have a later
--                    revision (0: none may exist), else the revision that the one deal must have (0: no such deal)
--       6 actor      who, for the history
--       7 payload    set: msgpack [ids, fields, columns], a column being a list of texts, nil to clear;
--                    delete: msgpack [ids]; or [ids, rows] for rows that another program left over by removing or
--                    replacing the hashes, which stay as they are;
--                    mend: msgpack [ids, fields, sources, marks], the value of a field being that of its source in
--                    the same hash, nil for none; marks 0 where that changes something, 1 always, 2 with a new row;
--                    schema, pipeline: JSON
--       8 load       name of a load that goes on after this commit, absent for none
--       9 note       how far it is then; kept with the commit
-- Returns  {'ok', 'seq inserted updated unchanged'}   done; for a delete, updated counts the deleted
--          {'repeat', answer}       this counter was answered before: that answer
--          {'unchanged', rev}       nothing to do, nothing written; rev of the first deal (0: none)
--          {'gap'}                  the counter is not the next one: the server has lost this writer's past
--          {'stale'}                prepared with another version than the one in force
--          {'conflict', rev}        the condition does not hold; rev that the deal has (0: none)
--          {'conflict', rev, place} the same for '<=rev'; place of the first such deal, from 1
--          {'denied', command}      the user may not run a command that commits need
--          {'format', found}        the collection has a format that this script does not know

local FORMAT = '1'
local meta_key, log_key, writers_key = KEYS[1], KEYS[2], KEYS[3]
local writer, counter, kind = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local version, condition, actor, payload = ARGV[4], ARGV[5], ARGV[6], ARGV[7]

local function digits(number)
  -- the default format turns 1e14 and above into an exponent
  return string.format('%.0f', number)
end

local function iso(ms)
  -- civil date of a day number, by the method of eras of 400 years
  local s = math.floor(ms / 1000)
  local days = math.floor(s / 86400) + 719468
  local era = math.floor(days / 146097)
  local doe = days - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local month = mp < 10 and mp + 3 or mp - 9
  local year = yoe + era * 400 + (month <= 2 and 1 or 0)
  local day = doy - math.floor((153 * mp + 2) / 5) + 1
  local t = s % 86400
  return string.format('%04d-%02d-%02dT%02d:%02d:%02dZ', year, month, day,
    math.floor(t / 3600), math.floor(t / 60) % 60, t % 60)
end

-- the writer's place ---------------------------------------------------------------------------------------------
local last = redis.call('HGET', writers_key, writer)
local last_counter, last_answer = 0, nil
if last then
  local n, answer = string.match(last, '^(%d+) (.*)$')
  last_counter, last_answer = tonumber(n), answer
end
if last and counter == last_counter then return {'repeat', last_answer} end
if counter ~= last_counter + 1 then return {'gap'} end
if kind == 'void' then
  redis.call('HSET', writers_key, writer, digits(counter) .. ' void')
  return {'ok', 'void'}
end

-- rights: a command that is denied midway would leave half a commit, so a writer's first one (and one behind a void,
-- which may stand in the place of the first) tries them all without effect; the one that has an effect, last
local function denied(name, ...)
  local reply = redis.pcall(name, ...)
  local problem = type(reply) == 'table' and reply.err or ''
  if string.find(problem, 'NOPERM') or string.find(problem, 'ACL failure') or string.find(problem, "can't run this command")
    or string.find(problem, "can't access") then return {'denied', name} end
  -- no id of an entry can be 0-0: the expected answer of the trial
  -- (plain: as a pattern it finds any 0, also that of a line number)
  if problem ~= '' and not string.find(problem, '0-0', 1, true) then return reply end
end
if not last or last_answer == 'void' then
  local refusal = denied('XADD', log_key, '0-0', '', '') or denied('HDEL', meta_key, '') or denied('DEL', log_key .. ':none')
    or denied('HSET', writers_key, writer, last or '0 void')
  if refusal then return refusal end
end

-- the collection's state -----------------------------------------------------------------------------------------
local m = redis.call('HMGET', meta_key, 'format', 'seq', 'hash', 'rows', 'deals', 'time',
  'schema_version', 'pipeline_version', 'genesis')
if m[1] and m[1] ~= FORMAT then return {'format', m[1]} end
local seq = tonumber(m[2] or '0') + 1
local rows, deals = tonumber(m[4] or '0'), tonumber(m[5] or '0')
local current = m[7] or ''
if kind == 'pipeline' then current = m[8] or '' end
-- a collection begins with its schema, so that the log can be read from its first entry on
if version ~= current or (not m[1] and kind ~= 'schema') then return {'stale'} end

-- what would change ----------------------------------------------------------------------------------------------
local change = nil
if kind == 'set' or kind == 'mend' or kind == 'delete' then change = cmsgpack.unpack(payload) end
local ids = change and change[1]
local fields, columns = change and change[2], change and change[3]
local log_rows, kept, first_rev = {}, {}, 0
local inserted, updated, unchanged = 0, 0, 0
-- what the hashes have: _row, _rev, then the fields in their order
local names, old = {'_row', '_rev'}, {}
for j = 1, fields and kind ~= 'delete' and #fields or 0 do names[2 + j] = fields[j] end

local function row_of(found)
  -- a number that the log has not given out comes with a hash of another collection or history
  local row = tonumber(found[1])
  return row and row >= 0 and row < rows and row == math.floor(row) and row or nil
end

local function decide(i, differs, row)
  if not differs then unchanged = unchanged + 1 return end
  kept[#kept + 1] = i
  if row then updated = updated + 1 else inserted = inserted + 1 end
  log_rows[#log_rows + 1] = row or rows + inserted - 1
end

local plan = {}

function plan.set(i, row)
  local differs = not row
  for j = 1, #fields do
    if (columns[j][i] or false) ~= old[i][2 + j] then differs = true break end
  end
  decide(i, differs, row)
end

function plan.mend(i, row, key)
  local sources, mark = change[3], change[4][i]
  local differs = mark > 0
  for j = 1, #fields do
    columns[j][i] = sources[j] and redis.call('HGET', key, sources[j]) or false
    differs = differs or columns[j][i] ~= old[i][2 + j]
  end
  decide(i, differs and redis.call('EXISTS', key) == 1, mark < 2 and row)
end

function plan.delete(i, row)
  if change[2] then
    -- a row that the hash has is no left-over
    row = change[2][i] ~= row and change[2][i]
  end
  decide(i, row, row)
end

if kind == 'mend' then
  columns = {}
  for j = 1, #fields do columns[j] = {} end
end
for i = 1, change and #ids or 0 do
  local key = KEYS[3 + i]
  old[i] = redis.call('HMGET', key, unpack(names))
  local row = row_of(old[i])
  if i == 1 and row then first_rev = tonumber(old[i][2]) or 0 end
  plan[kind](i, row, key)
end
if condition == '*' and redis.call('EXISTS', KEYS[4]) == 0 then return {'conflict', '0'} end
if string.sub(condition, 1, 1) == '@' then
  if tonumber(string.sub(condition, 2)) ~= seq - 1 then return {'conflict', digits(seq - 1)} end
elseif string.sub(condition, 1, 2) == '<=' then
  local latest = tonumber(string.sub(condition, 3))
  for i = 1, #ids do
    local rev = tonumber(old[i][2]) or 0
    -- another program's hash has no revision, and exists all the same
    if rev > latest or (latest == 0 and redis.call('EXISTS', KEYS[3 + i]) == 1) then
      return {'conflict', digits(rev), digits(i)}
    end
  end
elseif condition ~= '' and condition ~= '*' and tonumber(condition) ~= first_rev then
  return {'conflict', digits(first_rev)}
end
if change and #kept == 0 then return {'unchanged', digits(first_rev)} end

-- writes ---------------------------------------------------------------------------------------------------------
local now = redis.call('TIME')
-- never earlier than the commit before, whatever the clock does: the history is in order of time too
local time = math.max(tonumber(m[6] or '0'), tonumber(now[1]) * 1000 + math.floor(tonumber(now[2]) / 1000))
local genesis = m[9] or writer
-- with the time: after a failover that lost the entry, the same commit sent again has another time, and stamps it
local hash = string.sub(redis.sha1hex((m[3] or genesis) .. ' ' .. digits(seq) .. ' ' .. writer .. ' ' .. digits(counter)
  .. ' ' .. digits(time)), 1, 16)

if change and (kind == 'mend' or (kind == 'delete' and change[2]) or #kept < #ids) then
  -- the log tells what changed, not what was asked; false stands for nil, which would end a list in Lua
  local kept_ids, kept_columns = {}, {}
  for k, i in ipairs(kept) do kept_ids[k] = ids[i] end
  if kind == 'delete' then
    -- with no fields, what is deleted is left-over rows: the deals live on in others
    payload = cmsgpack.pack(change[2] and {kept_ids, {}, {}} or {kept_ids})
  else
    for j = 1, #fields do
      kept_columns[j] = {}
      for k, i in ipairs(kept) do kept_columns[j][k] = columns[j][i] or false end
    end
    payload = cmsgpack.pack({kept_ids, fields, kept_columns})
  end
end

-- first of the writes, as the only one that can fail for a reason of its own (an id that is not the next)
redis.call('XADD', log_key, digits(seq) .. '-0', 'hash', hash, 'time', digits(time),
  'writer', writer, 'counter', digits(counter), 'actor', actor, 'kind', kind, 'height', digits(rows),
  'rows', change and cmsgpack.pack(log_rows) or '', 'data', payload)

if kind == 'set' or kind == 'mend' then
  local rev = digits(seq)
  local stamp = kind == 'set' and iso(time) or nil
  for j = 1, #fields do
    if fields[j] == 'updated' then stamp = nil end
  end
  for k, i in ipairs(kept) do
    local key = KEYS[3 + i]
    local args = {'_row', digits(log_rows[k]), '_rev', rev}
    local cleared = {}
    for j = 1, #fields do
      local value = columns[j][i]
      if value then
        args[#args + 1] = fields[j]
        args[#args + 1] = value
      elseif old[i][2 + j] then
        cleared[#cleared + 1] = fields[j]
      end
    end
    if stamp and log_rows[k] < rows then
      args[#args + 1] = 'updated'
      args[#args + 1] = stamp
    end
    redis.call('HSET', key, unpack(args))
    if #cleared > 0 then redis.call('HDEL', key, unpack(cleared)) end
  end
elseif kind == 'delete' then
  for _, i in ipairs(change[2] and {} or kept) do redis.call('DEL', KEYS[3 + i]) end
  deals = deals - updated
end

local answer = digits(seq) .. ' ' .. inserted .. ' ' .. updated .. ' ' .. unchanged
local meta = {'seq', digits(seq), 'hash', hash, 'time', digits(time),
  'rows', digits(rows + inserted), 'deals', digits(deals + inserted)}
if not m[1] then
  for _, word in ipairs({'format', FORMAT, 'genesis', genesis}) do meta[#meta + 1] = word end
end
if kind == 'schema' or kind == 'pipeline' then
  for _, pair in ipairs({{kind, payload}, {kind .. '_version', string.sub(redis.sha1hex(payload), 1, 16)}}) do
    meta[#meta + 1] = pair[1]
    meta[#meta + 1] = pair[2]
  end
end
redis.call('HSET', meta_key, unpack(meta))
redis.call('HSET', writers_key, writer, digits(counter) .. ' ' .. answer)
if ARGV[8] then
  redis.call('HSET', writers_key, 'load:' .. ARGV[8], writer .. ' ' .. digits(counter) .. ' ' .. answer .. ' ' .. ARGV[9])
end
return {'ok', answer}
