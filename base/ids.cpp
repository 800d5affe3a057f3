#include "base/ids.hpp"

#include <algorithm>

#include "base/codes/wall.hpp"

namespace postern {
namespace {

bool is_tenant_char(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '-';
}

}  // namespace

Result<TenantId> TenantId::parse(std::string_view text) {
  const bool well_formed = !text.empty() && text.size() <= kMaxBytes && text != "-" &&
                           std::all_of(text.begin(), text.end(), is_tenant_char);
  if (!well_formed) return make_error(pst::kBadTenant);
  return TenantId(std::string(text));
}

}  // namespace postern
