#include "policy/schema_tenants.hpp"

#include <algorithm>

#include "base/codes/wall.hpp"
#include "policy/glob.hpp"
#include "policy/sql_quote.hpp"

namespace postern::policy {
namespace {

constexpr std::string_view kPlace = "{tenant}";
// Schemas and roles that are nobody's: a tenant could be named so that its name becomes theirs.
constexpr std::string_view kTaken[] = {"pg_", "postern", "public", "information_schema",
                                       "postgres"};

bool may_become(std::string_view prefix, std::string_view taken) {
  return taken.starts_with(prefix) || prefix.starts_with(taken);
}

Error bad(std::string_view text, const char* why) {
  return make_error(pst::kBadTenantTemplate, "\"" + std::string(text) + "\" " + why);
}

}  // namespace

Result<NameTemplate> NameTemplate::parse(std::string_view text) {
  const std::size_t at = text.find(kPlace);
  if (at == std::string_view::npos) return bad(text, "lacks {tenant}");
  NameTemplate out;
  out.prefix_ = text.substr(0, at);
  out.suffix_ = text.substr(at + kPlace.size());
  if (out.suffix_.find(kPlace) != std::string::npos) return bad(text, "has {tenant} twice");
  if (out.prefix_.empty()) return bad(text, "has nothing in front of {tenant}");
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  };
  const bool is_plain = std::all_of(out.prefix_.begin(), out.prefix_.end(), plain) &&
                        std::all_of(out.suffix_.begin(), out.suffix_.end(), plain);
  if (!is_plain) return bad(text, "has characters other than letters, digits, '_', '.' and '-'");
  for (const std::string_view taken : kTaken) {
    if (!may_become(out.prefix_, taken)) continue;
    return bad(text, "could name what belongs to the server, to everyone or to Postern");
  }
  if (out.prefix_.size() + out.suffix_.size() >= kMaxNameBytes) return bad(text, "is too long");
  return out;
}

Result<std::string> NameTemplate::name_of(const TenantId& tenant) const {
  std::string name = prefix_ + tenant.text() + suffix_;
  if (name.size() <= kMaxNameBytes) return name;
  return make_error(pst::kTenantWithoutSchema, name + " is longer than 63 bytes");
}

bool NameTemplate::matches(std::string_view name) const {
  return name.size() > prefix_.size() + suffix_.size() && name.starts_with(prefix_) &&
         name.ends_with(suffix_);
}

std::vector<std::string> shared_schemas(const std::vector<std::string>& shared) {
  std::vector<std::string> out;
  for (const std::string& pattern : shared) {
    const std::string schema = pattern.substr(0, pattern.find('.'));
    if (has_glob(schema) || std::find(out.begin(), out.end(), schema) != out.end()) continue;
    out.push_back(schema);
  }
  return out;
}

std::vector<std::string> tenant_search_path(const std::string& own,
                                            const std::vector<std::string>& shared) {
  std::vector<std::string> path{own};
  for (std::string& schema : shared_schemas(shared)) {
    if (schema != own) path.push_back(std::move(schema));
  }
  return path;
}

std::string search_path_text(const std::vector<std::string>& schemas) {
  std::string out;
  for (const std::string& schema : schemas) {
    if (!out.empty()) out += ", ";
    out += quote_ident(schema);
  }
  return out;
}

}  // namespace postern::policy
