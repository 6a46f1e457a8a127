-- Commits one change to a collection, or refuses it whole.
--
-- Atomic effect: appends one entry to the log, writes the hashes of the deals concerned, and records seq, chain
-- hash and the writer's answer. Every check comes before the first write, because a script that fails midway
-- keeps what it wrote. It touches no key that is not among KEYS.
--
-- KEYS  1 meta   2 log   3 writers   4.. the deals' hashes, in the order of the payload's ids
-- ARGV  1 writer     random name of the process and thread that commits
--       2 counter    1 for its first commit, then one more each; a repeat gets the first answer again. Of a void: the
--                    last of those that it uses up
--       3 digest     16 hex digits: 8 that all commits have which are sent together, and no others of this writer, and 8
--                    of what this one says. Of a void: that of the last commit that it uses up, '' for whatever it was
--       4 known      seq of a commit that the collection had when the writer's name was chosen (0: none was seen), '' for
--                    a name that may be forgotten
--       5 kind       set, delete, schema, pipeline; add (new deals in bulk); facts (what was so before, which changes no
--                    deal); mend (adopts what is in the hashes, or
--                    moves fields); void (uses up all counters up to its own, changes nothing)
--       6 version    of the schema (set, add, facts, delete, schema) or pipeline (pipeline) that the change was prepared with:
--                    16 hex digits of the SHA-1 of its JSON, '' for none. A number would not do: after a reset
--                    another schema can have the same one
--       7 condition  '' none, '*' the deal must exist, '@seq' no commit since seq, '<=rev' no deal may have a later
--                    revision (0: none may exist), else the revision that the one deal must have (0: no such deal);
--                    of a void: the counter that the writer's last commit has at least, '' for any
--       8 actor      who, for the history
--       9 payload    set: msgpack [ids, fields, columns], a column being a list of texts, nil to clear; or [.., ats], since
--                    when each deal has these values, milliseconds since 1970, 0 for the commit's own time;
--                    delete: msgpack [ids]; or [ids, rows] for rows that another program left over by removing or
--                    replacing the hashes, which stay as they are;
--                    mend: msgpack [ids, fields, sources, marks], the value of a field being that of its source in
--                    the same hash, nil for none; marks 0 where that changes something, 1 always, 2 with a new row;
--                    or [.., marks, [names, olds], texts]: a column of texts for a field, nil for none, has what its
--                    deals get instead of their sources' values, false to clear, nil for no text; a deal whose fields
--                    of these names have other values than olds (nil: none) is left as it is;
--                    add, facts: what the log is to have, which the script does not look into;
--                    schema, pipeline: JSON
--       10 load      name of a load that continues after this commit, '' or absent for none
--       11 note      how far it is then; kept with the commit
--       12 hand      for a set of one deal: 'hand' where somebody moves it now, so that winning and losing it sets `closed`,
--                    and reopening it clears that; '' or absent for what is copied from elsewhere. Behind it '@' and
--                    the moment where the payload has ats, then ' offset zone': the pipeline's zone, and by how many
--                    milliseconds it is ahead of UTC at that moment; without them the day of closing is that of UTC
--       13...        for a set of one deal, may be absent: the number of fields, their names, then their texts; those to
--                    clear come last and have none. The payload says the same, and need not be unpacked then
--       12           for an add: msgpack [fields, columns], which says the same as the payload
-- Returns  {'ok', 'seq inserted updated unchanged'}   done; for a delete, updated counts the deleted
--          {'ok', 'void counter'}   done, of a void; counter of the last commit before it
--          {'repeat', answer}       this counter was answered before: that answer, or for an add 'earlier' where others
--                                   came after it; 'void counter' where a void has used it up
--          {'clash'}                this counter was answered before, to somebody else with the same name
--          {'unchanged', rev}       nothing to do, nothing written; rev of the first deal (0: none)
--          {'gap'}                  the counter is not the next one: the server has lost this writer's past
--          {'forgotten'}            the writer may be one whose record was removed: whether it has committed is unknown
--          {'known'}                of an add: some of the deals exist
--          {'stale'}                prepared with another version than the one in force
--          {'conflict', rev}        the condition does not hold; rev that the deal has (0: none)
--          {'conflict', rev, place} the same for '<=rev'; place of the first such deal, from 1
--          {'future', now}          a moment is later than the server's clock, in milliseconds, by more than is allowed
--          {'denied', command}      the user may not run a command that this commit needs
--          {'ahead'}                the log has the entry of this commit's seq already
--          {'format', found}        the collection has a format that this script does not know

local FORMAT = '1'
-- of a collection that knows what was so before its commits: older programs would misread it
local FORMAT_OF_FACTS = '2'
-- arguments that one command is given in one call: Lua has no room for any number
local MOST_WORDS = 1000
-- a clock that is corrected by less than this was not wrong
local CLOCK_SLACK_MS = 60000
-- so much may a moment be ahead of the server's clock, by which it was so
local FUTURE_MS = 300000
local call = redis.call
local meta_key, log_key, writers_key = KEYS[1], KEYS[2], KEYS[3]
local writer, counter, digest, known, kind = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5]
local version, condition, actor, payload = ARGV[6], ARGV[7], ARGV[8], ARGV[9]

-- Every run makes its functions again, and what it does to numbers, texts and tables takes as long as the commands:
-- so a function is made where it is needed, and a number becomes text once.
local function digits(number)
  -- the default format turns 1e14 and above into an exponent
  return string.format('%d', number)
end

-- the writer's record --------------------------------------------------------------------------------------------
local now = call('TIME')
local last = call('HGET', writers_key, writer)
local last_counter, last_digest, answer = 0, '', ''
if last then
  last_counter, last_digest, answer = string.match(last, '^(%d+) #(%x*) %d+ (.*)$')
  -- earlier versions kept neither digest nor time
  if not last_counter then last_counter, last_digest, answer = string.match(last, '^(%d+)() (.*)$') end
  last_counter = tonumber(last_counter)
elseif known ~= '' then
  local forgotten = call('HGET', meta_key, 'forgotten')
  if forgotten and tonumber(known) < tonumber(forgotten) then return {'forgotten'} end
end
local is_voided = string.sub(answer, 1, 4) == 'void'
if last and counter <= last_counter then
  if is_voided then return {'repeat', answer} end
  if counter == last_counter then
    -- another writer with this counter, such as a copy of the process in a cloned machine, must not get the answer
    if digest ~= '' and digest ~= last_digest then return {'clash'} end
    return {'repeat', answer}
  end
  -- new deals and facts are sent some batches at a time, and those of them that were carried out are sent again with the others
  if kind ~= 'add' and kind ~= 'facts' then return {'gap'} end
  return string.sub(digest, 1, 8) == string.sub(last_digest, 1, 8) and {'repeat', 'earlier'} or {'clash'}
end
-- with the day of its last use, by which records are forgotten
local function record(text, of)
  call('HSET', writers_key, writer, ARGV[2] .. ' #' .. of .. ' ' .. now[1] .. ' ' .. text)
end
if kind == 'void' then
  local least = tonumber(condition) or 0
  -- one that leapt over commits that the server has lost would hide that they are
  if last_counter < least then return {'gap'} end
  if digest ~= '' and last_counter > least and not is_voided
    and string.sub(digest, 1, 8) ~= string.sub(last_digest, 1, 8) then return {'clash'} end
  answer = 'void ' .. digits(last_counter)
  record(answer, '')
  return {'ok', answer}
end
if counter ~= last_counter + 1 then return {'gap'} end

-- the collection's state -----------------------------------------------------------------------------------------
local m = call('HMGET', meta_key, 'format', 'seq', 'hash', 'rows', 'deals', 'time',
  kind == 'pipeline' and 'pipeline_version' or 'schema_version')
if m[1] and m[1] ~= FORMAT and m[1] ~= FORMAT_OF_FACTS then return {'format', m[1]} end
local seq, rows = tonumber(m[2] or 0) + 1, tonumber(m[4] or 0)
-- a collection begins with its schema, so that the log can be read from its first entry on
if version ~= (m[7] or '') or (not m[1] and kind ~= 'schema') then return {'stale'} end

-- what would change ----------------------------------------------------------------------------------------------
local of_deals = kind == 'set' or kind == 'mend' or kind == 'delete'
local one = kind == 'set' and ARGV[13] ~= nil
local change, ids, fields, columns, ats
-- of one deal that is saved by hand: since when
local told = kind == 'set' and tonumber(string.match(ARGV[12] or '', '@(%d+)')) or nil
-- what is read of the hashes: _row, _rev, then the fields in their order
local names, n_ids, n_fields = nil, 0, 0
if one then
  n_ids, n_fields = 1, tonumber(ARGV[13])
  names = {'_row', '_rev', unpack(ARGV, 14, 13 + n_fields)}
elseif of_deals then
  change = cmsgpack.unpack(payload)
  ids, fields, columns = change[1], kind == 'delete' and {} or change[2], change[3]
  ats = kind == 'set' and change[4] or nil
  n_ids, n_fields = #ids, #fields
  names = {'_row', '_rev', unpack(fields)}
elseif kind == 'add' then
  for i = 4, #KEYS, MOST_WORDS do
    if call('EXISTS', unpack(KEYS, i, math.min(i + MOST_WORDS - 1, #KEYS))) > 0 then return {'known'} end
  end
  change = cmsgpack.unpack(ARGV[12])
  fields, columns = change[1], change[2]
end
-- of each deal: what its hash has, and the texts that its fields are to have
local old, texts = {}, {}
-- places of the deals that change, and their rows
local kept, log_rows = {}, {}
local inserted, updated, unchanged = kind == 'add' and #KEYS - 3 or 0, 0, 0
local first_row

for i = 1, n_ids do
  local found = call('HMGET', KEYS[3 + i], unpack(names))
  local row = found[1]
  -- in other digits than its own it would not be recognised where texts are compared
  row = row and (row == '0' or string.find(row, '^[1-9]%d*$')) and tonumber(row)
  -- a number that the log has not given out comes with a hash of another collection or history
  row = row and row < rows and row or nil
  old[i] = found
  if i == 1 then first_row = row end
  local differs
  if kind == 'delete' then
    -- a row that the hash has is not a leftover
    if change[2] then row = change[2][i] ~= row and change[2][i] end
    differs = row
  else
    local given = {}
    if one then
      given = {unpack(ARGV, 14 + n_fields, 13 + 2 * n_fields)}
    elseif kind == 'set' then
      for j = 1, n_fields do given[j] = columns[j][i] end
    else
      local sources, instead = change[3], change[6]
      for j = 1, n_fields do
        local text = instead and instead[j] and instead[j][i]
        if text == nil then text = sources[j] and call('HGET', KEYS[3 + i], sources[j]) end
        given[j] = text
      end
    end
    local mark = kind == 'mend' and change[4][i] or 0
    -- what is so by now may have been so since another moment
    differs = kind == 'set' and not row or mark > 0 or told
    for j = 1, n_fields do
      if (given[j] or false) ~= found[2 + j] then differs = true break end
    end
    if kind == 'mend' then
      differs = differs and call('EXISTS', KEYS[3 + i]) == 1
      local expected = change[5]
      for g = 1, expected and #expected[1] or 0 do
        -- another program has changed it meanwhile, and the texts were made of what it was
        if call('HGET', KEYS[3 + i], expected[1][g]) ~= (expected[2][g][i] or false) then differs = false end
      end
      row = mark < 2 and row
    end
    texts[i] = given
  end
  if not differs then
    unchanged = unchanged + 1
  else
    kept[#kept + 1] = i
    if row then updated = updated + 1 else inserted = inserted + 1 end
    log_rows[#log_rows + 1] = row or rows + inserted - 1
  end
end
local first_rev = first_row and (condition ~= '' or #kept == 0) and tonumber(old[1][2]) or 0
if condition == '' then
  -- the usual one
elseif condition == '*' then
  if call('EXISTS', KEYS[4]) == 0 then return {'conflict', '0'} end
elseif string.sub(condition, 1, 1) == '@' then
  if tonumber(string.sub(condition, 2)) ~= seq - 1 then return {'conflict', digits(seq - 1)} end
elseif string.sub(condition, 1, 2) == '<=' then
  local latest = tonumber(string.sub(condition, 3))
  for i = 1, n_ids do
    local rev = tonumber(old[i][2]) or 0
    -- another program's hash has no revision, and exists all the same
    if rev > latest or (latest == 0 and call('EXISTS', KEYS[3 + i]) == 1) then
      return {'conflict', digits(rev), digits(i)}
    end
  end
elseif tonumber(condition) ~= first_rev then
  return {'conflict', digits(first_rev)}
end
if of_deals and #kept == 0 then return {'unchanged', digits(first_rev)} end

-- what a set says besides ----------------------------------------------------------------------------------------
local time = now[1] * 1000 + (now[2] - now[2] % 1000) / 1000
local latest = told or 0
if ats then
  for _, each in ipairs(ats) do latest = math.max(latest, each) end
end
if latest > time + FUTURE_MS then return {'future', digits(time)} end
local stamps, clears = kind == 'set' and updated > 0, kind == 'mend' or (kind == 'set' and not (one and #texts[1] == n_fields))
-- kind of the stage that a deal is moved to by hand, from one of another kind
local outcome, ahead_ms = nil, 0
if kind == 'set' then
  local by_hand, stage = string.sub(ARGV[12] or '', 1, 4) == 'hand' and n_ids == 1, nil
  for j = 1, n_fields do
    local name = names[2 + j]
    if name == 'updated' then stamps = false end
    if name == 'closed' then by_hand = false end
    if name == 'stage' then stage = j end
  end
  local before, after = stage and old[1][2 + stage], stage and texts[1][stage] or false
  if by_hand and stage and before ~= after then
    local pipeline, parsed, kinds = call('HGET', meta_key, 'pipeline') or '[]', nil, nil
    -- what says more than the stages
    if string.find(pipeline, '^%s*{') then parsed = cjson.decode(pipeline) end
    local function kind_of(name)
      if not name then return 'open' end
      -- as dealdb writes it, it need not be parsed, which takes as long as many commands
      local _, last = string.find(pipeline, '["' .. name .. '","', 1, true)
      if last and not string.find(name, '[%c"\\]') then return string.match(pipeline, '^%l+', last + 1) end
      if not kinds then
        parsed, kinds = parsed or cjson.decode(pipeline), {}
        for _, each in ipairs(parsed.stages or parsed) do kinds[each[1]] = each[2] end
      end
      return kinds[name] or 'open'
    end
    if not parsed or parsed.closes ~= false then
      outcome = kind_of(after)
      if outcome == kind_of(before) then outcome = nil end
    end
    local offset, zone = string.match(ARGV[12], ' (-?%d+) (%S+)$')
    if outcome and outcome ~= 'open' and zone then
      -- the day would be that of a zone that is no longer in force
      if zone ~= (parsed and parsed.zone or 'UTC') then return {'stale'} end
      ahead_ms = tonumber(offset)
    end
  end
end
local stamp, closing, closes = nil, nil, outcome and outcome ~= 'open'
if stamps or closes then
  -- civil date of a day number, by the method of eras of 400 years; n - n % 1 is the whole part of n
  local function text_of(ms)
    local t = (ms - ms % 1000) / 1000 % 86400
    local days = (ms - ms % 86400000) / 86400000 + 719468
    local doe = days % 146097
    local n = (doe - (doe - doe % 1460) / 1460 + (doe - doe % 36524) / 36524 - (doe - doe % 146096) / 146096) / 365
    local yoe = n - n % 1
    local doy = doe - (365 * yoe + (yoe - yoe % 4) / 4 - (yoe - yoe % 100) / 100)
    local mp = (5 * doy + 2 - (5 * doy + 2) % 153) / 153
    local month = mp < 10 and mp + 3 or mp - 9
    local year = yoe + (days - doe) / 146097 * 400 + (month <= 2 and 1 or 0)
    local day = doy - (153 * mp + 2 - (153 * mp + 2) % 5) / 5 + 1
    return string.format('%04d-%02d-%02dT%02d:%02d:%02dZ', year, month, day, t / 3600, t / 60 % 60, t % 60)
  end
  stamp = stamps and text_of(time)
  -- a deal is closed on the day on which it was won or lost
  closing = closes and string.sub(text_of((told or time) + ahead_ms), 1, 10)
end
if outcome then
  local found, closed = call('HGET', KEYS[4], 'closed'), closing or false
  if closed == found and (first_row or not closed) then
    outcome = nil
  else
    -- as if the change had given it
    n_fields = n_fields + 1
    names[2 + n_fields], old[1][2 + n_fields], texts[1][n_fields] = 'closed', found, closed or nil
    clears = clears or not closed
    -- the arguments may have another order than the payload
    ids, fields = cmsgpack.unpack(payload)[1], {unpack(names, 3, 2 + n_fields)}
  end
end

-- rights ---------------------------------------------------------------------------------------------------------
-- A right can be taken from a running writer, and a command that is denied midway would leave half a commit.
local may = redis.acl_check_cmd
local function is_denied(name, ...)
  if may then return not may(name, ...) end
  -- servers before 7 can't tell: a trial without effect. They have no rights by key but those of the reads above
  local reply = redis.pcall(name, ...)
  local problem = type(reply) == 'table' and reply.err or ''
  return string.find(problem, 'NOPERM') or string.find(problem, "can't run this command") or string.find(problem, "can't access")
end
if is_denied('XADD', log_key, '0-0', '', '') then return {'denied', 'XADD'} end
if clears then
  if is_denied('HDEL', may and KEYS[3 + kept[1]] or meta_key, '') then return {'denied', 'HDEL'} end
end
-- what is there already is written again; before the first commit of all, the record of its writer
if m[1] and is_denied('HSET', meta_key, 'format', m[1]) or (may or not m[1]) and is_denied('HSET', writers_key, writer, '0 # 0 void 0') then
  return {'denied', 'HSET'}
end
if kind == 'delete' and not change[2] then
  if may then
    for _, i in ipairs(kept) do
      if is_denied('DEL', KEYS[3 + i]) then return {'denied', 'DEL'} end
    end
  elseif #call('XRANGE', log_key, digits(seq) .. '-0', '+', 'COUNT', 1) == 0 and is_denied('DEL', KEYS[3 + kept[1]]) then
    -- no other trial of it is without effect; and nothing can keep the entry of this deal from being written now
    return {'denied', 'DEL'}
  end
elseif (kind == 'set' or kind == 'mend') and may then
  for _, i in ipairs(kept) do
    if is_denied('HSET', KEYS[3 + i], '', '') then return {'denied', 'HSET'} end
  end
elseif kind == 'add' and may then
  for i = 4, #KEYS, MOST_WORDS do
    -- of all keys at once; where it is denied, a look at each shows whether only DEL is missing
    if is_denied('DEL', unpack(KEYS, i, math.min(i + MOST_WORDS - 1, #KEYS))) then
      for j = i, math.min(i + MOST_WORDS - 1, #KEYS) do
        if is_denied('HSET', KEYS[j], '', '') then return {'denied', 'HSET'} end
      end
    end
  end
end

-- writes ---------------------------------------------------------------------------------------------------------
local seq_text, time_text = digits(seq), digits(time)
-- with the time: after a failover that lost the entry, the same commit sent again has another time, and stamps it
local hash = string.sub(redis.sha1hex((m[3] or writer) .. ' ' .. seq_text .. ' ' .. writer .. ' ' .. ARGV[2]
  .. ' ' .. time_text), 1, 16)

if outcome or (of_deals and change and (kind == 'mend' or (kind == 'delete' and change[2]) or #kept < n_ids)) then
  -- the log says what changed, not what was asked; false stands for nil, which would end a list in Lua
  local kept_ids, kept_columns = {}, {}
  for k, i in ipairs(kept) do kept_ids[k] = ids[i] end
  if kind == 'delete' then
    -- with no fields, what is deleted is leftover rows: the deals live on in others
    payload = cmsgpack.pack(change[2] and {kept_ids, {}, {}} or {kept_ids})
  else
    for j = 1, n_fields do
      kept_columns[j] = {}
      for k, i in ipairs(kept) do kept_columns[j][k] = texts[i][j] or false end
    end
    local kept_ats = (told or ats) and {} or nil
    if kept_ats then
      for k, i in ipairs(kept) do kept_ats[k] = told or ats[i] end
    end
    payload = cmsgpack.pack({kept_ids, fields, kept_columns, kept_ats})
  end
end

-- first of the writes, because it is the only one that can fail for a reason of its own (an id that is not the next)
local added = redis.pcall('XADD', log_key, seq_text .. '-0', 'hash', hash, 'time', time_text, 'writer', writer,
  'counter', ARGV[2], 'actor', actor, 'kind', kind, 'height', m[4] or '0', 'rows',
  of_deals and cmsgpack.pack(log_rows) or '', 'data', payload)
if type(added) == 'table' and added.err then
  if string.find(added.err, 'equal or smaller', 1, true) then return {'ahead'} end
  -- servers before 7 put the place in the script before it
  return redis.error_reply((string.gsub(added.err, '^@user_script: ?%d+: %-?', '')))
end

-- runs a command of so many words on a key; Lua can't hand over more than some 8,000 in one call, and would fail midway
local function run(words, n)
  if n <= MOST_WORDS then return call(unpack(words, 1, n)) end
  for i = 3, n, MOST_WORDS do
    call(words[1], words[2], unpack(words, i, math.min(i + MOST_WORDS - 1, n)))
  end
end

if kind == 'set' or kind == 'mend' then
  for k, i in ipairs(kept) do
    local key, given, is_new = KEYS[3 + i], texts[i], log_rows[k] >= rows
    local args = is_new and {'HSET', key, '_row', digits(log_rows[k]), '_rev', seq_text} or {'HSET', key, '_rev', seq_text}
    local n, cleared = #args, nil
    for j = 1, n_fields do
      if given[j] then
        args[n + 1], args[n + 2] = names[2 + j], given[j]
        n = n + 2
      elseif old[i][2 + j] then
        cleared = cleared or {'HDEL', key}
        cleared[#cleared + 1] = names[2 + j]
      end
    end
    if stamp and not is_new then
      args[n + 1], args[n + 2] = 'updated', stamp
    end
    run(args, n + (stamp and not is_new and 2 or 0))
    if cleared then run(cleared, #cleared) end
  end
elseif kind == 'add' then
  local args = {'HSET', '', '_row', '', '_rev', seq_text}
  for i = 1, inserted do
    local n = 6
    args[2], args[4] = KEYS[3 + i], rows + i - 1
    for j = 1, #fields do
      local value = columns[j][i]
      if value then
        args[n + 1], args[n + 2] = fields[j], value
        n = n + 2
      end
    end
    run(args, n)
  end
elseif kind == 'delete' and not change[2] then
  for _, i in ipairs(kept) do call('DEL', KEYS[3 + i]) end
end

answer = string.format('%s %d %d %d', seq_text, inserted, updated, unchanged)
local meta = {'seq', seq_text, 'hash', hash, 'time', time_text}
if inserted > 0 or kind ~= 'set' then
  meta[7], meta[8] = 'rows', digits(rows + inserted)
  meta[9], meta[10] = 'deals', digits((m[5] or 0) + inserted - (kind == 'delete' and updated or 0))
  if kind == 'schema' or kind == 'pipeline' then
    meta[11], meta[12] = kind, payload
    meta[13], meta[14] = kind .. '_version', string.sub(redis.sha1hex(payload), 1, 16)
  end
  if not m[1] then
    -- the first commit: a schema's
    meta[15], meta[16], meta[17], meta[18] = 'format', FORMAT, 'genesis', writer
  end
end
if (kind == 'facts' or latest > 0) and m[1] == FORMAT then
  meta[#meta + 1], meta[#meta + 2] = 'format', FORMAT_OF_FACTS
end
if m[6] and tonumber(m[6]) > time + CLOCK_SLACK_MS then
  -- the clock was ahead: what says so is kept, as the commits with those times are
  local future = tonumber(call('HGET', meta_key, 'future') or 0)
  meta[#meta + 1], meta[#meta + 2] = 'future', digits(math.max(tonumber(m[6]), future))
end
call('HSET', meta_key, unpack(meta))
record(answer, digest)
if ARGV[10] and ARGV[10] ~= '' then
  call('HSET', writers_key, 'load:' .. ARGV[10], writer .. ' ' .. ARGV[2] .. ' ' .. answer .. ' ' .. ARGV[11])
end
return {'ok', answer}
