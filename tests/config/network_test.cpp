// Address ranges, and keys that hold them.
#include <doctest/doctest.h>

#include "base/codes/config.hpp"
#include "config/address_range.hpp"
#include "config/values.hpp"
#include "tests/config/files.hpp"

using namespace postern;
using namespace postern::config;
using namespace postern::config::testing;

namespace {

bool in(std::string_view network, std::string_view address) {
  const auto parsed = AddressRange::parse(network);
  REQUIRE(parsed);
  const auto known = parse_net_address(address);
  return known && parsed->contains(*known);
}

}  // namespace

TEST_CASE("networks hold their addresses and no others") {
  CHECK(in("10.0.0.0/8", "10.255.0.1"));
  CHECK_FALSE(in("10.0.0.0/8", "11.0.0.1"));
  CHECK(in("192.0.2.128/25", "192.0.2.128"));
  CHECK_FALSE(in("192.0.2.128/25", "192.0.2.127"));
  CHECK(in("192.0.2.7", "192.0.2.7"));
  CHECK_FALSE(in("192.0.2.7/32", "192.0.2.6"));
  CHECK(in("0.0.0.0/0", "203.0.113.1"));
  CHECK_FALSE(in("0.0.0.0/0", "::1"));
  CHECK(in("2001:db8::/33", "2001:db8:7fff::1"));
  CHECK_FALSE(in("2001:db8::/33", "2001:db8:8000::1"));
  CHECK(in("::1", "0:0::1"));
  CHECK(in("10.0.0.0/8", "::ffff:10.0.0.1"));
  CHECK_FALSE(in("10.0.0.0/8", ""));
  CHECK_FALSE(in("10.0.0.0/8", "10.0.0.1:80"));
}

TEST_CASE("what is no network") {
  for (const std::string_view text :
       {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0/8", "10.0.0.1/8", "::/129",
        "::1/64", "host/8", "10.0.0.0/8/8", "10.0.0.0/8 ", "10.0.0.0/0x8"}) {
    CAPTURE(text);
    CHECK_FALSE(AddressRange::parse(text));
  }
  CHECK_FALSE(AddressRange::parse(std::string_view("10.0.0.0\0", 9)));
  CHECK_FALSE(AddressRange::parse("10.0.0.0" + std::string(100, ' ')));
}

TEST_CASE("hosts of peers") {
  CHECK(address_of_peer("10.0.0.1:55") == parse_net_address("10.0.0.1"));
  CHECK(address_of_peer("[::1]:55") == parse_net_address("::1"));
  CHECK_FALSE(address_of_peer("unix"));
  CHECK_FALSE(address_of_peer("unix:/run/a:1"));
}

TEST_CASE("nodes may be sockets") {
  CHECK(parse_node("/run/postgresql") == HostPort{"/run/postgresql", 5432});
  CHECK(parse_node("/run/postgresql:5433") == HostPort{"/run/postgresql", 5433});
  CHECK(parse_node("@pg:5432") == HostPort{"@pg", 5432});
  CHECK(parse_node("host:5432") == HostPort{"host", 5432});
  for (const std::string_view text :
       {"/", "@", "/run:0", "/run:x", "/run:65536", "/a b", "run", "/run:1:2:"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_node(text));
  }
  CHECK(parse_node("/" + std::string(89, 'x')));
  CHECK_FALSE(parse_node("/" + std::string(90, 'x')));
}

TEST_CASE("keys of sockets are checked") {
  CHECK(only_error(load_more("[listen]\nunix_socket_dir = \"run\"\n"), pst::kConfigConflict, 2,
                   "neither an absolute path"));
  CHECK(only_error(load_more("[listen]\nunix_socket_dir = \"@\"\n"), pst::kConfigConflict, 2,
                   "@NAME"));
  CHECK(only_error(load_more("[listen]\nunix_socket_mode = \"0999\"\n"), pst::kConfigBadValue, 2,
                   "octal"));
  CHECK(only_error(load_more("[listen]\nunix_socket_mode = \"77\"\n"), pst::kConfigBadValue, 2,
                   "octal"));
  CHECK(only_error(load_more("[listen]\nproxy_protocol_from = [\"10.0.0.0/8\", \"lb\"]\n"),
                   pst::kConfigBadValue, 2, "\"lb\" is not a network"));
  CHECK(only_error(load_more("[cluster.main.tls]\nmode = \"allow\"\ncert_file = \"c\"\n"),
                   pst::kConfigConflict, 3, "together"));
}
