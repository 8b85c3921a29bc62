-- Everything that a step leaves behind, or nothing: all is checked before anything is written.
-- KEYS: seen, model, audit, outbox, due, index, artifacts, changes
-- ARGV: 1 commit id, 2 token or '', 3 expected rev, 4 doc or '', 5 object version, 6 pods version,
--       7 answer or '', '!' before a refusal that no caller gets yet,
--       8 forget 0|1, 9 due in ms or '', 10 subject, 11 audit length, 12 uid, 13 how long looks can overlap in ms,
--       14 number of audit entries, 15 the model's artifacts, a line each, 16 digest of what people are shown of it,
--       17 length of changes, then the audit entries, then the facts
-- Answers ok | conflict | stale | lost
local token, doc, forget = ARGV[2], ARGV[4], ARGV[8] == '1'
local model = redis.call('HMGET', KEYS[2], 'rev', 'ver', 'pver', 'cid', 'busy', 'uid', 'at', 'artifacts', 'shown')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if model[4] == ARGV[1] then return 'ok' end
if token ~= '' then
  local seen = redis.call('HMGET', KEYS[1], 'token', 'state')
  if seen[1] ~= token or seen[2] ~= 'pending' then return 'lost' end
end
if doc ~= '' or forget then
  if (model[1] or '0') ~= ARGV[3] then return 'conflict' end
end
-- Versions order looks that overlap. Long after, a lower one is the truth of a cluster that was restored.
if doc ~= '' and model[2] and model[6] == ARGV[12] and now - tonumber(model[7]) < tonumber(ARGV[13]) then
  if tonumber(ARGV[5]) < tonumber(model[2]) or tonumber(ARGV[6]) < tonumber(model[3]) then return 'stale' end
end

-- One entry per artifact and model, "PLACE\tSUBJECT", so that an artifact's models are found without reading any record.
local function index(command, lines)
  for place in string.gmatch(lines, '[^\n]+') do
    if command == 'ZADD' then redis.call('ZADD', KEYS[7], 0, place .. '\t' .. ARGV[10])
    else redis.call('ZREM', KEYS[7], place .. '\t' .. ARGV[10]) end
  end
end
local indexed = model[8] or ''
local wanted = forget and '' or (doc ~= '' and ARGV[15] or indexed)
if wanted ~= indexed then
  index('ZREM', indexed)
  index('ZADD', wanted)
  redis.call('HSET', KEYS[2], 'artifacts', wanted)
end

redis.call('HSET', KEYS[2], 'cid', ARGV[1])
if doc ~= '' then
  redis.call('HSET', KEYS[2], 'rev', tonumber(ARGV[3]) + 1, 'doc', doc, 'ver', ARGV[5], 'pver', ARGV[6],
    'uid', ARGV[12], 'at', string.format('%d', now), 'shown', ARGV[16])
  redis.call('ZADD', KEYS[6], 0, ARGV[10])
  if ARGV[9] ~= '' then redis.call('ZADD', KEYS[5], ARGV[9], ARGV[10]) else redis.call('ZREM', KEYS[5], ARGV[10]) end
end
if forget then
  redis.call('HDEL', KEYS[2], 'doc', 'ver', 'pver', 'uid', 'at', 'plan', 'shown')
  redis.call('HINCRBY', KEYS[2], 'rev', 1)
  redis.call('EXPIRE', KEYS[2], 604800)
  redis.call('ZREM', KEYS[6], ARGV[10])
  redis.call('ZREM', KEYS[5], ARGV[10])
elseif doc ~= '' then
  redis.call('PERSIST', KEYS[2])
end
if token ~= '' then
  if ARGV[7] ~= '' then
    local refusal = string.sub(ARGV[7], 1, 1) == '!'
    local answer = refusal and string.sub(ARGV[7], 2) or ARGV[7]
    redis.call('HSET', KEYS[1], 'state', refusal and 'refused' or 'done', 'answer', answer)
    -- A plan is done with once a record says what came of it. A dropped command may meet the plan of another.
    if doc ~= '' then redis.call('HDEL', KEYS[2], 'plan') end
  else
    redis.call('HSET', KEYS[1], 'state', 'released')
  end
  if model[5] == token then redis.call('HDEL', KEYS[2], 'busy', 'busy_until') end
  local line, place = '{modelswitch}:line:' .. ARGV[10], redis.call('HGET', KEYS[1], 'seq')
  redis.call('ZREMRANGEBYSCORE', line, place, place)
  if redis.call('ZCARD', line) == 0 then redis.call('ZREM', '{modelswitch}:lines', ARGV[10]) end
end
local entries = tonumber(ARGV[14])
-- What open pages follow: each audit entry, and what people are shown otherwise without one.
local function change(field, value) redis.call('XADD', KEYS[8], 'MAXLEN', '~', ARGV[17], '*', field, value) end
for i = 18, 17 + entries do
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[11], '*', 'd', ARGV[i])
  change('d', ARGV[i])
end
if entries == 0 and ((forget and model[9]) or (doc ~= '' and model[9] ~= ARGV[16])) then change('s', ARGV[10]) end
for i = 18 + entries, #ARGV do redis.call('XADD', KEYS[4], '*', 'd', ARGV[i]) end
return 'ok'
