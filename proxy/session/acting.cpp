#include "proxy/session/acting.hpp"

#include <utility>

#include "base/codes/session.hpp"
#include "proxy/pool/identity.hpp"
#include "proxy/session/audit_record.hpp"

namespace postern::proxy {
namespace {

// Also where the rules protect nothing yet: DDL may change that under the session's feet, and its
// connections stay.
bool may_be_protected(const Session& session) {
  return session.identity.guarded ||
         config::is_protected(*session.configured, session.database->name());
}

// What a pooled connection is never shared across, beside startup parameters. A tenant's context
// names the login; under transaction pooling connections are not reset between clients, so that on
// a protected database neither logins nor profiles share them.
std::string identity_scope(const Session& session) {
  const Identity& who = session.identity;
  std::string scope(who.tenant.text());
  const bool apart = session.pooled && may_be_protected(session);
  if (!who.tenant.is_none() || apart) scope += "/" + who.login;
  if (apart) scope += "/" + std::to_string(static_cast<int>(who.profile));
  return session.pooled ? "transaction:" + scope : scope;
}

void append_field(std::string& out, std::string_view text) {
  out.append(std::to_string(text.size())).append(":").append(text);
}

std::string context_scope(const Identity& who) {
  std::string scope;
  if (who.tenant.is_none()) return scope;
  append_field(scope, who.tenant.text());
  append_field(scope, who.login);
  append_field(scope, who.subject);
  for (const std::string& role : who.roles) append_field(scope, role);
  if (who.valid_until_us != 0) append_field(scope, std::to_string(who.valid_until_us));
  return scope;
}

}  // namespace

void act_for(Session* session, ActsFor who) {
  Identity& identity = session->identity;
  identity.tenant = std::move(who.tenant);
  identity.subject = std::move(who.subject);
  identity.purpose = std::move(who.purpose);
  identity.context_scope = context_scope(identity);
  identity.pool_identity = encode_identity(identity_scope(*session), identity.startup);
  session->primary_pool = {};  // it was looked up for who it acted for before
}

void end_choice(Session* session) {
  if (session->choice == nullptr) return;
  const ActsFor before = session->choice->in_force();
  session->choice->on_idle();
  if (session->choice->in_force() != before) act_for(session, session->choice->in_force());
}

Status still_valid(const Session& session) {
  const std::int64_t until = session.identity.valid_until_us;
  if (until == 0 || now_us() < until) return ok();
  return make_error(pst::kIdentityExpired);
}

bool shows_tenant(const AnalysedText& analysed) {
  const sql::Statement* statement = analysed.statement(0);
  return statement != nullptr && analysed.facts->statements.size() == 1 &&
         statement->kind == sql::StatementKind::kShow && statement->name == "postern.tenant";
}

}  // namespace postern::proxy
