#include "proxy/session/pooled_state.hpp"

#include <doctest/doctest.h>

#include "protocol/framer.hpp"
#include "protocol/rows.hpp"

using namespace postern;
using namespace postern::proxy;

namespace {

void reply(PooledState& state, const Bytes& message) {
  const protocol::Framer framer(protocol::Direction::kFromBackend, protocol::Phase::kReady);
  const auto framed = framer.next(message);
  REQUIRE(framed);
  REQUIRE(framed->complete());
  REQUIRE(state.on_reply(framed->item));
}

Bytes message(char type, const Bytes& body) {
  Bytes out(1, type);
  const std::uint32_t length = static_cast<std::uint32_t>(body.size()) + 4;
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(length >> shift));
  return out + body;
}

void row(PooledState& state, std::initializer_list<std::string_view> values) {
  Bytes body{'\0', static_cast<char>(values.size())};
  for (const std::string_view value : values) {
    body.append(3, '\0');
    body.push_back(static_cast<char>(value.size()));
    body.append(value);
  }
  reply(state, message('D', body));
}

void complete(PooledState& state) {
  reply(state, message('C', Bytes("SELECT 1\0", 9)));
}

}  // namespace

TEST_CASE("a quiet session is not asked about") {
  PooledState state;
  state.note(scan_state("SELECT 1"));
  CHECK_FALSE(state.suspect());
  state.note(scan_state("DROP TABLE t"));
  CHECK_FALSE(state.suspect());
  state.note(scan_state("SET a.b = 1"));
  CHECK(state.suspect());
}

TEST_CASE("the question asks for what was touched") {
  PooledState state;
  state.note(scan_state("SET my.thing = 'x'; LISTEN jobs"));
  const std::string sql = state.question();
  CHECK(sql.find("E'my.thing'") != std::string::npos);
  CHECK(sql.find("pg_listening_channels") != std::string::npos);
  CHECK(sql.find("pg_locks") == std::string::npos);
  CHECK_FALSE(state.suspect());
}

TEST_CASE("the server's answer becomes the session's settings and pins") {
  PooledState state;
  state.start({{"TimeZone", "UTC"}, {"application_name", "app"}});
  state.note(scan_state("SET timezone = 'Asia/Tokyo'; CREATE TEMP TABLE t ()"));
  (void)state.question();
  row(state, {"s", "TimeZone", "Asia/Tokyo"});
  row(state, {"p", "temporary objects", ""});
  complete(state);
  Settings applied;
  REQUIRE(state.done(applied));
  CHECK(applied == Settings{{"TimeZone", "Asia/Tokyo"}});
  CHECK(state.wanted() == Settings{{"TimeZone", "Asia/Tokyo"}, {"application_name", "app"}});
  CHECK(state.pins() == Pin::kTemporary);

  // DROP may free it: now it is asked, and about what pinned it.
  state.note(scan_state("DROP TABLE t"));
  REQUIRE(state.suspect());
  CHECK(state.question().find("pg_my_temp_schema") != std::string::npos);
  complete(state);
  REQUIRE(state.done(applied));
  CHECK(state.pins() == Pin::kNone);
  CHECK(applied.empty());
  CHECK(state.wanted().at("timezone") == "UTC");
}

TEST_CASE("what a client came with is asked for as what it set") {
  PooledState state;
  state.start({{"App.Tenant", "acme"}, {"TimeZone", "UTC"}});
  state.note(scan_state("SET work_mem = '8MB'"));
  const std::string question = state.question();
  CHECK(question.find("E'app.tenant'") != std::string::npos);
  CHECK(question.find("E'timezone'") == std::string::npos);
}

TEST_CASE("to come as somebody else is kept") {
  PooledState state;
  state.start({{"Session_Authorization", "bob"}});
  CHECK(has(state.pins(), Pin::kUnfollowed));
}

TEST_CASE("an idle limit keeps the connection until it is gone") {
  PooledState state;
  state.start({{"idle_session_timeout", "1s"}});
  CHECK(state.pins() == Pin::kIdleLimit);
  state.note(scan_state("SET idle_session_timeout = 0"));
  (void)state.question();
  row(state, {"s", "idle_session_timeout", "0"});
  complete(state);
  Settings applied;
  REQUIRE(state.done(applied));
  CHECK(state.pins() == Pin::kNone);
}

TEST_CASE("plans know settings that mean something to them") {
  const auto key = [](Settings settings) {
    PooledState state;
    state.start(std::move(settings));
    return *state.planning_key();
  };
  CHECK(key({{"application_name", "a"}, {"statement_timeout", "1s"}}).empty());
  CHECK(key({{"TimeZone", "UTC"}}) != key({{"TimeZone", "Asia/Tokyo"}}));
  CHECK(key({{"work_mem", "4MB"}}) != key({}));
  CHECK(key({{"my.tenant", "1"}}) != key({{"my.tenant", "2"}}));
}

TEST_CASE("values that cannot be written in the client's encoding are kept where they are") {
  const auto pins = [](Settings settings) {
    PooledState state;
    state.start(std::move(settings));
    return state.pins();
  };
  CHECK(pins({{"client_encoding", "SJIS"}, {"my.x", "\x83\x5c"}}) == Pin::kUnfollowed);
  CHECK(pins({{"client_encoding", "SJIS"}, {"my.x", "plain"}}) == Pin::kNone);
  CHECK(pins({{"client_encoding", "LATIN1"}, {"my.x", "\xe9"}}) == Pin::kNone);
}

TEST_CASE("without an answer the session keeps its connection") {
  PooledState state;
  Settings applied;
  SUBCASE("an error") {
    state.note(scan_state("SET a.b = 1"));
    (void)state.question();
    reply(state, message('E', Bytes("SERROR\0C58000\0\0", 15)));
    CHECK_FALSE(state.done(applied));
  }
  SUBCASE("cancelled again and again") {
    state.note(scan_state("SET a.b = 1"));
    for (int i = 0; i < 5; ++i) {
      REQUIRE(state.suspect());
      CHECK_FALSE(has(state.pins(), Pin::kUnfollowed));
      (void)state.question();
      reply(state, message('E', Bytes("SERROR\0C57014\0\0", 15)));
      CHECK_FALSE(state.done(applied));
    }
  }
  CHECK(has(state.pins(), Pin::kUnfollowed));
}

TEST_CASE("more application parameters than are followed") {
  PooledState state;
  StateScan scan;
  scan.hint = StateHint::kSettings;
  for (std::size_t i = 0; i < PooledState::kMaxCustom; ++i) {
    scan.custom.push_back("a.b" + std::to_string(i));
  }
  state.note(scan);
  CHECK_FALSE(has(state.pins(), Pin::kUnfollowed));
  scan.custom = {"one.more"};
  state.note(scan);
  CHECK(has(state.pins(), Pin::kUnfollowed));
}

TEST_CASE("the encoding goes ahead of what is written in it") {
  using Changes = std::vector<std::string>;
  const auto changes = [](Settings applied, const Settings& wanted) {
    Changes found{encoding_change(applied, wanted)};
    found.push_back(settings_change(applied, wanted));
    return found;
  };
  const std::string to_latin =
      "SELECT pg_catalog.set_config(E'client_encoding', E'LATIN1', false);";
  CHECK(changes({}, {{"client_encoding", "LATIN1"}, {"a.b", "\xe9"}}) ==
        Changes{to_latin, "SELECT pg_catalog.set_config(E'a.b', E'\xe9', false);"});
  CHECK(changes({{"client_encoding", "LATIN1"}, {"a.b", "\xe9"}}, {}) ==
        Changes{"RESET \"client_encoding\";", "RESET \"a\".\"b\";"});
  CHECK(changes({{"client_encoding", "LATIN1"}}, {{"client_encoding", "LATIN1"}}) ==
        Changes{"", ""});
  CHECK(changes({{"client_encoding", "UTF8"}}, {{"client_encoding", "LATIN1"}}) ==
        Changes{to_latin, ""});
}

TEST_CASE("only those settings end with their transaction that do so") {
  PooledState state;
  state.note(scan_state("SET transaction_timeout = 1"));
  const std::string question = state.question();
  CHECK(question.find("'transaction_isolation'") != std::string::npos);
  CHECK(question.find("'transaction_read_only'") != std::string::npos);
  CHECK(question.find("'transaction_deferrable'") != std::string::npos);
  CHECK(question.find("'transaction_'") == std::string::npos);
  CHECK(question.find("transaction_timeout") == std::string::npos);
}

TEST_CASE("from the settings a connection has to those a session wants") {
  CHECK(settings_change({}, {}).empty());
  CHECK(settings_change({{"TimeZone", "UTC"}}, {{"timezone", "UTC"}}).empty());
  CHECK(settings_change({{"a.b", "1"}, {"role", "bob"}}, {{"x", "it's \\"}, {"role", "eve"}}) ==
        "RESET role;RESET \"a\".\"b\";"
        "SELECT pg_catalog.set_config(E'x', E'it''s \\\\', false);"
        "SELECT pg_catalog.set_config(E'role', E'eve', false);");
  CHECK(settings_change({{"role", "bob"}}, {}) == "RESET role;");
}
