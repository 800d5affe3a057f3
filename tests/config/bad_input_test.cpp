// Every kind of mistake a file can hold, with the place where it must be reported.
#include <sys/stat.h>

#include <doctest/doctest.h>

#include "base/codes/config.hpp"
#include "tests/config/files.hpp"

using namespace postern;
using namespace postern::config;
using namespace postern::config::testing;

namespace {

struct Case {
  const char* text;
  Pst code;
  std::uint32_t line;  ///< after kBase
  const char* part;
};

const Case kCases[] = {
    // Unknown keys, with the nearest one.
    {"[limits]\nmax_client = 1\n", pst::kConfigUnknownKey, 2, "did you mean \"max_clients\"?"},
    {"[listen.tsl]\n", pst::kConfigUnknownKey, 1, "listen.tsl"},
    {"[polici]\n", pst::kConfigUnknownKey, 1, "did you mean \"policy\"?"},
    {"[zebra]\n", pst::kConfigUnknownKey, 1, "zebra: there is no such section"},
    {"[cluster.main.tls]\nmod = 1\n", pst::kConfigUnknownKey, 2, "did you mean \"mode\"?"},
    {"[[column]]\ntable='a.b'\nname='c'\ntyp='text'\n", pst::kConfigUnknownKey, 4,
     "column[0].typ: there is no such key; did you mean \"type\"?"},
    {"[[table]]\nname='a.b'\n[[table.policies]]\nnam='x'\n", pst::kConfigUnknownKey, 4,
     "table[0].policies[0].nam"},
    {"[alerts]\nport = 1\n", pst::kConfigUnknownKey, 2, "alerts.port"},
    // Wrong types.
    {"[listen]\nport = \"6432\"\n", pst::kConfigBadValue, 2, "expected an integer, found a string"},
    {"[listen]\nport = 1.5\n", pst::kConfigBadValue, 2, "found a fraction or date"},
    {"[listen]\naddress = 1\n", pst::kConfigBadValue, 2, "expected a string"},
    {"[routing]\nenabled = 1\n", pst::kConfigBadValue, 2, "expected true or false"},
    {"[tenant]\nshared = \"a.b\"\n", pst::kConfigBadValue, 2, "expected a list"},
    {"[tenant]\nshared = [1]\n", pst::kConfigBadValue, 2, "expected a string"},
    {"[cluster]\nmain2 = 1\n", pst::kConfigBadValue, 2, "the name is missing"},
    {"[column]\nname = 'x'\n", pst::kConfigBadValue, 1, "expected [[column]]"},
    // Notations.
    {"[routing]\nmax_wait = \"20 ms\"\n", pst::kConfigBadValue, 2, "is not a duration"},
    {"[routing]\nmax_wait = \"5sec\"\n", pst::kConfigBadValue, 2, "is not a duration"},
    {"[routing]\nmax_wait = \"-5s\"\n", pst::kConfigBadValue, 2, "is not a duration"},
    {"[routing]\nmax_wait = \"99999999999999999999s\"\n", pst::kConfigBadValue, 2,
     "is not a duration"},
    {"[limits]\nquery_bytes = \"1mb\"\n", pst::kConfigBadValue, 2, "is not a size"},
    {"[limits]\nquery_bytes = -1\n", pst::kConfigBadValue, 2, "-1 is outside 1KB to 64MB"},
    {"[cache]\nredis = \"localhost\"\n", pst::kConfigBadValue, 2, "is not \"host:port\""},
    {"[cache]\nredis = \"localhost:0\"\n", pst::kConfigBadValue, 2, "is not \"host:port\""},
    {"[cache]\nredis = \"::1:6379\"\n", pst::kConfigBadValue, 2, "is not \"host:port\""},
    {"[policy]\nmode = \"off\"\n", pst::kConfigBadValue, 2, "is none of observe, gate, enforce"},
    {"[log]\nfile = \"\"\n", pst::kConfigBadValue, 2, "is empty"},
    {"[service]\nuser = \"${WHO}\"\n", pst::kConfigBadValue, 2, "in passwords only"},
    {"[[column]]\ntable='a.b'\nname='c'\nroles={bob='peek'}\n", pst::kConfigBadValue, 4,
     "\"peek\" is none of decrypt"},
    {"[[column]]\ntable='a.b'\nname='c'\nroles={\"profile:boss\"='deny'}\n", pst::kConfigBadValue,
     4, "names no profile"},
    {"[[column]]\ntable='a.b'\nname='c'\nroles={bob='mask:zorro'}\n", pst::kConfigBadValue, 4,
     "there is no mask"},
    // Secrets.
    {"[service]\nuser='s'\npassword = \"${NO_SUCH}\"\n", pst::kConfigSecret, 3,
     "service.password: environment variable NO_SUCH is not set"},
    {"[service]\nuser='s'\npassword = \"${1X}\"\n", pst::kConfigBadValue, 3, "does not begin"},
    {"[service]\nuser='s'\npassword = \"${OPEN\"\n", pst::kConfigBadValue, 3, "does not begin"},
    {"[service]\nuser='s'\npassword = \"\"\n", pst::kConfigBadValue, 3, "is empty"},
    {"[service]\nuser='s'\npassword_file = \"none.txt\"\n", pst::kConfigSecret, 3,
     "No such file or directory"},
    {"[service]\nuser='s'\npassword_file = \".\"\n", pst::kConfigSecret, 3, "is a folder"},
    // Missing keys.
    {"[service]\npassword = \"x\"\n", pst::kConfigMissingKey, 1, "service.user"},
    {"[cluster.two]\n", pst::kConfigMissingKey, 1, "cluster.two.nodes"},
    {"[[column]]\ntable = \"a.b\"\n", pst::kConfigMissingKey, 1, "column[0].name"},
    // Syntax.
    {"[listen\nport = 1\n", pst::kConfigSyntax, 1, "table header"},
    {"\u00ff = 1\n", pst::kConfigSyntax, 1, "expected keys"},
    {"[.listen]\n", pst::kConfigSyntax, 1, "expected bare key"},
    {"[[ =x]]\n", pst::kConfigSyntax, 1, "expected bare key"},
    {"[listen]\nport = 1\nport = 2\n", pst::kConfigSyntax, 3, "cannot redefine"},
    {"[service]\nuser='s'\npassword = hunter2\n", pst::kConfigSyntax, 3, "value type"},
    // Files.
    {"[auth.x]\n", pst::kConfigUnknownKey, 1, "auth.x"},
};

}  // namespace

TEST_CASE("each mistake is reported once, with code, file, line and particulars") {
  for (const Case& c : kCases) {
    const LoadReport report = load_more(c.text);
    CAPTURE(c.text);
    CAPTURE(messages(report));
    CHECK(only_error(report, c.code, c.line, c.part));
  }
}

TEST_CASE("a section written as a value is refused") {
  const Folder folder;
  const auto report = load_text(folder, "log = 1\n" + std::string(kBase));
  REQUIRE(report.errors.size() == 1);
  CHECK(report.errors[0].code == pst::kConfigBadValue);
  CHECK(report.errors[0].what.find("toml:1: log: expected a section, found an integer") !=
        std::string::npos);
}

TEST_CASE("the base configuration itself is whole") {
  CAPTURE(messages(load_more("")));
  CHECK(load_more("").errors.empty());
}

TEST_CASE("numbers, sizes, durations and texts hold at their limits and not one past them") {
  struct Limit {
    const char* section;
    const char* key;
    std::string low, below, high, above;
  };
  const Limit limits[] = {
      {"limits", "max_clients", "1", "0", "1000000", "1000001"},
      {"limits", "max_logins", "1", "0", "1000000", "1000001"},
      {"limits", "client_statements", "1", "0", "1000000", "1000001"},
      {"limits", "client_statement_bytes", "'64KB'", "65535", "1073741823", "'1GB'"},
      {"limits", "parser_threads", "1", "0", "64", "65"},
      {"limits", "parser_queue", "1", "0", "1000000", "1000001"},
      {"limits", "analysis_cache", "'1MB'", "1048575", "'1GB'", "1073741825"},
      {"listen", "port", "0", "-1", "65535", "65536"},
      {"listen", "workers", "0", "-1", "256", "257"},
      {"limits", "query_bytes", "1024", "1023", "'64MB'", "67108865"},
      {"limits", "login_timeout", "'100ms'", "99", "'10m'", "600001"},
      {"routing", "poll_interval", "10", "'9ms'", "'60s'", "60001"},
      {"audit", "segment_bytes", "'128KB'", "131071", "'4GB'", "4294967297"},
      {"tenant", "column", "'t'", "1", "'" + std::string(63, 'c') + "'",
       "'" + std::string(64, 'c') + "'"},
  };
  const std::string rest = "[service]\nuser='s'\n[policy]\nmode='observe'\n";
  for (const Limit& l : limits) {
    const auto load_value = [&](const std::string& value) {
      const bool audit = std::string(l.section) == "audit";
      return load_more(rest + "[" + l.section + "]\n" + (audit ? "dir='d'\nkey_file='k'\n" : "") +
                       (std::string(l.key) == "query_bytes" ? "message_bytes='512MB'\n" : "") +
                       l.key + " = " + value + "\n");
    };
    CAPTURE(l.section);
    CAPTURE(l.key);
    for (const auto& value : {l.low, l.high}) {
      const auto report = load_value(value);
      CAPTURE(messages(report));
      CHECK(report.errors.empty());
    }
    for (const auto& value : {l.below, l.above}) {
      const auto report = load_value(value);
      REQUIRE(report.errors.size() == 1);
      CHECK(report.errors[0].code == pst::kConfigBadValue);
    }
  }
}

TEST_CASE("secrets never reach a message") {
  for (const char* text : {"password = hunter2", "password = 'x' hunter2", "password = 12hunter2",
                           "password = \"hunter2", "password = ['hunter2']",
                           "password = \"a\\hunter2\"", "password = \"hunter2${\"",
                           "password = \"hunter2\\u0000\"", "hunter2", "password.hunter2x = 1"}) {
    const auto report = load_more("[service]\nuser='s'\n" + std::string(text) + "\n");
    CAPTURE(text);
    REQUIRE_FALSE(report.errors.empty());
    if (std::string(text).find("hunter2x") == std::string::npos) {
      CHECK(messages(report).find("hunter") == std::string::npos);
    }
  }
}

TEST_CASE("a main file that cannot be read names the path and the reason") {
  const auto report = load_report("/nonexistent/postern.toml", environment({}));
  REQUIRE(report.errors.size() == 1);
  CHECK(report.errors[0].code == pst::kConfigUnreadable);
  CHECK(report.errors[0].what == "/nonexistent/postern.toml: No such file or directory");
  const Folder folder;
  const auto as_folder = load_report(folder.path(), environment({}));
  REQUIRE(as_folder.errors.size() == 1);
  CHECK(as_folder.errors[0].what == folder.path() + ": is a folder");
}

TEST_CASE("a file at the size limit is read, one byte more is refused") {
  const Folder folder;
  std::string text(kBase);
  text += "#";
  text.resize(kMaxFileBytes, 'x');
  CHECK(load_text(folder, text).errors.empty());
  const auto report = load_text(folder, text + "x");
  REQUIRE(report.errors.size() == 1);
  CHECK(report.errors[0].code == pst::kConfigUnreadable);
}

TEST_CASE("names and lists hold at their limits and not one past them") {
  const auto with_name = [](std::size_t bytes) {
    return load_more("[database." + std::string(bytes, 'n') + "]\ncluster = 'main'\n");
  };
  CHECK(with_name(63).errors.empty());
  CHECK(only_error(with_name(64), pst::kConfigBadValue, 1, "1 to 63 bytes"));
  const auto with_items = [](std::size_t count) {
    std::string list;
    for (std::size_t i = 0; i < count; ++i) list += "'a.b',";
    return load_more("[service]\nuser='s'\n[cache]\n[[cache.rule]]\ntables = [" + list + "]\n");
  };
  CHECK(with_items(10'000).errors.empty());
  CHECK(only_error(with_items(10'001), pst::kConfigBadValue, 5, "more than 10000 entries"));
}

TEST_CASE("the number of mistakes collected is bounded") {
  std::string text;
  for (std::size_t i = 0; i < kMaxErrors + 10; ++i) text += "[[column]]\nx = 1\n";
  CHECK(load_more(text).errors.size() == kMaxErrors);
}

TEST_CASE("a users file that is missing or wrong is reported at its own place") {
  const Folder folder;
  const std::string base =
      "[cluster.main]\nnodes = [\"h:1\"]\n[database.\"*\"]\ncluster = \"main\"\n"
      "[auth]\nusers_file = \"users.toml\"\n";
  auto report = load_text(folder, base);
  REQUIRE(report.errors.size() == 1);
  CHECK(report.errors[0].code == pst::kConfigUnreadable);
  CHECK(report.errors[0].what.find("/postern.toml:6: auth.users_file: ") != std::string::npos);
  folder.write("users.toml", "[user.bob]\npasword = 'x'\n");
  report = load_text(folder, base);
  REQUIRE(report.errors.size() == 1);
  CHECK(report.errors[0].what.find("/users.toml:2: user.bob.pasword") != std::string::npos);
  CHECK(report.errors[0].what.find("did you mean \"password\"?") != std::string::npos);
}
