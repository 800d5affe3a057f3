#include <array>
#include <set>

#include "base/codes/cache.hpp"
#include "proxy/cache/breaker.hpp"
#include "proxy/cache/log_limit.hpp"
#include "proxy/cache/membership.hpp"
#include "proxy/cache/redis_codec.hpp"
#include "proxy/cache/seal.hpp"
#include "proxy/cache/table_version.hpp"
#include "tests/proxy/cache_rig.hpp"

using namespace postern;
using namespace postern::proxy;
using namespace std::chrono_literals;

namespace {

const Bytes kKey(32, 'k');
const SteadyClock::time_point kStart{};

CacheFill make_fill(std::size_t max_bytes) {
  return CacheFill(CacheKey{}, "scope", CapturedVersions{{0}, Bytes(16, 't'), {7}},
                   {max_bytes, 1s});
}

}  // namespace

TEST_CASE("every part of a key changes its name and its canonical bytes") {
  REQUIRE(crypto::init());
  std::vector<CacheKeyParts> all(16);
  all[1].cluster = "x";
  all[2].database = "x";
  all[3].protection = 1;
  all[4].epoch = "x";
  all[5].server_text = "x";
  all[6].params = "x";
  all[7].result_formats = {1};
  all[8].shape = AnswerShape::kExtended;
  all[9].upstream_role = "x";
  all[10].login = "x";
  all[11].tenant = "x";
  all[12].decrypts = true;
  all[13].search_path = "x";
  all[14].settings = "x";
  all[15].acting = "x";
  std::set<std::string> names;
  std::set<Bytes> canonical;
  for (const CacheKeyParts& parts : all) {
    const CacheKey key = make_cache_key(parts, kKey);
    CHECK(key.name.size() == 64);
    names.insert(key.name);
    canonical.insert(key.canonical);
  }
  CHECK(names.size() == all.size());
  CHECK(canonical.size() == all.size());
  CHECK(make_cache_key(all[5], kKey).name == make_cache_key(all[5], kKey).name);
  CHECK(make_cache_key(all[5], kKey).name != make_cache_key(all[5], Bytes(32, 'l')).name);
}

TEST_CASE("parameters and settings are told apart wherever they could run together") {
  using Params = std::vector<CacheParam>;
  const Params null = {{25, 0, true, ""}};
  const Params empty = {{25, 0, false, ""}};
  const Params text = {{25, 0, false, "1"}};
  const Params binary = {{25, 1, false, "1"}};
  const Params typed = {{23, 0, false, "1"}};
  const Params one = {{25, 0, false, "ab"}, {25, 0, false, ""}};
  const Params other = {{25, 0, false, "a"}, {25, 0, false, "b"}};
  std::set<Bytes> seen;
  for (const Params& params : {Params{}, null, empty, text, binary, typed, one, other}) {
    seen.insert(canonical_params(params));
  }
  CHECK(seen.size() == 8);
  using Settings = std::vector<std::pair<std::string_view, std::string_view>>;
  CHECK(canonical_settings(Settings{}) != canonical_settings(Settings{{"a", ""}}));
  CHECK(canonical_settings(Settings{{"a", "bc"}}) != canonical_settings(Settings{{"ab", "c"}}));
}

TEST_CASE("a fill buffers up to its limit and nothing past it") {
  CacheFill fits = make_fill(10);
  fits.add_description("12345");
  fits.add_row("67890");
  fits.complete("SELECT 1");
  CHECK(fits.is_complete());
  CHECK(fits.answer().rows == "67890");
  CHECK(fits.answer().row_count == 1);

  CacheFill over = make_fill(9);
  over.add_description("12345");
  over.add_row("67890");
  CHECK_FALSE(over.collecting());
  CHECK(over.answer().row_description.empty());
  over.add_row("1");
  over.complete("SELECT 2");
  CHECK_FALSE(over.is_complete());
}

TEST_CASE("a fill that gets a second answer is abandoned") {
  CacheFill twice = make_fill(100);
  twice.complete("SELECT 0");
  twice.complete("SELECT 0");
  CHECK_FALSE(twice.is_complete());
  CacheFill late = make_fill(100);
  late.complete("SELECT 0");
  late.add_row("row");
  CHECK_FALSE(late.is_complete());
  CacheFill described = make_fill(100);
  described.add_row("row");
  described.add_description("again");
  CHECK_FALSE(described.collecting());
}

TEST_CASE("a replica's answer counts from the position of the last bump on") {
  CacheFill at = make_fill(10);
  CHECK(at.required_position() == 7);
  at.from_replica(7);
  CHECK(at.collecting());
  at.from_replica(6);
  CHECK_FALSE(at.collecting());
  CacheFill unknown(CacheKey{}, "", CapturedVersions{{0}, "", {kPositionUnknown}}, {10, 1s});
  CHECK_FALSE(unknown.required_position());
  unknown.from_replica(kPositionUnknown);
  CHECK_FALSE(unknown.collecting());
}

TEST_CASE("an entry opens only for its own key, tenant, tables, versions and time") {
  REQUIRE(crypto::init());
  CacheKeyParts parts;
  parts.server_text = "select 1";
  parts.tenant = "acme";
  const CacheKey key = make_cache_key(parts, kKey);
  const CapturedVersions versions{{0, 5}, Bytes(32, 't'), {1, 1}};
  const SealScope scope{kKey, &key, "scope", &versions};
  const CachedAnswer answer{"desc", "rows", "SELECT 1", 1};
  const Bytes entry = seal_answer(scope, answer, 1000);
  CHECK(entry.find("rows") == Bytes::npos);

  const auto opened = open_answer(scope, entry, 999);
  REQUIRE((opened && *opened));
  CHECK((*opened)->row_description == "desc");
  CHECK((*opened)->rows == "rows");
  CHECK((*opened)->command_tag == "SELECT 1");
  CHECK((*opened)->row_count == 1);

  const auto late = open_answer(scope, entry, 1000);
  CHECK((late && !*late));
  for (std::size_t i = 32; i < entry.size(); ++i) {
    Bytes altered = entry;
    altered[i] = static_cast<char>(altered[i] ^ 1);
    const auto refused = open_answer(scope, altered, 0);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == pst::kCacheEntry);
  }
  for (std::size_t size = 32; size < entry.size(); ++size) {
    CHECK_FALSE(open_answer(scope, ByteView(entry).substr(0, size), 0));
  }
  const CapturedVersions newer{{0, 5}, Bytes(31, 't') + "u", {1, 1}};
  const auto stale = open_answer({kKey, &key, "scope", &newer}, entry, 0);
  CHECK((stale && !*stale));
  const CapturedVersions others{{0, 6}, Bytes(32, 't'), {1, 1}};
  CHECK_FALSE(open_answer({kKey, &key, "scope", &others}, entry, 0));
  CHECK_FALSE(open_answer({kKey, &key, "other", &versions}, entry, 0));
  CHECK_FALSE(open_answer({Bytes(32, 'x'), &key, "scope", &versions}, entry, 0));
  CacheKey swapped = key;
  swapped.tenant = "evil";
  CHECK_FALSE(open_answer({kKey, &swapped, "scope", &versions}, entry, 0));
  swapped = key;
  swapped.canonical += "x";
  CHECK_FALSE(open_answer({kKey, &swapped, "scope", &versions}, entry, 0));
}

TEST_CASE("a version changes with every bump and every expired mark") {
  TableVersion table("a", kStart);
  table.mark("1", kStart + 10s);
  CHECK(table.marked());
  CHECK(table.token() == "a");
  table.expire(kStart + 9s, "b");
  CHECK(table.token() == "a");
  table.expire(kStart + 10s, "b");
  CHECK(table.token() == "b");
  CHECK_FALSE(table.marked());
  table.bump({"unmarked", 5, {}}, kStart, "c");
  CHECK(table.token() == "c");
}

TEST_CASE("the position of a version never understates a write that has ended") {
  const auto at = kStart;
  TableVersion table("a", at);
  table.mark("1", at + 10s);
  table.mark("2", at + 10s);
  CHECK(table.position() == kPositionUnknown);
  table.bump({"1", 100, {}}, at, "b");
  CHECK(table.position() == 100);
  table.bump({"2", 90, {}}, at, "c");
  CHECK(table.position() == 100);

  table.mark("3", at + 10s);
  table.mark("4", at + 10s);
  table.bump({"3", std::nullopt, {}}, at, "d");
  CHECK(table.position() == kPositionContested);
  table.bump({"4", 110, {}}, at, "e");  // may lie before 3
  CHECK(table.position() == kPositionUnknown);
  table.mark("5", at + 10s);
  table.bump({"5", 120, {}}, at, "f");  // began after both
  CHECK(table.position() == 120);

  table.bump({"unmarked", 500, {}}, at, "g");
  CHECK(table.position() == kPositionUnknown);
  table.settle({130, at - 1ms});
  CHECK(table.position() == kPositionUnknown);
  table.settle({130, at});
  CHECK(table.position() == 130);
  table.settle({140, at + 1s});
  CHECK(table.position() == 130);
}

TEST_CASE("a breaker opens after failures in a row and tries with one call") {
  Breaker breaker(100ms);
  for (unsigned i = 1; i < Breaker::kMaxFailures; ++i) {
    REQUIRE(breaker.allow(kStart));
    CHECK_FALSE(breaker.failure(kStart));
  }
  REQUIRE(breaker.allow(kStart));
  CHECK(breaker.failure(kStart));
  CHECK_FALSE(breaker.allow(kStart + 99ms));
  CHECK(breaker.allow(kStart + 100ms));
  CHECK_FALSE(breaker.allow(kStart + 100ms));
  CHECK_FALSE(breaker.failure(kStart + 100ms));
  CHECK_FALSE(breaker.allow(kStart + 199ms));
  CHECK(breaker.allow(kStart + 200ms));
  CHECK(breaker.success());
  CHECK(breaker.allow(kStart + 200ms));
  CHECK(breaker.allow(kStart + 200ms));
}

TEST_CASE("a repeated event is logged once in its distance") {
  LogLimit limit(10s);
  CHECK(limit.allow(kStart));
  CHECK_FALSE(limit.allow(kStart + 9'999ms));
  CHECK(limit.allow(kStart + 10s));
  CHECK_FALSE(limit.allow(kStart + 10s));
}

TEST_CASE("an instance serves only while nothing went wrong since its last join") {
  Membership member;
  CHECK_FALSE(member.serving());
  auto join = member.begin_join(kStart, kStart + 5s);
  REQUIRE(join);
  CHECK_FALSE(join->force);
  CHECK(member.lease_end() == kStart + 5s);
  member.suspend(kStart);  // a write failed while the join was on its way
  member.end_join(*join, true, kStart);
  CHECK_FALSE(member.serving());
  CHECK_FALSE(member.begin_renewal(kStart + 9s));

  member.wait_begins();
  CHECK_FALSE(member.begin_join(kStart, kStart + 9s));
  CHECK(member.lease_end() == kStart + 5s);
  member.wait_ends();
  join = member.begin_join(kStart + 1s, kStart + 6s);
  REQUIRE(join);
  CHECK(join->force);
  member.end_join(*join, false, kStart + 30s);
  CHECK_FALSE(member.begin_join(kStart + 29s, kStart + 34s));
  join = member.begin_join(kStart + 30s, kStart + 35s);
  REQUIRE(join);
  member.end_join(*join, true, kStart);
  CHECK(member.serving());
  CHECK(member.begin_renewal(kStart + 40s));
  CHECK(member.lease_end() == kStart + 40s);
  member.leave();
  CHECK_FALSE(member.serving());
  CHECK_FALSE(member.begin_join(kStart + 99s, kStart + 99s));
}

TEST_CASE("commands are written in the form of the protocol") {
  Bytes out;
  append_redis_command(std::array<ByteView, 2>{"GET", ByteView("\0\r\n", 3)}, out);
  CHECK(out == Bytes("*2\r\n$3\r\nGET\r\n$3\r\n\0\r\n\r\n", 22));
}

TEST_CASE("replies are read whole, at every cut") {
  const Bytes wire = "*4\r\n:-7\r\n$3\r\na\r\n\r\n$-1\r\n*2\r\n+OK\r\n-ERR no\r\n:1\r\n";
  for (std::size_t cut = 0; cut <= wire.size(); ++cut) {
    RedisReader reader;
    REQUIRE(reader.feed(ByteView(wire).substr(0, cut)));
    auto first = reader.next();
    REQUIRE(first);
    REQUIRE(reader.feed(ByteView(wire).substr(cut)));
    if (!*first) first = reader.next();
    REQUIRE((first && *first));
    const RedisReply& reply = **first;
    REQUIRE(reply.elements.size() == 4);
    CHECK(reply.elements[0].integer == -7);
    CHECK(reply.elements[1].text == "a\r\n");
    CHECK(reply.elements[2].type == RedisReply::Type::kNil);
    CHECK(reply.elements[3].elements[0].text == "OK");
    CHECK(reply.elements[3].elements[1].type == RedisReply::Type::kError);
    const auto second = reader.next();
    REQUIRE((second && *second));
    CHECK((*second)->integer == 1);
  }
}

TEST_CASE("replies outside the limits are refused before memory is taken") {
  const std::string limit = std::to_string(RedisReader::kMaxElements);
  const std::string past = std::to_string(RedisReader::kMaxElements + 1);
  const auto outcome = [](const std::string& wire) {
    RedisReader reader;
    REQUIRE(reader.feed(wire));
    const auto reply = reader.next();
    if (!reply) CHECK(reply.error().code == pst::kCacheProtocol);
    return reply.has_value();
  };
  CHECK(outcome("*" + limit + "\r\n"));
  CHECK_FALSE(outcome("*" + past + "\r\n"));
  CHECK_FALSE(outcome("*2147483647\r\n"));
  CHECK_FALSE(outcome("HTTP/1.1 400 Bad Request\r\n"));
  CHECK_FALSE(outcome("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"));

  RedisReader reader;
  const Bytes piece(RedisReader::kMaxReplyBytes / 4, 'x');
  REQUIRE(reader.feed("$99999999\r\n"));
  for (int i = 0; i < 3; ++i) REQUIRE(reader.feed(piece));
  CHECK(reader.feed(ByteView(piece).substr(0, piece.size() - 16)));
  CHECK_FALSE(reader.feed(ByteView(piece).substr(0, 32)));
}
