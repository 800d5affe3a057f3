#include "proxy/cache/redis_scripts.hpp"

namespace postern::proxy {
namespace {

// Numbers beyond 2^53 do not survive Lua, hence positions as hex digits of fixed width, which
// compare as text. A version lives two days past its last change: twice the longest TTL.
constexpr std::string_view kCommon = R"lua(
local UNKNOWN, CONTESTED = 'fffffffffffffffe', 'ffffffffffffffff'
local function clock()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
local function epoch_of(key, now, me)
  local all, epoch, mine, gone = redis.call('HGETALL', key), nil, false, false
  for i = 1, #all, 2 do
    if all[i] == 'e' then
      epoch = all[i + 1]
    else
      if tonumber(all[i + 1]) < now then gone = true end
      if all[i] == me then mine = true end
    end
  end
  if not mine or not epoch then return nil, 3 end
  if gone then return nil, 2 end
  return epoch, 0
end
local function soonest(lease, moment, now)
  return string.format('%.0f', math.min(now + tonumber(lease), tonumber(moment)))
end
local function write(key, token, position, now)
  redis.call('HSET', key, 't', token, 'p', position, 'c', string.format('%.0f', now))
  redis.call('PEXPIRE', key, 172800000)
end
local function renewed(old, position, others)
  if position == nil or old == CONTESTED then return others and CONTESTED or UNKNOWN end
  if old == UNKNOWN or old < position then return position end
  return old
end
local function version(key, now, fresh)
  local all, token, position, changed = redis.call('HGETALL', key), nil, nil, nil
  local live, dead = {}, {}
  for i = 1, #all, 2 do
    local field, value = all[i], all[i + 1]
    if field == 't' then token = value
    elseif field == 'p' then position = value
    elseif field == 'c' then changed = tonumber(value)
    elseif tonumber(value) < now then dead[#dead + 1] = field
    else live[field] = true end
  end
  local marked = next(live) ~= nil
  if #dead > 0 then redis.call('HDEL', key, unpack(dead)) end
  if not token or #dead > 0 then
    token, position = fresh, renewed(position or UNKNOWN, nil, marked)
    changed = now
    write(key, token, position, now)
  end
  return token, position, marked, live, changed
end
local function settled(key, position, changed)
  if position ~= UNKNOWN or ARGV[3] == '' or changed > tonumber(ARGV[4]) then return position end
  redis.call('HSET', key, 'p', ARGV[3])
  return ARGV[3]
end
local function vector(first, epoch, now, fresh)
  local tokens, positions, marked = {epoch}, {}, false
  for i = first, #KEYS do
    local t, p, m, _, changed = version(KEYS[i], now, fresh)
    tokens[#tokens + 1] = t
    positions[#positions + 1] = {KEYS[i], p, changed}
    marked = marked or m
  end
  return table.concat(tokens), positions, marked
end
)lua";

constexpr std::string_view kTime = "return clock()";

constexpr std::string_view kJoin = R"lua(
local me = ARGV[1]
if ARGV[4] == '1' or redis.call('HEXISTS', KEYS[1], me) == 1 or
   redis.call('HEXISTS', KEYS[1], 'e') == 0 then
  redis.call('HSET', KEYS[1], 'e', ARGV[2])
end
local now = clock()
redis.call('HSET', KEYS[1], me, soonest(ARGV[5], ARGV[3], now))
return now
)lua";

constexpr std::string_view kRenew = R"lua(
local old = redis.call('HGET', KEYS[1], ARGV[1])
if not old then return 0 end
local now = clock()
redis.call('HSET', KEYS[1], ARGV[1], soonest(ARGV[3], ARGV[2], now))
return now
)lua";

constexpr std::string_view kLeave = R"lua(
redis.call('HDEL', KEYS[1], ARGV[1])
return 1
)lua";

constexpr std::string_view kLookup = R"lua(
local now = clock()
local epoch, problem = epoch_of(KEYS[1], now, ARGV[1])
if not epoch then return {problem} end
local tokens, positions, marked = vector(3, epoch, now, ARGV[2])
if marked then return {1} end
local entry = redis.call('GET', KEYS[2])
if entry and string.sub(entry, 1, #tokens) ~= tokens then entry = false end
for i, p in ipairs(positions) do positions[i] = settled(p[1], p[2], p[3]) end
return {0, entry, tokens, table.concat(positions)}
)lua";

constexpr std::string_view kStore = R"lua(
local now = clock()
local epoch = epoch_of(KEYS[1], now, ARGV[1])
if not epoch then return 0 end
local tokens, _, marked = vector(3, epoch, now, ARGV[2])
if marked or tokens ~= ARGV[3] then return 0 end
redis.call('SET', KEYS[2], ARGV[4], 'PX', ARGV[5])
return 1
)lua";

constexpr std::string_view kMark = R"lua(
local now = clock()
for i = 2, #KEYS do
  version(KEYS[i], now, ARGV[2])
  redis.call('HSET', KEYS[i], 'm' .. ARGV[3], string.format('%.0f', now + tonumber(ARGV[4])))
  redis.call('PEXPIRE', KEYS[i], 172800000)
end
return redis.call('HEXISTS', KEYS[1], ARGV[1])
)lua";

constexpr std::string_view kBump = R"lua(
local now = clock()
local mark = 'm' .. ARGV[3]
for i = 2, #KEYS do
  local _, old, _, live = version(KEYS[i], now, ARGV[2])
  local position = nil
  if live[mark] and ARGV[4] ~= '' then position = ARGV[4] end
  live[mark] = nil
  redis.call('HDEL', KEYS[i], mark)
  write(KEYS[i], ARGV[2], renewed(old, position, next(live) ~= nil), now)
end
return redis.call('HEXISTS', KEYS[1], ARGV[1])
)lua";

constexpr std::string_view body(RedisScript script) {
  switch (script) {
    case RedisScript::kTime:
      return kTime;
    case RedisScript::kJoin:
      return kJoin;
    case RedisScript::kRenew:
      return kRenew;
    case RedisScript::kLeave:
      return kLeave;
    case RedisScript::kLookup:
      return kLookup;
    case RedisScript::kStore:
      return kStore;
    case RedisScript::kMark:
      return kMark;
    case RedisScript::kBump:
      return kBump;
  }
  return {};
}

}  // namespace

std::string redis_script_text(RedisScript script) {
  return std::string(kCommon) + std::string(body(script));
}

}  // namespace postern::proxy
