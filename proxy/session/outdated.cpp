#include "proxy/session/outdated.hpp"

#include "base/codes/config.hpp"

namespace postern::proxy {
namespace {

const config::UserOptions* find_user(const config::Config& config, const std::string& name) {
  const auto it = config.users.find(name);
  return it == config.users.end() ? nullptr : &it->second;
}

std::string upstream_user(const config::Config& config, const std::string& login,
                          std::string_view database) {
  const config::UserOptions* user = find_user(config, login);
  if (user != nullptr && !user->upstream_user.empty()) return user->upstream_user;
  const config::DatabaseOptions* options = config::find_database(config, database);
  if (options != nullptr && !options->user.empty()) return options->user;
  return login;
}

// A tenant it no longer may act for, or another fixed one.
bool tenant_stands(const config::UserOptions& user, const TenantId& tenant) {
  if (!user.tenant.is_none()) return user.tenant == tenant;
  return tenant.is_none() || user.tenants.permits(tenant);
}

// What a session may name is settled at its login.
bool choice_changed(const config::UserOptions& was, const config::UserOptions& is) {
  if (was.trusted != is.trusted) return true;
  return is.trusted &&
         (was.tenants.any != is.tenants.any || was.tenants.allowed != is.tenants.allowed);
}

bool sources_changed(const config::Config& before, const config::Config& now,
                     std::string_view database) {
  const config::DatabaseOptions* was = config::find_database(before, database);
  const config::DatabaseOptions* is = config::find_database(now, database);
  return was != nullptr && is != nullptr &&
         config::identity_sources(before, *was) != config::identity_sources(now, *is);
}

bool leaves_cluster(const ServerLink* link, const Cluster& cluster) {
  return link != nullptr && !cluster.has(link->facts().endpoint);
}

std::optional<std::string> place_changed(Session& session) {
  Database* now = session.runtime().databases.find(session.database->name());
  if (now == nullptr) return "its database was removed";
  if (now != session.database) return "its database leads elsewhere now";
  const Cluster& cluster = now->cluster();
  if (leaves_cluster(session.primary.get(), cluster) ||
      leaves_cluster(session.replica.get(), cluster)) {
    return "its node was removed";
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> identity_changed(const config::Config& before, const config::Config& now,
                                            const Identity& identity, std::string_view database) {
  const config::UserOptions* was = find_user(before, identity.login);
  const config::UserOptions* is = find_user(now, identity.login);
  if (was != nullptr && is == nullptr) return "its login was removed";
  if (config::effective_profile(before, identity.login, database) !=
      config::effective_profile(now, identity.login, database)) {
    return "its profile is another";
  }
  if (upstream_user(before, identity.login, database) !=
      upstream_user(now, identity.login, database)) {
    return "its login on the server is another";
  }
  if (is != nullptr && !tenant_stands(*is, identity.tenant)) return "its tenant is another";
  const bool guarded = config::is_protected(now, database);
  if (guarded != config::is_protected(before, database)) {
    return guarded ? "its database is protected now" : "its database is no longer protected";
  }
  if (was != nullptr && is != nullptr && choice_changed(*was, *is)) {
    return "whom it may act for is another";
  }
  if (sources_changed(before, now, database)) return "the sources of identity are others";
  return std::nullopt;
}

Status outdated(Session* session) {
  const config::Config* now = &session->config();
  if (session->configured == now) return ok();
  auto reason = place_changed(*session);
  if (!reason) {
    reason =
        identity_changed(*session->configured, *now, session->identity, session->database->name());
  }
  if (reason) return make_error(pst::kConfigurationChanged, *reason);
  session->configured = now;
  return ok();
}

}  // namespace postern::proxy
