-- Everything that a step leaves behind, or nothing: all is checked before anything is written.
-- KEYS: seen, model, audit, outbox, due, index
-- ARGV: 1 commit id, 2 token or '', 3 expected rev, 4 doc or '', 5 object version, 6 pods version, 7 answer or '',
--       8 apply 0|1, 9 forget 0|1, 10 due in ms or '', 11 subject, 12 audit length, 13 number of audit entries, then
--       those entries, then the facts
-- Answers ok | conflict | stale | lost
local token, doc, forget = ARGV[2], ARGV[4], ARGV[9] == '1'
local model = redis.call('HMGET', KEYS[2], 'rev', 'ver', 'pver', 'cid', 'busy')
local seq
if model[4] == ARGV[1] then return 'ok' end
if token ~= '' then
  local seen = redis.call('HMGET', KEYS[1], 'token', 'seq', 'state')
  if seen[1] ~= token or seen[3] ~= 'pending' then return 'lost' end
  seq = seen[2]
end
if doc ~= '' or forget then
  if (model[1] or '0') ~= ARGV[3] then return 'conflict' end
end
if doc ~= '' and model[2] then
  if tonumber(ARGV[5]) < tonumber(model[2]) or tonumber(ARGV[6]) < tonumber(model[3]) then return 'stale' end
end

redis.call('HSET', KEYS[2], 'cid', ARGV[1])
if doc ~= '' then
  redis.call('HSET', KEYS[2], 'rev', tonumber(ARGV[3]) + 1, 'doc', doc, 'ver', ARGV[5], 'pver', ARGV[6])
  redis.call('ZADD', KEYS[6], 0, ARGV[11])
  if ARGV[10] ~= '' then redis.call('ZADD', KEYS[5], ARGV[10], ARGV[11]) else redis.call('ZREM', KEYS[5], ARGV[11]) end
end
if forget then
  redis.call('HDEL', KEYS[2], 'doc', 'ver', 'pver', 'plan')
  redis.call('HINCRBY', KEYS[2], 'rev', 1)
  redis.call('EXPIRE', KEYS[2], 604800)
  redis.call('ZREM', KEYS[6], ARGV[11])
  redis.call('ZREM', KEYS[5], ARGV[11])
elseif doc ~= '' then
  redis.call('PERSIST', KEYS[2])
end
if token ~= '' then
  if ARGV[7] ~= '' then
    redis.call('HSET', KEYS[1], 'state', 'done', 'answer', ARGV[7])
  else
    redis.call('HSET', KEYS[1], 'state', 'released')
  end
  if ARGV[8] == '1' then redis.call('HSET', KEYS[2], 'applied', seq) end
  if model[5] == token then redis.call('HDEL', KEYS[2], 'busy', 'busy_until', 'plan') end
end
local entries = tonumber(ARGV[13])
for i = 14, 13 + entries do redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[12], '*', 'd', ARGV[i]) end
for i = 14 + entries, #ARGV do redis.call('XADD', KEYS[4], '*', 'd', ARGV[i]) end
return 'ok'
