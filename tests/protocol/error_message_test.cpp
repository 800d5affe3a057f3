#include "protocol/error_message.hpp"

#include "base/codes/auth.hpp"
#include "base/codes/pool.hpp"
#include "base/codes/wire.hpp"
#include "tests/protocol/support.hpp"

using namespace postern;
using namespace postern::protocol;
using namespace postern::protocol::test;

TEST_CASE("a Postern error becomes an ErrorResponse with all its fields") {
  Bytes out;
  append_error(out, Error{pst::kPoolTimeout, "cluster main", {}, 17});
  const auto fields = ErrorFields::decode(ByteView(out).substr(5));
  REQUIRE(fields);
  CHECK(out[0] == 'E');
  CHECK(load_be32(out.data() + 1) == out.size() - 1);
  CHECK(fields->get('S') == "ERROR");
  CHECK(fields->get('V') == "ERROR");
  CHECK(fields->get('C') == "53300");
  CHECK(fields->get('M') == "no server connection became free in time: cluster main");
  CHECK(fields->get('D') == "PST-1303");
  CHECK(fields->get('H') == "Raise pool_size or shorten transactions.");
  CHECK(fields->get('P') == "17");
}

TEST_CASE("severity is FATAL by table or by wish; position only where known") {
  Bytes out;
  append_error(out, make_error(pst::kProtocolViolation));
  append_error(out, make_error(pst::kPoolTimeout), Report::kFatal);
  const std::size_t second = 1 + load_be32(out.data() + 1);
  for (const ByteView one : {ByteView(out).substr(0, second), ByteView(out).substr(second)}) {
    const auto fields = ErrorFields::decode(one.substr(5));
    REQUIRE(fields);
    CHECK(fields->get('V') == "FATAL");
    CHECK_FALSE(fields->get('P').has_value());
  }
}

TEST_CASE("a zero byte in an error text cuts that text only") {
  Bytes out;
  append_error(out, make_error(pst::kBadStartup, lit("a\0b")));
  const auto fields = ErrorFields::decode(ByteView(out).substr(5));
  REQUIRE(fields);
  CHECK(fields->get('M') == "startup parameters are not acceptable: a");
  CHECK(fields->get('D') == "PST-1202");
}

TEST_CASE("foreign fields survive; absent ones are absent") {
  const Bytes body = lit("SERROR\0Mtext\0zunknown\0\0");
  const auto fields = ErrorFields::decode(body);
  REQUIRE(fields);
  CHECK_FALSE(fields->get('C').has_value());
  Bytes out;
  REQUIRE(fields->encode(BackendType::kErrorResponse, out));
  CHECK(out == message('E', body));
  CHECK(OwnedErrorFields::copy(*fields).get('z') == "unknown");
  for (std::size_t n = 0; n < body.size(); ++n) {
    CHECK(code_of(ErrorFields::decode(ByteView(body).substr(0, n))) == pst::kProtocolViolation);
  }
  CHECK(code_of(ErrorFields::decode(body + "x")) == pst::kProtocolViolation);
}

TEST_CASE("notices") {
  Bytes out;
  append_notice(out, "WARNING", "01000", "careful");
  CHECK(out == message('N', lit("SWARNING\0VWARNING\0C01000\0Mcareful\0\0")));
}
