#include "proxy/session/tenant_role.hpp"

#include <utility>

#include "base/codes/session.hpp"
#include "policy/schema_tenants.hpp"
#include "proxy/keeper/policy_options.hpp"

namespace postern::proxy {

Status take_tenant_role(Session* session, Resolved& found) {
  const config::Config& config = session->config();
  POSTERN_ASSIGN(const auto tenants, schema_tenants(config));
  if (!tenants) return ok();
  Identity& who = session->identity;
  found.rights.tenant_bound = true;
  const TenantId& tenant = found.acts_for.tenant;
  if (tenant.is_none()) {
    if (!tenants->role.matches(who.upstream_user)) return ok();
    return make_error(pst::kStrangerRefused, "it has no tenant, and a tenant's role is called so");
  }
  POSTERN_ASSIGN(who.upstream_user, tenants->role.name_of(tenant));
  POSTERN_ASSIGN(who.schema, tenants->schema.name_of(tenant));
  const auto path = policy::tenant_search_path(who.schema, config.tenant->shared);
  who.startup.emplace_back("search_path", policy::search_path_text(path));
  return ok();
}

bool fresh_startup(const Identity& who) {
  return who.startup.size() == (who.schema.empty() ? 0U : 1U);
}

std::shared_ptr<const Secret> tenant_role_password(const config::Config& config,
                                                   const std::string& user) {
  if (!config.tenant || config.tenant->role_password.empty()) return nullptr;
  const auto tenants = schema_tenants(config);
  if (!tenants || !*tenants || !(*tenants)->role.matches(user)) return nullptr;
  return std::make_shared<const Secret>(config.tenant->role_password.clone());
}

}  // namespace postern::proxy
