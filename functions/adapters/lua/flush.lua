#!lua flags=allow-oom
-- One process at a time sends what waits, so that each event is sent once; a process that died leaves it after its lease.
-- Also in a full Redis (allow-oom): what waits must leave it, and a lease is one small key.
-- KEYS: flush   ARGV: token, lease in ms, take | end
-- take answers 1, or 0 where another process is at it: that one is then asked to look once more.
-- end answers 1 where it was asked to look once more, and keeps the lease; else 0.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local state = redis.call('HMGET', KEYS[1], 'token', 'until', 'again')
local mine = state[1] == ARGV[1]
if ARGV[3] == 'end' then
  if not mine then return 0 end
  if state[3] then
    redis.call('HDEL', KEYS[1], 'again')
    return 1
  end
  redis.call('DEL', KEYS[1])
  return 0
end
if state[1] and not mine and tonumber(state[2]) > now then
  redis.call('HSET', KEYS[1], 'again', 1)
  return 0
end
redis.call('HSET', KEYS[1], 'token', ARGV[1], 'until', now + tonumber(ARGV[2]))
redis.call('PEXPIRE', KEYS[1], 10 * tonumber(ARGV[2]))
return 1
