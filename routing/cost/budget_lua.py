"""What a Redis server does for budgets, each in one step for all machines.

Lua has only binary floats, exact to 2^53, which is 9,007 dollars in picodollars: amounts go as two numbers, whole
microdollars and the picodollars beyond them. A counter is a hash with `s`pent, `r`eserved and `a`ssumed, a reservation
a key that says "held", "overdue" or "settled", or, after the server lost its data, nothing.
"""

from __future__ import annotations

_MONEY = """
local function read(key, field)
  local found = redis.call('HMGET', key, field .. 'h', field .. 'l')
  return tonumber(found[1] or 0), tonumber(found[2] or 0)
end
local function add(key, field, high, low, sign)
  local h, l = read(key, field)
  h, l = h + sign * high, l + sign * low
  if l < 0 then h, l = h - 1, l + 1000000 end
  if l >= 1000000 then h, l = h + 1, l - 1000000 end
  redis.call('HSET', key, field .. 'h', string.format('%.0f', h), field .. 'l', string.format('%.0f', l))
  return h, l
end
local function keep(key, seconds)
  if seconds ~= '' then redis.call('EXPIRE', key, seconds) end
end
local function list(period, subject, seconds)
  if subject ~= '' then
    redis.call('SADD', period, string.sub(subject, 2))
    keep(period, seconds)
  end
end
"""

RESERVE = (
    _MONEY
    + """
-- KEYS: the reservation, the leases, and for each claim: its budget, its period, its counter
-- ARGV: id, now, until, seconds to keep the reservation, bound (2), home, and for each claim: limit (2), seconds to
-- keep its counter, its subject to be listed after a '=', or ''
local id, now, high, low, home = ARGV[1], ARGV[2], tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7]
local claims = (#KEYS - 2) / 3
for claim = 1, claims do
  if redis.call('HEXISTS', KEYS[3 * claim], home) == 0 then return {'begin', claim - 1} end
end
for _, lost in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 50)) do
  redis.call('ZREM', KEYS[2], lost)
  local held = redis.call('GET', '{plumbline}:reserved:' .. lost)
  if held then
    local parts = cjson.decode(held)
    for counter = 3, #parts do
      add(parts[counter], 'r', parts[1], parts[2], -1)
      add(parts[counter], 's', parts[1], parts[2], 1)
      add(parts[counter], 'a', parts[1], parts[2], 1)
    end
    redis.call('SET', '{plumbline}:reserved:' .. lost, 'overdue', 'EX', 86400)
  end
end
for claim = 1, claims do
  local sh, sl = read(KEYS[3 * claim + 2], 's')
  local rh, rl = read(KEYS[3 * claim + 2], 'r')
  local h, l = sh + rh + high, sl + rl + low
  h, l = h + math.floor(l / 1000000), l % 1000000
  local limit, rest = tonumber(ARGV[4 * claim + 4]), tonumber(ARGV[4 * claim + 5])
  if h > limit or (h == limit and l > rest) then
    return {'full', claim - 1, string.format('%.0f', sh), string.format('%.0f', sl),
            string.format('%.0f', rh), string.format('%.0f', rl)}
  end
end
local held = {ARGV[5], ARGV[6]}
for claim = 1, claims do
  local counter, seconds = KEYS[3 * claim + 2], ARGV[4 * claim + 6]
  add(counter, 'r', high, low, 1)
  keep(counter, seconds)
  list(KEYS[3 * claim + 1], ARGV[4 * claim + 7], seconds)
  held[#held + 1] = counter
end
redis.call('SET', KEYS[1], cjson.encode(held), 'EX', ARGV[4])
redis.call('ZADD', KEYS[2], ARGV[3], id)
return {'held'}
"""
)

SETTLE = (
    _MONEY
    + """
-- KEYS: the reservation, the leases, and for each claim: its budget, its period, its counter
-- ARGV: id, bound (2), cost (2) or '', '', seconds to remember that it is settled, home, and for each claim: soft (2),
-- seconds to keep its counter, its subject as above
local state = redis.call('GET', KEYS[1])
if state == 'settled' then return {} end
local high, low = tonumber(ARGV[2]), tonumber(ARGV[3])
local unknown = ARGV[4] == ''
local warning = {}
for claim = 1, (#KEYS - 2) / 3 do
  local key = KEYS[3 * claim + 2]
  -- Of a budget that this home is still to begin with its ledger, a call that is not held here is in there.
  if not state and redis.call('HEXISTS', KEYS[3 * claim], ARGV[7]) == 0 then break end
  if state == 'overdue' then
    add(key, 's', high, low, -1)
    add(key, 'a', high, low, -1)
  elseif state then
    add(key, 'r', high, low, -1)
  else
    list(KEYS[3 * claim + 1], ARGV[4 * claim + 7], ARGV[4 * claim + 6])
  end
  local sh, sl
  if unknown then
    sh, sl = add(key, 's', high, low, 1)
    add(key, 'a', high, low, 1)
  else
    sh, sl = add(key, 's', tonumber(ARGV[4]), tonumber(ARGV[5]), 1)
  end
  keep(key, ARGV[4 * claim + 6])
  local soft, rest = tonumber(ARGV[4 * claim + 4]), tonumber(ARGV[4 * claim + 5])
  if (sh > soft or (sh == soft and sl >= rest)) and redis.call('HSETNX', key, 'w', 1) == 1 then
    warning[#warning + 1] = claim - 1
    warning[#warning + 1] = string.format('%.0f', sh)
    warning[#warning + 1] = string.format('%.0f', sl)
  end
end
redis.call('SET', KEYS[1], 'settled', 'EX', ARGV[6])
redis.call('ZREM', KEYS[2], ARGV[1])
return warning
"""
)

BEGIN = (
    _MONEY
    + """
-- KEYS: the budget, its period, and the counters of subjects; ARGV: home, seconds to keep them, and for each: subject,
-- spent (2)
if redis.call('HSETNX', KEYS[1], ARGV[1], 1) == 0 then return 0 end
for counter = 3, #KEYS do
  add(KEYS[counter], 's', tonumber(ARGV[3 * counter - 5]), tonumber(ARGV[3 * counter - 4]), 1)
  keep(KEYS[counter], ARGV[2])
  redis.call('SADD', KEYS[2], ARGV[3 * counter - 6])
  keep(KEYS[2], ARGV[2])
end
return 1
"""
)

STATES = (
    _MONEY
    + """
-- KEYS: a budget's period; returns for each subject: its name, spent (2), reserved (2), assumed (2)
local found = {}
for _, subject in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  found[#found + 1] = subject
  for _, field in ipairs({'s', 'r', 'a'}) do
    local h, l = read(KEYS[1] .. ':' .. subject, field)
    found[#found + 1] = string.format('%.0f', h)
    found[#found + 1] = string.format('%.0f', l)
  end
end
return found
"""
)
