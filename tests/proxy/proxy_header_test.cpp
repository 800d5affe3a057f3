// PROXY headers, versions 1 and 2: good ones, every truncation, every wrong field.
#include "proxy/net/proxy_header.hpp"

#include <string>

#include <doctest/doctest.h>

#include "base/codes/net.hpp"

using namespace postern;
using namespace postern::proxy;

namespace {

const std::string kSignature("\r\n\r\n\0\r\nQUIT\n", 12);

std::string v2(unsigned char command, unsigned char family, const std::string& body,
               int length = -1) {
  const std::size_t size = length < 0 ? body.size() : static_cast<std::size_t>(length);
  std::string out = kSignature;
  out += static_cast<char>(command);
  out += static_cast<char>(family);
  out += static_cast<char>(size >> 8);
  out += static_cast<char>(size & 0xff);
  return out + body;
}

const std::string kTcp4("\xc0\x00\x02\x07\x0a\x00\x00\x01\xd9\x03\x19\x20", 12);

std::string tcp6() {
  std::string body(32, '\0');
  body[0] = '\x20';
  body[1] = '\x01';
  body[15] = '\x09';
  return body + std::string("\x00\x50\x19\x20", 4);
}

bool is_bad(const std::string& bytes) {
  const auto read = read_proxy_header(bytes);
  return !read && read.error().code == pst::kProxyHeader;
}

std::string address(const std::string& bytes) {
  const auto read = read_proxy_header(bytes);
  if (!read) return read.error().line();
  if (!read->header) return "incomplete";
  return read->header->address;
}

// Cut anywhere, a good header asks for more than there is and never for more than its size.
void check_truncations(const std::string& header) {
  for (std::size_t size = 0; size < header.size(); ++size) {
    CAPTURE(size);
    const auto read = read_proxy_header(ByteView(header).substr(0, size));
    REQUIRE(read);
    CHECK_FALSE(read->header);
    CHECK(read->need > size);
    CHECK(read->need <= header.size());
  }
  const auto whole = read_proxy_header(header + "behind");
  REQUIRE(whole);
  REQUIRE(whole->header);
  CHECK(whole->header->size == header.size());
}

}  // namespace

TEST_CASE("PROXY v1") {
  CHECK(address("PROXY TCP4 192.0.2.7 10.0.0.1 55555 6432\r\n") == "192.0.2.7:55555");
  CHECK(address("PROXY TCP6 2001:db8::9 ::1 80 6432\r\n") == "[2001:db8::9]:80");
  CHECK(address("PROXY UNKNOWN\r\n").empty());
  CHECK(address("PROXY UNKNOWN ffff:f...f:ffff what 65535\r\n").empty());
  check_truncations("PROXY TCP4 192.0.2.7 10.0.0.1 55555 6432\r\n");
  check_truncations("PROXY UNKNOWN\r\n");
}

TEST_CASE("PROXY v1: wrong fields") {
  for (const std::string line :
       {"PROXY TCP5 192.0.2.7 10.0.0.1 1 2\r\n", "PROXY tcp4 192.0.2.7 10.0.0.1 1 2\r\n",
        "PROXY TCP4 192.0.2.7 10.0.0.1 1\r\n", "PROXY TCP4 192.0.2.7 10.0.0.1 1 2 3\r\n",
        "PROXY TCP4  192.0.2.7 10.0.0.1 1 2\r\n", "PROXY TCP4 192.0.2 10.0.0.1 1 2\r\n",
        "PROXY TCP4 192.0.2.256 10.0.0.1 1 2\r\n", "PROXY TCP4 ::1 ::1 1 2\r\n",
        "PROXY TCP6 192.0.2.7 10.0.0.1 1 2\r\n", "PROXY TCP4 192.0.2.7 10.0.0.1 65536 2\r\n",
        "PROXY TCP4 192.0.2.7 10.0.0.1 -1 2\r\n", "PROXY TCP4 192.0.2.7 10.0.0.1 01 2\r\n",
        "PROXY TCP4 192.0.2.7 10.0.0.1  \r\n", "PROXY \r\n", "PROXY\tTCP4\r\n"}) {
    CAPTURE(line);
    CHECK(is_bad(line));
  }
  CHECK(is_bad("GET / HTTP/1.1\r\n"));
  CHECK(is_bad(std::string("\0\0\0\x08\x04\xd2\x16\x2f", 8)));
}

TEST_CASE("PROXY v1: 107 bytes and one more") {
  const std::string start = "PROXY UNKNOWN ";
  const std::string longest = start + std::string(kMaxProxyV1 - start.size() - 2, 'x') + "\r\n";
  REQUIRE(longest.size() == kMaxProxyV1);
  CHECK(address(longest).empty());
  const std::string longer = start + std::string(kMaxProxyV1 - start.size() - 1, 'x') + "\r\n";
  CHECK(is_bad(longer));
  CHECK(is_bad(longer.substr(0, kMaxProxyV1)));
}

TEST_CASE("PROXY v2") {
  CHECK(address(v2(0x21, 0x11, kTcp4)) == "192.0.2.7:55555");
  CHECK(address(v2(0x21, 0x21, tcp6())) == "[2001::9]:80");
  CHECK(address(v2(0x21, 0x11, kTcp4 + "TLVs of any kind")) == "192.0.2.7:55555");
  CHECK(address(v2(0x20, 0x00, "")).empty());
  CHECK(address(v2(0x20, 0x11, kTcp4)).empty());
  CHECK(address(v2(0x21, 0x00, "whatever")).empty());
  CHECK(address(v2(0x21, 0x31, std::string(216, 'u'))).empty());
  check_truncations(v2(0x21, 0x11, kTcp4));
  check_truncations(v2(0x21, 0x21, tcp6() + "more"));
  check_truncations(v2(0x20, 0x00, ""));
}

TEST_CASE("PROXY v2: wrong fields") {
  CHECK(is_bad(v2(0x11, 0x11, kTcp4)));  // version 1
  CHECK(is_bad(v2(0x22, 0x11, kTcp4)));  // command 2
  CHECK(is_bad(v2(0x21, 0x12, kTcp4)));  // datagrams
  CHECK(is_bad(v2(0x21, 0x41, kTcp4)));  // family 4
  for (std::size_t size = 0; size < kTcp4.size(); ++size) {
    CHECK(is_bad(v2(0x21, 0x11, kTcp4.substr(0, size))));
  }
  for (std::size_t size = 0; size < tcp6().size(); ++size) {
    CHECK(is_bad(v2(0x21, 0x21, tcp6().substr(0, size))));
  }
  CHECK(is_bad(v2(0x21, 0x31, std::string(215, 'u'))));
  for (std::size_t at = 0; at < kSignature.size(); ++at) {
    std::string broken = v2(0x21, 0x11, kTcp4);
    broken[at] = static_cast<char>(broken[at] ^ 1);
    CHECK(is_bad(broken));
  }
}

TEST_CASE("PROXY v2: the longest and one more") {
  const std::size_t most = kMaxProxyV2 - 16;
  CHECK(address(v2(0x20, 0x00, std::string(most, 'x'))).empty());
  CHECK(is_bad(v2(0x20, 0x00, "", static_cast<int>(most + 1))));
  CHECK(is_bad(v2(0x21, 0x11, "", 0xffff)));
}
