// Rules of [tenant] where every tenant has a schema and a role of its own.
#include <optional>

#include "config/findings.hpp"
#include "config/values.hpp"
#include "policy/schema_tenants.hpp"

namespace postern::config {
namespace {

using policy::NameTemplate;

std::optional<NameTemplate> read_template(Findings& findings, const char* path,
                                          const std::string& text) {
  auto read = NameTemplate::parse(text);
  if (read) return std::move(*read);
  findings.add(read.error().code, path, read.error().what);
  return std::nullopt;
}

/// A tenant of the right name would become that login.
void check_login(Findings& findings, const NameTemplate& role, const std::string& path,
                 const std::string& login) {
  if (login.empty() || !role.matches(login)) return;
  findings.conflict(path, "\"" + login + "\" would also be the login of a tenant (tenant.role)");
}

void check_logins(Findings& findings, const NameTemplate& role) {
  const Config& config = findings.config();
  if (config.service) check_login(findings, role, "service.user", config.service->user);
  for (const auto& [name, database] : config.databases) {
    check_login(findings, role, "database." + name + ".user", database.user);
  }
  for (const auto& [name, user] : config.users) {
    const std::string path = "user." + name;
    check_login(findings, role, path + ".upstream_user", user.upstream_user);
    const bool has_tenant = !user.tenant.is_none() || !user.tenants.empty();
    if (has_tenant && !user.upstream_user.empty()) {
      findings.conflict(path + ".upstream_user", "is given beside a tenant, whose role it has");
    }
    // Without a tenant it would log in under its own name.
    if (user.tenant.is_none() && user.upstream_user.empty()) {
      check_login(findings, role, path, name);
    }
  }
}

}  // namespace

void validate_schema_tenants(Findings& findings) {
  const TenantOptions& tenant = *findings.config().tenant;
  for (const char* key : {"column", "type", "guard_key_file", "expiry"}) {
    const std::string path = std::string("tenant.") + key;
    if (findings.written(path)) {
      findings.conflict(path, "is given beside tenant.schema: tenants are rows or schemas");
    }
  }
  for (const std::string& name : tenant.trusted) {
    if (is_qualified(name)) continue;
    findings.add(pst::kConfigBadValue, "tenant.trusted", "\"" + name + "\" is not schema.name");
  }
  const auto schema = read_template(findings, "tenant.schema", tenant.schema);
  const auto role =
      tenant.role.empty() ? schema : read_template(findings, "tenant.role", tenant.role);
  if (!schema || !role) return;
  for (const std::string& shared : policy::shared_schemas(tenant.shared)) {
    if (!schema->matches(shared)) continue;
    findings.conflict("tenant.shared", "\"" + shared + "\" would be a tenant's schema");
  }
  check_logins(findings, *role);
}

}  // namespace postern::config
