-- Take a command's id and the model's turn, in one go.
-- KEYS: seen, model   ARGV: token, lease in ms, life of an id in s, fingerprint of the command
-- Answers {status, now in ms, …}: done {answer} | busy {wait in ms} | reused |
--   new {first seen, rev, doc, plan, sequence, redelivered}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local token, lease = ARGV[1], tonumber(ARGV[2])
local seen = redis.call('HMGET', KEYS[1], 'state', 'token', 'until', 'seq', 'answer', 'first', 'fingerprint')
local model = redis.call('HMGET', KEYS[2], 'rev', 'doc', 'plan', 'busy', 'busy_until', 'seq')
local state, mine = seen[1], seen[2] == token

if state and seen[7] ~= ARGV[4] then return {'reused', now} end
if state == 'done' then return {'done', now, seen[5]} end
if state == 'pending' and not mine and tonumber(seen[3]) > now then
  return {'busy', now, tonumber(seen[3]) - now}
end
if model[4] and model[4] ~= token and tonumber(model[5]) > now then
  return {'busy', now, tonumber(model[5]) - now}
end

-- The clock keeps the order rising across a loss of Redis' data; the model's annotation remembers it then.
local seq = seen[4]
if not seq then
  seq = math.max(tonumber(model[6] or '0') + 1, now)
  redis.call('HSET', KEYS[2], 'seq', string.format('%d', seq))
end
local first = seen[6] or now
local redelivered = seen[4] and not mine
redis.call('HSET', KEYS[1], 'state', 'pending', 'token', token, 'until', now + lease,
  'seq', string.format('%d', seq), 'first', first,
  'fingerprint', ARGV[4])
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('HSET', KEYS[2], 'busy', token, 'busy_until', now + lease)
if not model[2] then redis.call('EXPIRE', KEYS[2], ARGV[3]) end
return {'new', now, first, model[1] or '0', model[2] or '', model[3] or '', tonumber(seq), redelivered and 1 or 0}
