#include "app/role_passwords.hpp"

#include "base/codes/auth.hpp"
#include "crypto/init.hpp"
#include "policy/sql_quote.hpp"
#include "policy/wall_verify.hpp"
#include "protocol/scram_secret.hpp"
#include "proxy/session/scram_primitives.hpp"

namespace postern::app {
namespace {

Status set_password(schema::Connection& connection, const std::string& role,
                    const Secret& password) {
  const protocol::ScramPrimitives& primitives = proxy::scram_primitives();
  Bytes salt(protocol::kScramSaltBytes, '\0');
  if (!primitives.random_bytes(salt.data(), salt.size())) {
    return make_error(pst::kCryptoFailed, "no random bytes");
  }
  POSTERN_ASSIGN(const protocol::ScramSecret secret,
                 protocol::build_scram_secret(primitives, password.reveal(), salt));
  return connection.run("ALTER ROLE " + policy::quote_ident(role) + " PASSWORD " +
                        policy::quote_literal(std::string(secret.format())));
}

}  // namespace

Result<std::vector<std::string>> set_role_passwords(schema::Connection& connection,
                                                    const policy::Ruleset& rules,
                                                    const Secret& password) {
  POSTERN_TRY(crypto::init());
  POSTERN_ASSIGN(const schema::Rows rows, connection.query(policy::tenant_roles_sql(rules)));
  std::vector<std::string> roles;
  for (const schema::Row& row : rows) roles.push_back(row.at(0).value_or(""));
  for (const std::string& role : roles) {
    POSTERN_TRY(set_password(connection, role, password));
  }
  return roles;
}

}  // namespace postern::app
