// Startup packets and the `options` parameter: what is read is written to the same meaning.
#include "protocol/startup.hpp"
#include "protocol/startup_options.hpp"
#include "tests/fuzz/support.hpp"

using namespace postern;
using namespace postern::protocol;

namespace {

bool encode(const StartupPacket& packet, Bytes& out) {
  if (const auto* message = std::get_if<StartupMessage>(&packet)) {
    return message->encode(out).has_value();
  }
  if (const auto* cancel = std::get_if<CancelRequest>(&packet)) {
    return cancel->encode(out).has_value();
  }
  if (std::holds_alternative<SslRequest>(packet)) {
    SslRequest().encode(out);
  } else {
    GssEncRequest().encode(out);
  }
  return true;
}

void options(ByteView text) {
  const StartupOptions once = parse_startup_options(text);
  (void)split_startup_options(text);
  const StartupOptions twice = parse_startup_options(format_startup_options(once.settings));
  POSTERN_CHECK(!twice.other && twice.settings == once.settings);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView body = fuzz::view(data, size);
  if (body.find('\0') == ByteView::npos) options(body);
  const auto packet = decode_startup(body);
  if (!packet) return 0;
  Bytes out;
  POSTERN_CHECK(encode(*packet, out));
  POSTERN_CHECK(out.substr(4) == body);
  if (const auto* message = std::get_if<StartupMessage>(&*packet)) {
    for (const auto& [name, value] : message->parameters) {
      if (name == "options") options(value);
    }
  }
  return 0;
}
