// Small notations of the configuration: durations, sizes, addresses, blocks of addresses, nodes,
// variables.
#include "config/address_range.hpp"
#include "config/values.hpp"
#include "tests/fuzz/support.hpp"

using namespace postern;
using namespace postern::config;

namespace {

void addresses(ByteView text) {
  if (const auto address = parse_net_address(text)) {
    POSTERN_CHECK(address->size == 4 || address->size == 16);
    const ByteView plain = text.substr(0, text.find('%'));
    const auto range = AddressRange::parse(plain);
    if (range) POSTERN_CHECK(range->contains(*address));
  }
  if (const auto range = AddressRange::parse(text)) {
    const auto first = parse_net_address(text.substr(0, text.find('/')));
    POSTERN_CHECK(first && range->contains(*first));
    (void)range->is_loopback();
  }
  (void)address_of_peer(text);
}

void quantities(ByteView text) {
  if (const auto duration = parse_duration(text)) {
    POSTERN_CHECK(parse_duration(format_duration(*duration)) == duration);
  }
  if (const auto bytes = parse_size(text)) {
    POSTERN_CHECK(parse_size(format_size(*bytes)) == bytes);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView text = fuzz::view(data, size);
  addresses(text);
  quantities(text);
  if (const auto host = parse_host_port(text)) POSTERN_CHECK(host->port != 0);
  (void)parse_node(text);
  (void)is_uuid(text);
  (void)is_qualified(text);
  const auto value = substitute(text, [](const std::string&) { return std::nullopt; });
  POSTERN_CHECK(!value || value->size() <= text.size());
  return 0;
}
