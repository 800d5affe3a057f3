// postern policy explain: what would happen to a statement of a login, and why.
#include "app/policy_explain.hpp"

#include "app/policy_task.hpp"
#include "app/printable.hpp"
#include "base/codes/config.hpp"
#include "base/codes/tools.hpp"
#include "base/codes/wall.hpp"
#include "proxy/keeper/policy_options.hpp"
#include "proxy/runtime/shapes.hpp"
#include "sql/analyzer.hpp"

namespace postern::app {
namespace {

constexpr Flag kFlags[] = {
    kConfigFlag,
    kDatabaseFlag,
    kDsnFlag,
    {"--as", 0, "LOGIN", "the login that would send it"},
    {"--tenant", 0, "TENANT", "the tenant in force, for a login that may choose"},
    kJsonFlag,
};

/// The tenant that would be in force; kBadTenant where the login may not act for `wanted`.
Result<TenantId> tenant_of(const config::UserOptions* user, const std::string& wanted) {
  const TenantId fixed = user != nullptr ? user->tenant : TenantId::none();
  if (wanted.empty()) return fixed;
  auto tenant = TenantId::parse(wanted);
  if (!tenant) return tenant;
  if (*tenant == fixed || (user != nullptr && user->tenants.permits(*tenant))) return tenant;
  return make_error(pst::kBadTenant, "this login may not act for " + wanted);
}

Result<policy::Principal> principal_of(const PolicyTask& task, const Arguments& arguments) {
  const std::string login = arguments.value("--as");
  const auto user = task.config.users.find(login);
  const bool known = user != task.config.users.end();
  if (!known && !config::admits_strangers(task.config)) {
    return make_error(pst::kUnknownLogin, login);
  }
  policy::Principal out;
  out.profile =
      proxy::policy_profile(config::effective_profile(task.config, login, task.database.name));
  POSTERN_ASSIGN(const TenantId tenant,
                 tenant_of(known ? &user->second : nullptr, arguments.value("--tenant")));
  out.has_tenant = !tenant.is_none();
  if (task.rules->options.schemas && out.has_tenant) {
    POSTERN_ASSIGN(out.schema, task.rules->options.schemas->schema.name_of(tenant));
  }
  out.decrypts = out.profile != policy::Profile::kAdmin && out.profile != policy::Profile::kBackup;
  return out;
}

std::vector<std::string> search_path_of(const PolicyTask& task, const std::string& login,
                                        const std::string& schema) {
  if (!schema.empty()) return policy::tenant_search_path(schema, task.rules->options.shared);
  const auto user = task.config.users.find(login);
  std::string upstream = task.database.options->user;
  if (user != task.config.users.end() && !user->second.upstream_user.empty()) {
    upstream = user->second.upstream_user;
  }
  return {upstream.empty() ? login : upstream, "public"};
}

Result<Explanation> explain(const PolicyTask& task, const Arguments& arguments) {
  Explanation out;
  out.config = &task.config;
  out.login = arguments.value("--as");
  out.text = arguments.positionals().front();
  out.rules = task.rules;
  POSTERN_ASSIGN(out.principal, principal_of(task, arguments));
  sql::AnalysisContext context;
  context.catalog = task.rules->catalog;
  context.search_path = search_path_of(task, out.login, out.principal.schema);
  out.facts = sql::analyze(out.text, context, {});
  out.decision = policy::decide(*out.facts, out.text, *task.rules, out.principal);
  config::PolicyOptions pinning = task.config.policy;
  pinning.learn_file = {};
  proxy::Shapes shapes;
  POSTERN_TRY(shapes.configure(pinning));
  shapes.judge(*out.facts, *task.rules, out.principal, out.decision);
  return out;
}

Exit run(const Arguments& arguments) {
  if (!arguments.has("--as") || arguments.positionals().size() != 1) {
    return fail(make_error(pst::kUsage, "policy explain needs --as LOGIN and one \"SQL\""));
  }
  PolicyTask task;
  const Exit opened = open_policy_task(arguments, "policy explain", task);
  if (opened != Exit::kGood) return opened;
  const auto explanation = explain(task, arguments);
  if (!explanation) return fail(explanation.error());
  if (arguments.has("--json")) {
    print_json(explain_json(*explanation));
  } else {
    explain_print(*explanation);
  }
  return explanation->decision.refused() ? Exit::kFindings : Exit::kGood;
}

}  // namespace

extern const Command kPolicyExplainCommand;
const Command kPolicyExplainCommand{
    "policy explain",
    "\"SQL\"",
    1,
    "say what would happen to a statement of a login: tables, rules, encryption, route",
    "Runs nothing: the text is only analysed against the catalog, under the search path\n"
    "\"$user\", public, or that of the tenant's schema. Exit code 1 where it would be refused.",
    kFlags,
    run,
};

}  // namespace postern::app
