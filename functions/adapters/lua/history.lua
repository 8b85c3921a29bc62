#!lua
-- The newest entries of one model, of what happened and of what was refused.
-- KEYS: index, index of refusals, history, refusals (its namespace's), history, refusals (the shared ones), the older stream
-- ARGV: how many of each   Answers {kind, h or r, as in the index; id, member of the index, fields} for each, flat
local found = {}
for kind = 1, 2 do
  for _, member in ipairs(redis.call('ZREVRANGE', KEYS[kind], 0, ARGV[1] - 1)) do
    local id, point, older = string.match(member, '^([^.]+)(%.?)(a?)$')
    if id then
      local key = older ~= '' and KEYS[7] or KEYS[kind + (point == '' and 2 or 4)]
      local entry = redis.call('XRANGE', key, id, id)[1]
      if entry then found[#found + 1] = {kind == 1 and 'h' or 'r', member, entry[2]} end
    end
  end
end
return found
