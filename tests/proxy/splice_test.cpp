#include "proxy/session/splice.hpp"

#include <doctest/doctest.h>

#include "proxy/session/outgoing.hpp"

using namespace postern;
using namespace postern::proxy;

TEST_CASE("splices replace their spans and leave everything else untouched") {
  const std::string text = "SELECT 'a', b, 'c'";
  const SplicedText spliced(text, {{{7, 10}, "'LONGER'"}, {{15, 18}, ""}});
  CHECK(spliced.text() == "SELECT 'LONGER', b, ");
  CHECK(SplicedText(text, {}).text() == text);
}

TEST_CASE("positions lead back to the original, counted in characters") {
  // Two-byte characters before and inside the replaced part.
  const std::string text = "SELECT \xC3\xA4, '\xC3\xB6', zz";
  const auto begin = static_cast<std::uint32_t>(text.find('\''));
  const auto end = static_cast<std::uint32_t>(text.rfind('\'') + 1);
  const SplicedText spliced(text, {{{begin, end}, "'sealed value'"}});
  CHECK(spliced.original_position(0) == 0);
  CHECK(spliced.original_position(8) == 8);
  CHECK(spliced.original_position(11) == 11);  // first character of the replacement
  CHECK(spliced.original_position(20) == 11);  // inside it
  CHECK(spliced.original_position(27) == 16);  // zz
  CHECK(spliced.original_position(28) == 17);
}

TEST_CASE("gathered output keeps its order and merges adjacent views") {
  const std::string buffer = "abcdef";
  Outgoing out;
  CHECK(out.empty());
  out.add_view(ByteView(buffer).substr(0, 2));
  out.add_view(ByteView(buffer).substr(2, 2));
  out.own().append("MADE");
  out.own().append("+");
  out.add_view(ByteView(buffer).substr(4, 2));
  out.own().append("END");
  const auto& views = out.views();
  REQUIRE(views.size() == 4);
  CHECK(views[0] == "abcd");
  CHECK(views[1] == "MADE+");
  CHECK(views[2] == "ef");
  CHECK(views[3] == "END");
  CHECK(out.total() == 14);
  out.detach();
  REQUIRE(out.views().size() == 1);
  CHECK(out.views()[0] == "abcdMADE+efEND");
  out.clear();
  CHECK(out.empty());
}
