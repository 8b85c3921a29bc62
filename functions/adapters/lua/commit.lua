#!lua
-- Everything that a step leaves behind, or nothing: all is checked before anything is written.
-- The first line has Redis check its memory before anything is written, too.
-- KEYS: 1 seen, 2 model, 3 due, 4 models, 5 artifacts, 6 changes, 7 namespaces, 8 history, 9 refusals, 10 letters, 11 outbox,
--       12 outboxes, 13 counts, 14 index of the model's history, 15 of its refusals
-- ARGV: 1 commit id, 2 token or '', 3 expected rev, 4 doc or '', 5 object version, 6 pods version,
--       7 answer or '', '!' before a refusal that no caller waits for,
--       8 forget 0|1, 9 due in ms or '', 10 subject or '', 11 namespace or '', 12 uid, 13 how long looks can overlap in ms,
--       14 kinds of the audit entries, a letter each: h history, r refusals, 15 the model's artifacts, a line each,
--       16 digest of what people are shown of it, 17 kinds of the events: c own command, f other event, 18 letter or '',
--       19 quiet 0|1: open pages need not know, 20 schema number, 21 limits, then the audit entries, then the events
-- Limits: all namespaces' entries of history, refusals, letters, events; entries of all indexes; namespaces; changes;
--       how long what is left of a deleted model is kept, in s
-- Answers ok | last: as ok, and no command is left in the model's line | conflict | stale | lost
local token, doc, forget = ARGV[2], ARGV[4], ARGV[8] == '1'
local subject, namespace = ARGV[10], ARGV[11]
local kinds, events = ARGV[14], ARGV[17]
local limits = {}
for number in string.gmatch(ARGV[21], '%d+') do limits[#limits + 1] = tonumber(number) end
local model = redis.call('HMGET', KEYS[2], 'rev', 'ver', 'pver', 'cid', 'busy', 'uid', 'at', 'artifacts', 'shown')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local recorded, last = model[7], false
if model[4] == ARGV[1] then return 'ok' end
if token ~= '' then
  local seen = redis.call('HMGET', KEYS[1], 'token', 'state')
  if seen[1] ~= token or seen[2] ~= 'pending' then return 'lost' end
end
if doc ~= '' or forget then
  if (model[1] or '0') ~= ARGV[3] then return 'conflict' end
end
-- Versions order looks that overlap. Long after, a lower one is the truth of a cluster that was restored.
if doc ~= '' and model[2] and model[6] == ARGV[12] and now - tonumber(recorded) < tonumber(ARGV[13]) then
  if tonumber(ARGV[5]) < tonumber(model[2]) or tonumber(ARGV[6]) < tonumber(model[3]) then return 'stale' end
end
-- A model that never was leaves no key.
if forget and not recorded then forget = false end

-- One entry per artifact and model, "PLACE\tSUBJECT", so that an artifact's models are found without reading any record.
local function index(command, lines)
  for place in string.gmatch(lines, '[^\n]+') do
    if command == 'ZADD' then redis.call('ZADD', KEYS[5], 0, place .. '\t' .. subject)
    else redis.call('ZREM', KEYS[5], place .. '\t' .. subject) end
  end
end
local indexed = model[8] or ''
local wanted = forget and '' or (doc ~= '' and ARGV[15] or indexed)
if wanted ~= indexed then
  index('ZREM', indexed)
  index('ZADD', wanted)
  redis.call('HSET', KEYS[2], 'artifacts', wanted)
end

if doc ~= '' or forget or token ~= '' then redis.call('HSET', KEYS[2], 'cid', ARGV[1]) end
if doc ~= '' then
  redis.call('HSET', KEYS[2], 'rev', tonumber(ARGV[3]) + 1, 'doc', doc, 'ver', ARGV[5], 'pver', ARGV[6],
    'uid', ARGV[12], 'at', string.format('%d', now), 'shown', ARGV[16])
  redis.call('ZADD', KEYS[4], 0, subject)
  if ARGV[9] ~= '' then redis.call('ZADD', KEYS[3], ARGV[9], subject) else redis.call('ZREM', KEYS[3], subject) end
end
if forget then
  redis.call('HDEL', KEYS[2], 'doc', 'ver', 'pver', 'uid', 'at', 'plan', 'plan_schema', 'shown')
  redis.call('HINCRBY', KEYS[2], 'rev', 1)
  redis.call('EXPIRE', KEYS[2], limits[8])
  redis.call('ZREM', KEYS[4], subject)
  redis.call('ZREM', KEYS[3], subject)
elseif doc ~= '' then
  redis.call('PERSIST', KEYS[2])
end
if token ~= '' then
  if ARGV[7] ~= '' then
    local refusal = string.sub(ARGV[7], 1, 1) == '!'
    local answer = refusal and string.sub(ARGV[7], 2) or ARGV[7]
    redis.call('HSET', KEYS[1], 'state', refusal and 'refused' or 'done', 'answer', answer, 'schema', ARGV[20])
    -- A plan is done with once a record says what came of it. A dropped command may meet the plan of another.
    if doc ~= '' then redis.call('HDEL', KEYS[2], 'plan', 'plan_schema') end
  else
    redis.call('HSET', KEYS[1], 'state', 'released')
  end
  if model[5] == token then redis.call('HDEL', KEYS[2], 'busy', 'busy_until') end
  local line, place = '{modelswitch}:line:' .. subject, redis.call('HGET', KEYS[1], 'seq')
  redis.call('ZREMRANGEBYSCORE', line, place, place)
  last = redis.call('ZCARD', line) == 0
  if last then redis.call('ZREM', '{modelswitch}:lines', subject) end
  -- Of a model that is not there, only long enough to tell this commit if it comes again.
  if doc == '' and not recorded and redis.call('HEXISTS', KEYS[2], 'plan') == 0 and redis.call('EXISTS', line) == 0 then
    redis.call('EXPIRE', KEYS[2], 60)
  end
end

-- Streams of its own has only a namespace that had a model; what concerns another one shares those of the installation.
local known = doc ~= '' or recorded
local own = namespace ~= '' and redis.call('ZSCORE', KEYS[7], namespace)
if known and not own and namespace ~= '' and redis.call('ZCARD', KEYS[7]) < limits[6] then
  redis.call('ZADD', KEYS[7], now, namespace)
  own = true
end
local spaces = math.max(1, redis.call('ZCARD', KEYS[7]))
local function share(total, most, least) return math.max(least, math.min(most, math.floor(total / spaces))) end
local lengths = {
  [KEYS[8]] = share(limits[1], 10000, 50), [KEYS[9]] = share(limits[2], 1000, 10),
  [KEYS[10]] = share(limits[3], 1000, 2), [KEYS[11]] = share(limits[4], 10000, 50),
}
local function stream(key) return own and key .. ':' .. namespace or key end
local function add(key, ...) return redis.call('XADD', stream(key), 'MAXLEN', '~', lengths[key], '*', ...) end

local most = math.max(100, math.min(1000, math.floor(limits[5] / math.max(1, redis.call('ZCARD', KEYS[4])))))
local function remember(place, key, entry)
  redis.call('ZADD', place, 0, entry .. (own and '' or '.'))
  redis.call('ZREMRANGEBYRANK', place, 0, -most - 1)
  if now % 8 == 0 then
    local oldest = redis.call('XRANGE', stream(key), '-', '+', 'COUNT', 1)[1][1]
    redis.call('ZREMRANGEBYLEX', place, '-', '(' .. string.match(oldest, '^%d+'))
  end
end
-- What open pages follow: each audit entry, and what people are shown otherwise without one.
local function change(...) redis.call('XADD', KEYS[6], 'MAXLEN', '~', limits[7], '*', 's', subject, ...) end

local letter = ARGV[18] ~= '' and add(KEYS[10], 'd', ARGV[18]) .. (own and '.' .. namespace or '.')
for i = 1, #kinds do
  local refused = string.sub(kinds, i, i) == 'r'
  local key, text = refused and KEYS[9] or KEYS[8], ARGV[21 + i]
  local entry = letter and add(key, 'd', text, 'v', ARGV[20], 'l', letter) or add(key, 'd', text, 'v', ARGV[20])
  if known then remember(refused and KEYS[15] or KEYS[14], key, entry) end
  if known and ARGV[19] == '0' then change('a', text) end
end
if #kinds == 0 and ((forget and model[9]) or (doc ~= '' and model[9] ~= ARGV[16])) then change() end
for i = 1, #events do
  local lane = string.sub(events, i, i) .. '.' .. (own and namespace or '')
  local key = KEYS[11] .. ':' .. lane
  if redis.call('XLEN', key) >= lengths[KEYS[11]] then redis.call('HINCRBY', KEYS[13], 'dropped', 1) end
  redis.call('XADD', key, 'MAXLEN', '~', lengths[KEYS[11]], '*', 'd', ARGV[21 + #kinds + i])
  redis.call('ZADD', KEYS[12], 'NX', now, lane)
end

-- Where the last model of a namespace is gone, what is left of it goes too, later.
if forget then
  redis.call('EXPIRE', KEYS[14], limits[8])
  redis.call('EXPIRE', KEYS[15], limits[8])
end
if own and (forget or (doc ~= '' and not recorded)) then
  local prefix = 'namespaces/' .. namespace
  local left = redis.call('ZRANGEBYLEX', KEYS[4], '[' .. prefix .. '/', '(' .. prefix .. '0', 'LIMIT', 0, 1)
  for _, key in ipairs({KEYS[8], KEYS[9], KEYS[10]}) do
    if #left == 0 then redis.call('EXPIRE', stream(key), limits[8]) else redis.call('PERSIST', stream(key)) end
  end
  if doc ~= '' then
    redis.call('PERSIST', KEYS[14])
    redis.call('PERSIST', KEYS[15])
  end
end
-- Each share gets smaller as namespaces are added: one of the others is cut to its own, or left out once it is gone.
if #kinds > 0 and now % 8 == 0 then
  local other = redis.call('ZRANDMEMBER', KEYS[7])
  local left = 0
  for _, key in ipairs({KEYS[8], KEYS[9], KEYS[10]}) do
    if other and redis.call('EXISTS', key .. ':' .. other) == 1 then
      left = left + 1
      redis.call('XTRIM', key .. ':' .. other, 'MAXLEN', '~', lengths[key])
    end
  end
  if other and left == 0 then redis.call('ZREM', KEYS[7], other) end
end
return last and 'last' or 'ok'
