#include "proxy/pool/identity.hpp"

#include <charconv>

namespace postern::proxy {
namespace {

void append_field(std::string& out, std::string_view text) {
  out.append(std::to_string(text.size())).append(":").append(text);
}

Result<std::string_view> take_field(std::string_view& rest) {
  std::size_t size = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), size);
  const auto digits = static_cast<std::size_t>(end - rest.data());
  const bool whole = error == std::errc() && digits < rest.size() && rest[digits] == ':' &&
                     size <= rest.size() - digits - 1;
  if (!whole) return make_error(pst::kInternal, "not the identity of a connection");
  const std::string_view field = rest.substr(digits + 1, size);
  rest.remove_prefix(digits + 1 + size);
  return field;
}

}  // namespace

std::string encode_identity(std::string_view scope, const StartupParameters& startup) {
  std::string identity;
  append_field(identity, scope);
  for (const auto& [name, value] : startup) {
    append_field(identity, name);
    append_field(identity, value);
  }
  return identity;
}

Result<StartupParameters> startup_of(std::string_view identity) {
  POSTERN_TRY(take_field(identity));
  StartupParameters startup;
  while (!identity.empty()) {
    POSTERN_ASSIGN(const std::string_view name, take_field(identity));
    POSTERN_ASSIGN(const std::string_view value, take_field(identity));
    startup.emplace_back(name, value);
  }
  return startup;
}

}  // namespace postern::proxy
