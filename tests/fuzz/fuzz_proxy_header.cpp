// PROXY headers: whoever reaches the listener first may send anything.
#include "config/address_range.hpp"
#include "proxy/net/proxy_header.hpp"
#include "tests/fuzz/support.hpp"

using namespace postern;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView stream = fuzz::view(data, size);
  // Byte by byte: the verdict never changes once it is there.
  for (std::size_t shown = 0; shown <= std::min(stream.size(), proxy::kMaxProxyV2 + 1); ++shown) {
    const auto progress = proxy::read_proxy_header(stream.substr(0, shown));
    const auto all = proxy::read_proxy_header(stream);
    if (!progress) {
      POSTERN_CHECK(!all);
      return 0;
    }
    if (!progress->header) {
      POSTERN_CHECK(progress->need > shown && progress->need <= proxy::kMaxProxyV2);
      continue;
    }
    POSTERN_CHECK(progress->header->size <= shown);
    POSTERN_CHECK(all && all->header && all->header->size == progress->header->size);
    const std::string& address = progress->header->address;
    POSTERN_CHECK(address.empty() || config::address_of_peer(address).has_value());
    return 0;
  }
  return 0;
}
