#!lua flags=allow-oom
-- Events leave the outbox: sent, or set aside where they can be read.
-- Also in a full Redis (allow-oom): what leaves makes room. What is set aside is as large as what it was.
-- KEYS: lane, outboxes, attempts, dead, counts   ARGV: lane's name, length of dead, why or '' (sent), now in ms, then the entries
for i = 5, #ARGV do
  if ARGV[3] ~= '' then
    local found = redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i])
    if found[1] then
      redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[2], '*', 'why', ARGV[3], 'lane', ARGV[1], 'at', ARGV[i], unpack(found[1][2]))
      redis.call('HINCRBY', KEYS[5], 'set_aside', 1)
    end
  end
  redis.call('XDEL', KEYS[1], ARGV[i])
  redis.call('HDEL', KEYS[3], ARGV[1] .. ' ' .. ARGV[i])
end
-- The lane that was served last is served again last.
if redis.call('XLEN', KEYS[1]) == 0 then
  redis.call('DEL', KEYS[1])
  redis.call('ZREM', KEYS[2], ARGV[1])
else
  redis.call('ZADD', KEYS[2], 'XX', ARGV[4], ARGV[1])
end
return 1
