#include <algorithm>
#include <array>
#include <utility>

#include "base/bytes.hpp"
#include "proxy/session/login.hpp"

namespace postern::proxy {
namespace {

constexpr std::string_view kTenantOption = "postern.tenant";

policy::Profile to_policy(config::Profile profile) {
  switch (profile) {
    case config::Profile::kAnalyst:
      return policy::Profile::kAnalyst;
    case config::Profile::kMigrator:
      return policy::Profile::kMigrator;
    case config::Profile::kBackup:
      return policy::Profile::kBackup;
    case config::Profile::kAdmin:
      return policy::Profile::kAdmin;
    case config::Profile::kTransparent:
      return policy::Profile::kTransparent;
    case config::Profile::kApp:
    case config::Profile::kDefault:
      return policy::Profile::kApp;
  }
  return policy::Profile::kApp;
}

// The tenant of a login: fixed by the users file, or chosen at startup among those allowed.
Result<TenantId> tenant_of(const config::UserOptions& user, std::string_view asked) {
  if (!user.tenant.is_none()) {
    if (!asked.empty() && asked != user.tenant.text()) {
      return make_error(Pst::kTenantNotAllowed, "this login belongs to one tenant");
    }
    return user.tenant;
  }
  if (asked.empty()) return TenantId::none();
  POSTERN_ASSIGN(TenantId tenant, TenantId::parse(asked));
  if (!user.tenants.permits(tenant)) {
    return make_error(Pst::kTenantNotAllowed, "this login may not act for the tenant asked for");
  }
  return tenant;
}

// Startup parameters are part of what distinguishes pooled connections. Length prefixes keep two
// different lists from ever looking alike.
void append_field(std::string& out, std::string_view text) {
  out.append(std::to_string(text.size())).append(":").append(text);
}

std::string pool_identity(const Identity& identity) {
  std::string key;
  append_field(key, identity.tenant.text());
  for (const auto& [name, value] : identity.startup) {
    append_field(key, name);
    append_field(key, value);
  }
  return key;
}

// Parameters the gate would refuse as SET must not come in through the back door either.
Status check_startup(const Session& session, std::string_view name) {
  constexpr std::array<std::string_view, 5> kForbidden = {
      "role", "session_authorization", "row_security", "session_replication_role", "search_path"};
  const bool ours = name.starts_with("postern.");
  const bool forbidden = std::find(kForbidden.begin(), kForbidden.end(), name) != kForbidden.end();
  const bool options = name == "options";
  if (ours || forbidden || (options && session.identity.profile == policy::Profile::kApp)) {
    return make_error(Pst::kStartupParameterRefused, std::string(name));
  }
  return ok();
}

bool gate_applies(const Session& session) {
  return session.database->protection() != nullptr &&
         session.database->protection()->is_protected &&
         session.identity.profile != policy::Profile::kAdmin;
}

// Splits what the client asked for into our own option and what servers are told.
Result<std::string> read_parameters(Session* session, protocol::LoginRequest& request) {
  std::string tenant;
  std::map<Bytes, Bytes, std::less<>> last;  // names may repeat; the last wins, as in PostgreSQL
  for (auto& [name, value] : request.parameters) last.insert_or_assign(name, value);
  for (auto& [name, value] : last) {
    if (name == kTenantOption) {
      tenant = value;
      continue;
    }
    if (name == "application_name") session->identity.application = value;
    if (gate_applies(*session)) POSTERN_TRY(check_startup(*session, name));
    session->identity.startup.emplace_back(name, value);
  }
  return tenant;
}

}  // namespace

Status find_database(Session* session, const protocol::LoginRequest& request) {
  if (request.replication != protocol::Replication::kNone) {
    return make_error(Pst::kReplicationRefused);
  }
  session->database = session->runtime().databases.find(request.database);
  if (session->database == nullptr) {
    return make_error(Pst::kUnknownDatabase, "\"" + std::string(request.database) + "\"");
  }
  return ok();
}

Status identify(Session* session, protocol::LoginRequest request) {
  Identity& who = session->identity;
  who.login = request.user;
  const config::UserOptions& user = session->runtime().users.options(who.login);
  const config::DatabaseOptions& database = session->database->options();
  who.profile = to_policy(config::effective_profile(session->config(), who.login,
                                                    session->database->name()));
  who.upstream_user = !user.upstream_user.empty() ? user.upstream_user
                      : !database.user.empty()    ? database.user
                                                  : who.login;
  POSTERN_ASSIGN(const std::string asked, read_parameters(session, request));
  POSTERN_ASSIGN(who.tenant, tenant_of(user, asked));
  who.pool_identity = pool_identity(who);
  return ok();
}

}  // namespace postern::proxy
