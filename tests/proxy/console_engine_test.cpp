#include <string>

#include <doctest/doctest.h>

#include "base/codes/session.hpp"
#include "protocol/error_message.hpp"
#include "protocol/rows.hpp"
#include "protocol/simple.hpp"
#include "proxy/console/engine.hpp"

using namespace postern;
using namespace postern::proxy::console;

namespace {

/// An engine with a caller that answers every command with `rows` rows of NULLs.
class Rig {
 public:
  explicit Rig(Role role = Role::kAdmin) : engine_(role) {}

  /// Takes messages and returns the types of the replies.
  std::string send(const Bytes& messages) {
    const protocol::Framer framer(protocol::Direction::kFromFrontend, protocol::Phase::kReady);
    last_.clear();
    ByteView left = messages;
    while (!left.empty()) {
      const auto framed = framer.next(left);
      REQUIRE(framed);
      REQUIRE(framed->complete());
      auto next = engine_.take(framed->item, last_);
      while (next && next->has_value()) {
        run.push_back(std::string(row_of((*next)->verb).words));
        next = engine_.answer(reply(**next), last_);
      }
      REQUIRE(next);
      left.remove_prefix(framed->item.whole.size());
    }
    return types();
  }

  std::string query(std::string_view text) {
    Bytes out;
    REQUIRE((protocol::Query{text}.encode(out)));
    return send(out);
  }

  /// The body of the first reply of a type.
  ByteView body(char type) const {
    for (ByteView left = last_; !left.empty();) {
      const std::size_t size = 1 + load_be32(left.data() + 1);
      if (left[0] == type) return left.substr(5, size - 5);
      left.remove_prefix(size);
    }
    return {};
  }
  std::string sqlstate() const {
    const auto fields = protocol::ErrorFields::decode(body('E'));
    REQUIRE(fields);
    return std::string(fields->get(protocol::kFieldSqlstate).value_or(""));
  }
  char status() const { return last_.back(); }
  Engine& engine() { return engine_; }

  std::vector<std::string> run;
  std::size_t rows = 1;
  std::optional<Error> failure;

 private:
  Result<Reply> reply(const Command& command) {
    if (failure) return *failure;
    Reply out;
    out.tag = tag_of(command.verb);
    const std::size_t columns = columns_of(command.verb).size();
    if (columns > 0) out.rows.assign(rows, Row(columns));
    return out;
  }
  std::string types() const {
    std::string out;
    for (ByteView left = last_; !left.empty();) {
      out.push_back(left[0]);
      left.remove_prefix(1 + load_be32(left.data() + 1));
    }
    return out;
  }

  Engine engine_;
  Bytes last_;
};

Bytes parse(std::string_view text, std::string_view name = {}) {
  Bytes out;
  REQUIRE((protocol::Parse{name, text, {}}.encode(out)));
  return out;
}

Bytes bind(std::string_view statement = {}, bool parameter = false) {
  Bytes out;
  Bytes storage;
  protocol::Bind message;
  message.statement = statement;
  if (parameter) {
    protocol::ValueList::append(storage, ByteView("1"));
    message.values = protocol::ValueList::over(storage, 1);
  }
  REQUIRE(message.encode(out));
  return out;
}

Bytes describe(protocol::Target target, std::string_view name = {}) {
  Bytes out;
  REQUIRE((protocol::Describe{target, name}.encode(out)));
  return out;
}

Bytes execute(std::int32_t max_rows = 0) {
  Bytes out;
  REQUIRE((protocol::Execute{"", max_rows}.encode(out)));
  return out;
}

Bytes sync_message() {
  Bytes out;
  protocol::Sync{}.encode(out);
  return out;
}

}  // namespace

TEST_CASE("simple queries: rows, several statements, nothing, errors") {
  Rig rig;
  CHECK(rig.query("SHOW POOLS") == "TDCZ");
  rig.rows = 3;
  CHECK(rig.query("SHOW CLIENTS; PAUSE shop; SHOW STATS") == "TDDDCCTDDDCZ");
  CHECK(rig.query("  ; ") == "IZ");
  CHECK(rig.query("SHOW NOTHING; SHOW POOLS") == "EZ");
  CHECK(rig.sqlstate() == "42601");
  rig.run.clear();
  rig.failure = make_error(pst::kConsoleState, "paused already");
  CHECK(rig.query("PAUSE; SHOW POOLS") == "EZ");
  CHECK(rig.sqlstate() == "55000");
  CHECK(rig.run == std::vector<std::string>{"PAUSE"});
  rig.failure.reset();
  CHECK(rig.query("SHOW POOLS") == "TDDDCZ");
}

TEST_CASE("the extended protocol: what drivers send") {
  Rig rig;
  const Bytes group = parse("SHOW POOLS") + bind() + describe(protocol::Target::kPortal) +
                      execute() + sync_message();
  CHECK(rig.send(group) == "12TDCZ");
  // asyncpg: a named statement is described before it is bound.
  CHECK(rig.send(parse("SHOW STATS", "s1") + describe(protocol::Target::kStatement, "s1") +
                 sync_message()) == "1tTZ");
  CHECK(rig.send(bind("s1") + execute() + sync_message()) == "2DCZ");
  // What has no rows.
  CHECK(rig.send(parse("PAUSE") + describe(protocol::Target::kStatement) + bind() + execute() +
                 sync_message()) == "1tn2CZ");
  CHECK(rig.send(parse("") + bind() + describe(protocol::Target::kPortal) + execute() +
                 sync_message()) == "12nIZ");
}

TEST_CASE("rows in portions") {
  Rig rig;
  rig.rows = 5;
  CHECK(rig.send(parse("SHOW POOLS") + bind() + execute(2) + execute(2) + execute(2) +
                 sync_message()) == "12DDsDDsDCZ");
  CHECK(rig.run.size() == 1);
}

TEST_CASE("an error in a batch skips to Sync") {
  Rig rig;
  CHECK(rig.send(parse("SHOW POLS") + bind() + execute() + sync_message()) == "EZ");
  CHECK(rig.send(bind("nobody") + execute() + sync_message()) == "EZ");
  CHECK(rig.sqlstate() == "26000");
  CHECK(rig.send(parse("SHOW POOLS", "a") + parse("SHOW POOLS", "a") + sync_message()) == "1EZ");
  CHECK(rig.sqlstate() == "42P05");
  CHECK(rig.send(bind("a", true) + execute() + sync_message()) == "EZ");
  CHECK(rig.sqlstate() == "08P01");
  CHECK(rig.send(execute() + sync_message()) == "EZ");
  CHECK(rig.sqlstate() == "34000");
  CHECK(rig.run.empty());
  CHECK(rig.query("SHOW POOLS") == "TDCZ");
}

TEST_CASE("integers in binary, text the same in both formats") {
  Rig rig;
  Bytes out;
  const std::int16_t binary_codes[] = {1};
  protocol::Bind message;
  Bytes formats;
  append_be16(formats, 1);
  (void)binary_codes;
  // Built by hand: one result format, binary, for all columns.
  Bytes body("\0\0\0\0\0\0", 6);
  append_be16(body, 1);
  body += formats;
  out = "B";
  append_be32(out, static_cast<std::uint32_t>(body.size() + 4));
  out += body;
  CHECK(rig.send(parse("SHOW LISTS") + out + describe(protocol::Target::kPortal) + execute() +
                 sync_message()) == "12TDCZ");
  const auto columns = protocol::RowDescription::decode(rig.body('T'));
  REQUIRE(columns);
  for (const protocol::Field field : *columns) CHECK(field.format == 1);
}

TEST_CASE("transaction blocks change the status and nothing else") {
  Rig rig;
  CHECK(rig.query("BEGIN") == "CZ");
  CHECK(rig.status() == 'T');
  CHECK(rig.query("SHOW POOLS") == "TDCZ");
  CHECK(rig.status() == 'T');
  CHECK(rig.query("nonsense") == "EZ");
  CHECK(rig.status() == 'E');
  CHECK(rig.query("SHOW POOLS") == "EZ");
  CHECK(rig.sqlstate() == "25P02");
  CHECK(rig.query("COMMIT") == "CZ");
  CHECK(rig.body('C').starts_with("ROLLBACK"));
  CHECK(rig.status() == 'I');
}

TEST_CASE("no command passes without the role, by neither protocol") {
  for (const Role role : {Role::kNone, Role::kStats, Role::kAdmin}) {
    for (const CommandRow& row : command_rows()) {
      CAPTURE(row.words);
      std::string text(row.words);
      if (row.argument == Argument::kDatabase) text += " shop";
      if (row.argument == Argument::kNumber) text += " 7";
      if (row.argument == Argument::kSetting) text += " jit = off";
      if (row.argument == Argument::kSettingName) text += " jit";
      const bool allowed = permits(role, row.needs);
      Rig simple(role);
      const std::string said = simple.query(text);
      CHECK((said.find('E') == std::string::npos) == allowed);
      CHECK(simple.run.empty() != allowed);
      CHECK(simple.engine().take_denied().has_value() != allowed);
      if (!allowed) CHECK(simple.sqlstate() == "42501");
      Rig extended(role);
      (void)extended.send(parse(text) + bind() + execute() + sync_message());
      CHECK(extended.run.empty() != allowed);
    }
  }
}

TEST_CASE("a role that is taken away counts for statements prepared before") {
  Rig rig;
  CHECK(rig.send(parse("PAUSE", "p") + sync_message()) == "1Z");
  rig.engine().set_role(Role::kStats);
  CHECK(rig.send(bind("p") + execute() + sync_message()) == "2EZ");
  CHECK(rig.sqlstate() == "42501");
  CHECK(rig.run.empty());
}

TEST_CASE("statements and portals are limited in number") {
  Rig rig;
  for (std::size_t i = 0; i < kMaxStatements; ++i) {
    CHECK(rig.send(parse("SHOW POOLS", "s" + std::to_string(i)) + sync_message()) == "1Z");
  }
  CHECK(rig.send(parse("SHOW POOLS", "more") + sync_message()) == "EZ");
  CHECK(rig.query("DISCARD ALL") == "CZ");
  CHECK(rig.send(parse("SHOW POOLS", "more") + sync_message()) == "1Z");
}

TEST_CASE("goodbye") {
  Rig rig;
  Bytes out;
  protocol::Terminate{}.encode(out);
  CHECK(rig.send(out).empty());
  CHECK(rig.engine().ended());
}
