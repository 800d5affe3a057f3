#include "protocol/startup_options.hpp"

#include <doctest/doctest.h>

using namespace postern;
using namespace postern::protocol;

namespace {

using Settings = std::vector<std::pair<Bytes, Bytes>>;

void check_read(ByteView text, const Settings& expected, bool other = false) {
  CAPTURE(Bytes(text));
  const StartupOptions found = parse_startup_options(text);
  CHECK(found.settings == expected);
  CHECK(found.other == other);
}

}  // namespace

TEST_CASE("words end at white space, a backslash takes the next character") {
  using Words = std::vector<Bytes>;
  CHECK(split_startup_options("").empty());
  CHECK(split_startup_options(" \t\n\v\f\r ").empty());
  CHECK(split_startup_options(" a  b\tc ") == Words{"a", "b", "c"});
  CHECK(split_startup_options("a\\ b c\\\\d \\e") == Words{"a b", "c\\d", "e"});
  CHECK(split_startup_options("a\\") == Words{"a"});
  CHECK(split_startup_options("\\") == Words{""});
  CHECK(split_startup_options("a\xA0"
                              "b") == Words{"a\xA0"
                                            "b"});
}

TEST_CASE("settings in every form the server takes") {
  check_read("-c a=b", {{"a", "b"}});
  check_read("-ca=b", {{"a", "b"}});
  check_read("--a=b", {{"a", "b"}});
  check_read("-c a=b --c=d -c e=", {{"a", "b"}, {"c", "d"}, {"e", ""}});
  check_read("-c a=b=c", {{"a", "b=c"}});
  check_read("--statement-timeout=5", {{"statement_timeout", "5"}});
  check_read("-c work-mem=1-2", {{"work_mem", "1-2"}});
  check_read("-c search_path=a,\\ b", {{"search_path", "a, b"}});
  check_read("-c postern.tenant=acme", {{"postern.tenant", "acme"}});
  check_read("", {});
}

TEST_CASE("everything else is for the server to judge, and hides no setting") {
  check_read("-c", {}, true);
  check_read("-c a", {}, true);
  check_read("--a", {}, true);
  check_read("-c =b", {}, true);
  check_read("a=b", {}, true);
  check_read("-", {}, true);
  check_read("\\", {}, true);
  check_read("-- -c a=b", {{"a", "b"}}, true);
  check_read("-e", {}, true);
  check_read("-ec a=b", {{"a", "b"}}, true);
  check_read("-S 64 -c a=b", {{"a", "b"}}, true);
  check_read("-S64 -c a=b", {{"a", "b"}}, true);
  check_read("-S -c a=b", {}, true);  // -c is the argument of -S, and a=b of nothing
  check_read("-W", {}, true);
}

TEST_CASE("what is written is read back") {
  for (const Settings& settings :
       {Settings{}, Settings{{"a", "b"}}, Settings{{"search_path", "a, \"b\\c\""}, {"x.y", ""}},
        Settings{{"a", " \t\\ "}, {"a", "=-c b=c"}}}) {
    check_read(format_startup_options(settings), settings);
  }
}
