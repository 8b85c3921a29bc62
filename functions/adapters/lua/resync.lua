-- The lease of the pass over all models: one tick at a time, and how far it has come.
-- KEYS: resync, synced
-- ARGV: 1 token, 2 lease in ms, 3 how often was saved ('' takes the lease), 4 doc, 5 completed 0|1, 6 give the lease back 0|1
-- Answers {saved, doc}, or {} where another tick has the lease or Redis lost what this pass rests on
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local state = redis.call('HMGET', KEYS[1], 'token', 'until', 'saved', 'doc')
local token, lease = ARGV[1], tonumber(ARGV[2])

if ARGV[3] == '' then
  if state[1] and state[1] ~= token and tonumber(state[2]) > now then return {} end
  redis.call('HSET', KEYS[1], 'token', token, 'until', now + lease)
  return {state[3] or '0', state[4] or ''}
end

if state[1] ~= token then return {} end
if (state[3] or '0') ~= ARGV[3] then
  redis.call('HDEL', KEYS[1], 'token')
  return {}
end
local saved = string.format('%d', tonumber(ARGV[3]) + 1)
redis.call('HSET', KEYS[1], 'saved', saved, 'doc', ARGV[4], 'until', now + lease)
-- The token of the pass names the data: a reader of a long list can tell that Redis was not lost in between.
if ARGV[5] == '1' then redis.call('SET', KEYS[2], token, 'NX') end
if ARGV[6] == '1' then redis.call('HDEL', KEYS[1], 'token') end
return {saved, ARGV[4]}
