-- Give a model's lease back without an answer. The command stays in line, at its place, or leaves it and may come again:
-- under the same id it has the same place.
-- KEYS: seen, model, line, lines   ARGV: token, 1: it stays in line, subject   Answers ok | lost
local seen = redis.call('HMGET', KEYS[1], 'token', 'state', 'seq')
if redis.call('HGET', KEYS[2], 'busy') == ARGV[1] then redis.call('HDEL', KEYS[2], 'busy', 'busy_until') end
if seen[1] ~= ARGV[1] or seen[2] ~= 'pending' then return 'lost' end
redis.call('HSET', KEYS[1], 'state', ARGV[2] == '1' and 'queued' or 'released')
if ARGV[2] ~= '1' then
  redis.call('ZREMRANGEBYSCORE', KEYS[3], seen[3], seen[3])
  if redis.call('ZCARD', KEYS[3]) == 0 then redis.call('ZREM', KEYS[4], ARGV[3]) end
end
return 'ok'
