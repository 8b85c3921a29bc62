-- Store what is about to be done, while the model's lease is still held: Redis may have lost it with its data, and another
-- command may be at work by now.
-- KEYS: model   ARGV: token, plan, its schema number   Answers ok | lost
if redis.call('HGET', KEYS[1], 'busy') ~= ARGV[1] then return 'lost' end
redis.call('HSET', KEYS[1], 'plan', ARGV[2], 'plan_schema', ARGV[3])
return 'ok'
