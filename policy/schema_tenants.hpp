// Tenants kept apart by schema instead of by row: each has a schema and a role of its own, and the
// privileges of the database are the wall (docs/adr/0014-schema-per-tenant.md).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"

namespace postern::policy {

/// "tenant_{tenant}": what the names of all tenants' schemas, or roles, have in common. Different
/// tenants have different names.
class NameTemplate {
 public:
  static constexpr std::size_t kMaxNameBytes = 63;  ///< NAMEDATALEN - 1; a server cuts longer ones

  /// kBadTenantTemplate: {tenant} stands in it exactly once, behind text of its own that neither
  /// begins a name of the server or of Postern nor is begun by one.
  static Result<NameTemplate> parse(std::string_view text);

  /// The tenant's name; kTenantWithoutSchema where the server would cut it.
  [[nodiscard]] Result<std::string> name_of(const TenantId& tenant) const;
  /// Some tenant's name, or one that would be if tenants could be named so.
  [[nodiscard]] bool matches(std::string_view name) const;

  [[nodiscard]] const std::string& prefix() const { return prefix_; }
  [[nodiscard]] const std::string& suffix() const { return suffix_; }

 private:
  std::string prefix_;
  std::string suffix_;
};

struct SchemaTenants {
  NameTemplate schema;
  NameTemplate role;
  /// Globs "schema.name" of views and SECURITY DEFINER functions that are meant to reach several
  /// tenants' schemas.
  std::vector<std::string> trusted;
};

/// The schemas that hold what `shared` names, in its order; patterns of schemas name none.
std::vector<std::string> shared_schemas(const std::vector<std::string>& shared);

/// The search path of a tenant's sessions: its own schema, then the shared ones.
std::vector<std::string> tenant_search_path(const std::string& own,
                                            const std::vector<std::string>& shared);

/// As a value of the setting.
std::string search_path_text(const std::vector<std::string>& schemas);

}  // namespace postern::policy
