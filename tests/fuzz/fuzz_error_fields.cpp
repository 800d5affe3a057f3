// Error reports of a server, and those made of arbitrary text: always sendable.
#include "protocol/error_message.hpp"
#include "tests/fuzz/support.hpp"

using namespace postern;
using namespace postern::protocol;

namespace {

void received(ByteView body) {
  const auto fields = ErrorFields::decode(body);
  if (!fields) return;
  const OwnedErrorFields owned = OwnedErrorFields::copy(*fields);
  for (const auto& [code, value] : fields->fields) {
    POSTERN_CHECK(fields->get(code).has_value());
    POSTERN_CHECK(owned.get(code) == *fields->get(code));
  }
  Bytes out;
  POSTERN_CHECK(fields->encode(BackendType::kErrorResponse, out).has_value());
  const auto again = ErrorFields::decode(ByteView(out).substr(5));
  POSTERN_CHECK(again && again->fields == fields->fields);
}

void made(fuzz::Feed feed) {
  Error error = make_error(pst::kInternal, Bytes(feed.text()));
  error.hint = Bytes(feed.text());
  Bytes out;
  append_error(out, error, feed.below(2) == 0 ? Report::kFatal : Report::kAsInTable);
  POSTERN_CHECK(ErrorFields::decode(ByteView(out).substr(5)).has_value());
  out.clear();
  const ByteView severity = feed.text();
  const ByteView sqlstate = feed.text();
  append_notice(out, severity, sqlstate, feed.rest());
  POSTERN_CHECK(ErrorFields::decode(ByteView(out).substr(5)).has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView body = fuzz::view(data, size);
  received(body);
  made(fuzz::Feed(body));
  return 0;
}
