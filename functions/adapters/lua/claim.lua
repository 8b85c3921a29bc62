-- Take a command's id and the model's turn, in one go.
-- KEYS: seen, model   ARGV: token, lease in ms, life of an id in s, fingerprint of the command
-- Answers {status, now in ms, …}: done {answer} | busy {wait in ms} | reused | superseded, new {first seen, rev, doc, plan}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local token, lease = ARGV[1], tonumber(ARGV[2])
local seen = redis.call('HMGET', KEYS[1], 'state', 'token', 'until', 'seq', 'answer', 'first', 'fingerprint')
local model = redis.call('HMGET', KEYS[2], 'rev', 'doc', 'plan', 'applied', 'busy', 'busy_until')
local state, mine = seen[1], seen[2] == token

if state and seen[7] ~= ARGV[4] then return {'reused', now} end
if state == 'done' then return {'done', now, seen[5]} end
if state == 'pending' and not mine and tonumber(seen[3]) > now then
  return {'busy', now, tonumber(seen[3]) - now}
end
if model[5] and model[5] ~= token and tonumber(model[6]) > now then
  return {'busy', now, tonumber(model[6]) - now}
end

local seq = seen[4] or redis.call('HINCRBY', KEYS[2], 'seq', 1)
local first = seen[6] or now
redis.call('HSET', KEYS[1], 'state', 'pending', 'token', token, 'until', now + lease, 'seq', seq, 'first', first,
  'fingerprint', ARGV[4])
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('HSET', KEYS[2], 'busy', token, 'busy_until', now + lease)
local status = 'new'
if model[4] and tonumber(seq) < tonumber(model[4]) then status = 'superseded' end
return {status, now, first, model[1] or '0', model[2] or '', model[3] or ''}
