// postern keys tenant add: gives tenants their keys.
#include "app/keys_task.hpp"
#include "app/printable.hpp"
#include "base/codes/config.hpp"
#include "base/codes/wall.hpp"
#include "policy/tenant_type.hpp"

namespace postern::app {
namespace {

constexpr Flag kFlags[] = {kConfigFlag, kJsonFlag};
constexpr std::size_t kMaxTenantsAtOnce = 100'000;

policy::TenantType type_of(const std::string& name) {
  if (name == "uuid") return policy::TenantType::kUuid;
  if (name == "int4") return policy::TenantType::kInt4;
  if (name == "int8") return policy::TenantType::kInt8;
  return policy::TenantType::kText;
}

Result<std::vector<TenantId>> read_tenants(const config::Config& config,
                                           const std::vector<std::string>& names) {
  std::vector<TenantId> out;
  for (const std::string& name : names) {
    auto tenant = TenantId::parse(name);
    if (!tenant || tenant->is_none()) return make_error(pst::kBadTenant, name);
    // Keys of a tenant that no row can belong to would never be used.
    if (config.tenant) POSTERN_TRY(policy::check_tenant(*tenant, type_of(config.tenant->type)));
    out.push_back(*std::move(tenant));
  }
  return out;
}

Status add(const config::Config& config, const std::vector<std::string>& names) {
  POSTERN_ASSIGN(const std::vector<TenantId> tenants, read_tenants(config, names));
  POSTERN_ASSIGN(crypto::KeyStore store, open_key_store(config));
  return store.add_tenants(tenants, now_seconds());
}

Exit run(const Arguments& arguments) {
  const auto& names = arguments.positionals();
  if (names.empty()) {
    return fail(make_error(pst::kUsage, "keys tenant add needs at least one TENANT"));
  }
  config::Config config;
  const Exit loaded = load_config(arguments, "keys tenant add", config);
  if (loaded != Exit::kGood) return loaded;
  const Status added = add(config, names);
  if (!added) return fail(added.error());
  if (arguments.has("--json")) {
    print_json({{"added", names}});
  } else {
    print_line(std::to_string(names.size()) +
               (names.size() == 1 ? " tenant has" : " tenants have") + " keys now");
  }
  return Exit::kGood;
}

}  // namespace

extern const Command kKeysTenantAddCommand;
const Command kKeysTenantAddCommand{
    "keys tenant add",
    "TENANT...",
    kMaxTenantsAtOnce,
    "make the keys of tenants",
    "All or none. A running Postern takes them up by itself.",
    kFlags,
    run,
};

}  // namespace postern::app
