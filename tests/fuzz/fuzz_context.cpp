// The signed tenant context: whatever the fields hold, the text splits into just these fields.
#include "policy/context_token.hpp"
#include "tests/fuzz/support.hpp"

using namespace postern;
using namespace postern::policy;

namespace {

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == at) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

ContextFields fields_of(fuzz::Feed& feed) {
  ContextFields fields;
  fields.database = static_cast<Oid>(feed.number());
  fields.backend_pid = static_cast<std::int32_t>(feed.number());
  fields.backend_start_us = static_cast<std::int64_t>(feed.number());
  fields.expiry_us = static_cast<std::int64_t>(feed.number());
  fields.kid = feed.below(4) == 0 ? std::string(feed.text()) : "0123456789abcdef";
  if (auto tenant = TenantId::parse(feed.text())) fields.tenant = *tenant;
  fields.subject = std::string(feed.text());
  while (!feed.empty()) fields.roles.emplace_back(feed.text());
  return fields;
}

void check(const ContextFields& fields, std::string_view message) {
  const std::vector<std::string> parts = split(message, '.');
  POSTERN_CHECK(parts.size() == kContextFieldCount - 1 && parts[0] == kContextVersion);
  POSTERN_CHECK(parts[1] == std::to_string(fields.database) && parts[2] == fields.kid);
  const std::string tenant = fields.tenant.is_none() ? "" : fields.tenant.text();
  POSTERN_CHECK(from_hex(parts[3]) == tenant && from_hex(parts[4]) == fields.subject);
  std::vector<std::string> roles;
  for (const std::string& role : split(parts[5], ',')) {
    if (!role.empty()) roles.push_back(from_hex(role).value());
  }
  POSTERN_CHECK(roles == fields.roles);
  POSTERN_CHECK(parts[6] == std::to_string(fields.backend_pid));
  POSTERN_CHECK(parts[8] == std::to_string(fields.expiry_us));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input = fuzz::view(data, size);
  (void)attach_mac(input, std::string(kMacHexDigits, 'a')).has_value();
  fuzz::Feed feed(input);
  const ContextFields fields = fields_of(feed);
  (void)past_half_life(fields.backend_start_us, fields.expiry_us, 0);
  const auto message = build_context(fields);
  if (!message) return 0;
  check(fields, *message);
  const auto whole = attach_mac(*message, std::string(kMacHexDigits, '0'));
  POSTERN_CHECK(whole && whole->starts_with(*message));
  return 0;
}
