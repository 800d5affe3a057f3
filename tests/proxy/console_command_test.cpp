#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include <doctest/doctest.h>

#include "base/codes/session.hpp"
#include "proxy/console/command.hpp"
#include "proxy/console/reply.hpp"
#include "proxy/console/tables.hpp"

using namespace postern;
using namespace postern::proxy;
using namespace postern::proxy::console;

namespace {

// A statement that the row accepts.
std::string example(const CommandRow& row) {
  const std::string words(row.words);
  switch (row.argument) {
    case Argument::kDatabase:
      return words + " shop";
    case Argument::kNumber:
      return words + " 7";
    case Argument::kSetting:
      return words + " extra_float_digits = 3";
    case Argument::kSettingName:
      return words + " client_encoding";
    default:
      return words;
  }
}

}  // namespace

TEST_CASE("every row is reached by its words, in any letter case, with a semicolon") {
  for (const CommandRow& row : command_rows()) {
    CAPTURE(row.words);
    std::string text = example(row);
    for (const std::string& form : {text, "  " + text + " ; ", "/* a */ " + text + " -- b"}) {
      const auto command = parse_command(form);
      REQUIRE(command);
      CHECK(command->verb == row.verb);
    }
    for (char& c : text) c = static_cast<char>(std::tolower(c));
    const auto lower = parse_command(text);
    REQUIRE(lower);
    CHECK(lower->verb == row.verb);
  }
}

TEST_CASE("the authorisation table holds for every command and every role") {
  // Written out on purpose: a command that moves to another column must be moved here too.
  const std::set<std::string_view> admin = {
      "SHOW CONFIG", "SHOW FDS", "SHOW PREPARED", "PAUSE",  "RESUME",   "RECONNECT",  "KILL_CLIENT",
      "KILL",        "DISABLE",  "ENABLE",        "RELOAD", "SHUTDOWN", "WAIT_CLOSE", "SUSPEND"};
  for (const CommandRow& row : command_rows()) {
    CAPTURE(row.words);
    const bool shows = row.words.starts_with("SHOW ") && row.verb != Verb::kShowIsolation;
    const Needs wanted = admin.contains(row.words) ? Needs::kAdmin
                         : shows                   ? Needs::kStats
                                                   : Needs::kNone;
    CHECK(row.needs == wanted);
    CHECK_FALSE(permits(Role::kNone, row.needs));
    CHECK(permits(Role::kStats, row.needs) == !admin.contains(row.words));
    CHECK(permits(Role::kAdmin, row.needs));
    // Whatever changes the process is an administrator's.
    if (columns_of(row.verb).empty() && row.needs != Needs::kNone) {
      CHECK(row.needs == Needs::kAdmin);
    }
  }
}

TEST_CASE("roles come from the two lists, the higher one first") {
  const std::vector<std::string> admins{"root", "both"};
  const std::vector<std::string> viewers{"monitor", "both"};
  CHECK(role_of("root", admins, viewers) == Role::kAdmin);
  CHECK(role_of("both", admins, viewers) == Role::kAdmin);
  CHECK(role_of("monitor", admins, viewers) == Role::kStats);
  CHECK(role_of("Root", admins, viewers) == Role::kNone);
  CHECK(role_of("", admins, viewers) == Role::kNone);
}

TEST_CASE("arguments are unquoted, and what does not belong is an error") {
  CHECK(parse_command("PAUSE \"my \"\"db\"\"\"")->argument == "my \"db\"");
  CHECK(parse_command("pause 'shop'")->argument == "shop");
  CHECK(parse_command("PAUSE")->argument.empty());
  CHECK(parse_command("SHUTDOWN wait_for_servers")->argument == "WAIT_FOR_SERVERS");
  CHECK(parse_command("KILL_CLIENT 42")->argument == "42");
  for (const char* text :
       {"PAUSE a b", "DISABLE", "ENABLE \"\"", "KILL_CLIENT", "KILL_CLIENT x", "KILL_CLIENT -1",
        "KILL_CLIENT 12345678901234567890", "SHUTDOWN NOW", "SHOW POOLS please", "SELECT 2", "",
        ";", "SHOW POOLS; SHOW STATS", "SET", "\"PAUSE\""}) {
    CAPTURE(text);
    const auto command = parse_command(text);
    REQUIRE_FALSE(command);
    CHECK(command.error().code == pst::kConsoleSyntax);
    CHECK(pst_info(command.error().code).sqlstate == "42601");
  }
}

TEST_CASE("an unknown command names the nearest one") {
  CHECK(parse_command("SHOW POLS").error().hint.find("SHOW POOLS") != std::string::npos);
  CHECK(parse_command("PAUZE").error().hint.find("PAUSE") != std::string::npos);
  CHECK(parse_command("show clientz").error().hint.find("SHOW CLIENTS") != std::string::npos);
  CHECK(parse_command("SELECT * FROM pg_class").error().code == pst::kConsoleSyntax);
}

TEST_CASE("SET of drivers' settings is taken, of anything else refused with the way to do it") {
  for (const char* text :
       {"SET extra_float_digits = 3", "set session application_name to 'x'", "SET NAMES 'utf8'",
        "SET client_encoding TO 'UTF8'", "SET TIME ZONE 'UTC'", "SET LOCAL lock_timeout = 1",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"}) {
    CAPTURE(text);
    const auto command = parse_command(text);
    REQUIRE(command);
    CHECK(command->verb == Verb::kSet);
  }
  const auto refused = parse_command("SET default_pool_size = 30");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == pst::kConsoleNotServed);
  CHECK(refused.error().hint.find("RELOAD") != std::string::npos);
}

TEST_CASE("text is cut at semicolons outside quotes and comments, up to a limit") {
  const auto parts = split_statements("SHOW POOLS; /* ; */ PAUSE 'a;b' ; -- ;\n ;");
  REQUIRE(parts.size() == 2);
  CHECK(parse_command(parts[1])->argument == "a;b");
  CHECK(split_statements("").empty());
  CHECK(split_statements(" ; ;").empty());
  const std::string padding(kMaxTextBytes - 10, ' ');
  CHECK(parse_command("SHOW POOLS" + padding));
  CHECK_FALSE(parse_command("SHOW POOLS" + padding + " "));
}

TEST_CASE("every table has rows as wide as its columns, also where nothing is known") {
  Snapshot snapshot;
  snapshot.clients.resize(1);
  snapshot.servers.resize(1);
  snapshot.prepared.resize(1);
  snapshot.pools.resize(1);
  snapshot.databases.resize(1);
  snapshot.users.resize(1);
  snapshot.nodes.resize(1);
  snapshot.protection.resize(1);
  snapshot.config.resize(1);
  snapshot.stats.resize(2);
  snapshot.cache.resize(1);
  snapshot.audit.resize(1);
  snapshot.memory.resize(1);
  for (const CommandRow& row : command_rows()) {
    CAPTURE(row.words);
    const auto columns = columns_of(row.verb);
    if (columns.empty()) continue;
    const auto rows = rows_of(row.verb, snapshot, "client_encoding");
    for (const Row& cells : rows) {
      REQUIRE(cells.size() == columns.size());
      for (std::size_t i = 0; i < cells.size(); ++i) {
        CAPTURE(columns[i].name);
        const bool is_number = std::holds_alternative<std::int64_t>(cells[i]);
        const bool is_text = std::holds_alternative<std::string>(cells[i]);
        if (columns[i].type == Type::kText) CHECK_FALSE(is_number);
        if (columns[i].type != Type::kText) CHECK_FALSE(is_text);
      }
    }
    const auto empty = rows_of(row.verb, Snapshot{}, "client_encoding");
    for (const Row& cells : empty) CHECK(cells.size() == columns.size());
  }
}

TEST_CASE("a pool's longest wait is its own figure, or that of the clients while somebody waits") {
  Snapshot snapshot;
  snapshot.pools.resize(3);
  snapshot.pools[0].database = "shop";
  snapshot.pools[0].cl_waiting = 1;
  snapshot.pools[1].database = "other";
  snapshot.pools[2].database = "other";
  snapshot.pools[2].maxwait_us = 7;
  SocketRow client;
  client.wait_us = 2'500'000;
  for (const char* database : {"shop", "other"}) {
    client.database = database;
    snapshot.clients.push_back(client);
  }
  const auto rows = rows_of(Verb::kShowPools, snapshot, {});
  const auto wait = [&](std::size_t row) {
    return std::get<std::int64_t>(rows[row][13]) * 1'000'000 +
           std::get<std::int64_t>(rows[row][14]);
  };
  CHECK(wait(0) == 2'500'000);
  CHECK(wait(1) == 0);
  CHECK(wait(2) == 7);
}

TEST_CASE("the operating guide knows every command") {
  std::ifstream file(POSTERN_SOURCE_DIR "/docs/operating.md");
  const std::string page((std::istreambuf_iterator<char>(file)), {});
  for (const CommandRow& row : command_rows()) {
    if (row.needs == Needs::kNone) continue;
    CAPTURE(row.words);
    CHECK(page.find("`" + std::string(row.words)) != std::string::npos);
  }
}

TEST_CASE("what clients have prepared is gathered for the one table that shows it") {
  for (const CommandRow& row : command_rows()) {
    CAPTURE(row.words);
    CHECK((visit_of(row.verb) == Visit::kStatements) == (row.verb == Verb::kShowPrepared));
  }
  for (const Verb verb : {Verb::kShowPools, Verb::kShowClients, Verb::kShowLists}) {
    CHECK(visit_of(verb) == Visit::kSessions);
  }
}
