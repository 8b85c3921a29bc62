-- A command's arrival: its id, its place in the model's line, and the model's lease where it is free. Without a command:
-- only the lease, for the next in line.
-- KEYS: seen, model, line, lines
-- ARGV: 1 token, 2 lease in ms, 3 life of an id in s, 4 fingerprint of the command, 5 subject, 6 the command or '',
--       7 1: it is a stop or a start, 8 the most that may wait in one line
-- Of the line: score = sequence, member = the command's seen key, ARGV[7] and ARGV[6], a line each. The keys of others'
-- commands are read from there; all share one hash tag.
-- Answers {status, now in ms, …}: done {answer} | refused {answer} | reused | full | line {commands ahead, wait in ms} |
--   none | new {first seen, rev, doc, plan, sequence, redelivered, seen key, command, or '' where it is the caller's}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local token, lease, arriving = ARGV[1], tonumber(ARGV[2]), ARGV[6] ~= ''
local model = redis.call('HMGET', KEYS[2], 'rev', 'doc', 'plan', 'busy', 'busy_until', 'seq')
local seq, fresh

if arriving then
  local seen = redis.call('HMGET', KEYS[1], 'state', 'seq', 'answer', 'fingerprint', 'told')
  local state = seen[1]
  if state and seen[4] ~= ARGV[4] then return {'reused', now} end
  if state == 'done' then return {'done', now, seen[3]} end
  -- A refusal that no caller got yet is answered once; after that the same command is tried again.
  if state == 'refused' and (not seen[5] or seen[5] == token) then
    redis.call('HSET', KEYS[1], 'told', token)
    return {'refused', now, seen[3]}
  end
  seq, fresh = seen[2], not seen[2]
  if fresh or redis.call('ZCOUNT', KEYS[3], seq, seq) == 0 then
    if redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[8]) then return {'full', now} end
    if fresh then
      -- The clock keeps the order rising across a loss of Redis' data; the model's annotation remembers it then.
      seq = string.format('%d', math.max(tonumber(model[6] or '0') + 1, now))
      redis.call('HSET', KEYS[2], 'seq', seq)
      redis.call('HSET', KEYS[1], 'first', now)
    end
    redis.call('ZADD', KEYS[3], seq, KEYS[1] .. '\n' .. ARGV[7] .. '\n' .. ARGV[6])
    redis.call('EXPIRE', KEYS[3], ARGV[3])
    redis.call('ZADD', KEYS[4], 'NX', now, ARGV[5])
    redis.call('HDEL', KEYS[1], 'told', 'answer')
    redis.call('HSET', KEYS[1], 'state', 'queued', 'seq', seq, 'fingerprint', ARGV[4])
    redis.call('EXPIRE', KEYS[1], ARGV[3])
    if not model[2] then redis.call('EXPIRE', KEYS[2], ARGV[3]) end
  end
end

if model[4] and model[4] ~= token and tonumber(model[5]) > now then
  if not arriving then return {'none', now} end
  return {'line', now, redis.call('ZCOUNT', KEYS[3], '-inf', '(' .. seq), tonumber(model[5]) - now}
end

-- The last stop or start goes first: once it is done the earlier ones are pointless, and where it is refused they are not.
local entries = redis.call('ZRANGE', KEYS[3], 0, -1, 'WITHSCORES')
local chosen = #entries > 0 and 1
for place = #entries - 1, 1, -2 do
  if string.match(entries[place], '^[^\n]*\n(%d)') == '1' then
    chosen = place
    break
  end
end
if not chosen then
  redis.call('ZREM', KEYS[4], ARGV[5])
  return {'none', now}
end
if not arriving then redis.call('ZADD', KEYS[4], 'XX', now, ARGV[5]) end -- tried: other models' lines come before it
local key, command = string.match(entries[chosen], '^([^\n]*)\n%d\n(.*)$')
local mine = arriving and key == KEYS[1]
local known = redis.call('HMGET', key, 'token', 'first')
local redelivered = not (mine and fresh) and known[1] ~= token
redis.call('HSET', key, 'state', 'pending', 'token', token, 'until', now + lease, 'seq', entries[chosen + 1])
redis.call('EXPIRE', key, ARGV[3])
redis.call('HSET', KEYS[2], 'busy', token, 'busy_until', now + lease)
if not model[2] then redis.call('EXPIRE', KEYS[2], ARGV[3]) end
return {'new', now, known[2] or now, model[1] or '0', model[2] or '', model[3] or '', tonumber(entries[chosen + 1]),
  redelivered and 1 or 0, key, mine and '' or command}
