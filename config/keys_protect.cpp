// Rows of tenants, tables, columns, keys and the gate.
#include "config/key.hpp"

namespace postern::config {
namespace {

using enum Reload;
using enum Need;

constexpr std::string_view kModes[] = {"observe", "gate", "enforce", "pinned"};
constexpr std::string_view kDetails[] = {"shape", "full"};
constexpr std::string_view kSchemes[] = {"none", "randomized", "deterministic"};
constexpr std::string_view kScopes[] = {"tenant", "global"};
constexpr std::string_view kAccesses[] = {"decrypt", "mask", "ciphertext", "deny"};
constexpr std::string_view kCommands[] = {"all", "select", "insert", "update", "delete"};
constexpr std::string_view kKinds[] = {"permissive", "restrictive"};
constexpr std::string_view kNewTables[] = {"refuse", "allow"};
constexpr std::string_view kMasks[] = {"fixed", "partial", "email", "hash", "date_year", "null"};
constexpr std::size_t kMaxSqlBytes = 16u << 10;

}  // namespace

std::span<const std::string_view> access_names() {
  return kAccesses;
}
std::span<const std::string_view> mask_names() {
  return kMasks;
}

KeyRows keys_of(TenantOptions& o) {
  return {
      {"column", TextKey{&o.column, 63}, kYes,
       "every table that has this column is a tenant table"},
      {"type", TextKey{&o.type, 63}, kYes,
       "type of that column: text, varchar, uuid, int4 or int8"},
      {"shared", TextsKey{&o.shared}, kYes,
       "tables without tenant, as \"schema.table\" with `*` and `?`"},
      {"guard_key_file", PathKey{&o.guard_key_file}, kNo,
       "key that signs the tenant context; required unless [policy] mode is `observe`"},
      {"expiry", DurationKey{&o.expiry, Millis(1'000), Millis(86'400'000)}, kYes,
       "life of a signed context; renewed at half of it"},
      {"schema", TextKey{&o.schema, 63}, kNo,
       "instead of `column`: the schema of each tenant, such as \"tenant_{tenant}\""},
      {"role", TextKey{&o.role, 63}, kNo,
       "with `schema`: the login on the server of each tenant; empty is the name of its schema"},
      {"role_password", SecretKey{&o.role_password}, kNo, "password of those logins"},
      {"role_password_file", SecretFileKey{&o.role_password}, kNo, "file with that password"},
      {"trusted", TextsKey{&o.trusted}, kYes,
       "with `schema`: views and SECURITY DEFINER functions that are meant to reach several "
       "tenants' schemas, as \"schema.name\" with `*` and `?`"},
  };
}

KeyRows keys_of(TablePolicy& o) {
  return {
      {"name", TextKey{&o.name, 50}, kYes, "name of the policy", kRequired},
      {"kind", choice(o.kind, kKinds), kYes,
       "`permissive` policies are joined by OR, `restrictive` ones narrow the result"},
      {"for", choice(o.command, kCommands), kYes, "statements it governs"},
      {"roles", TextsKey{&o.roles}, kYes, "database roles it governs; empty is everyone"},
      {"using", TextKey{&o.using_sql, kMaxSqlBytes}, kYes, "SQL condition on rows seen"},
      {"check", TextKey{&o.check_sql, kMaxSqlBytes}, kYes, "SQL condition on rows written"},
  };
}

KeyRows keys_of(TableOptions& o) {
  return {
      {"database", TextKey{&o.database, 63}, kYes, "database as clients name it; \"*\" is every"},
      {"name", TextKey{&o.name, 127}, kYes, "\"schema.table\" with `*` and `?`", kRequired},
      {"tenant_column", TextKey{&o.tenant_column, 63}, kYes,
       "tenant column of these tables; empty is the column of [tenant]"},
      {"policies", list(o.policies), kYes, "a further row policy"},
  };
}

KeyRows keys_of(ColumnOptions& o) {
  return {
      {"database", TextKey{&o.database, 63}, kYes, "database as clients name it; \"*\" is every"},
      {"table", TextKey{&o.table, 127}, kYes, "\"schema.table\", exactly", kRequired},
      {"name", TextKey{&o.name, 63}, kYes, "column", kRequired},
      {"type", TextKey{&o.type, 63}, kYes, "type the application sees, e.g. \"varchar(80)\""},
      {"scheme", choice(o.scheme, kSchemes), kYes,
       "`deterministic` allows equality and joins, `none` only masks"},
      {"key_scope", choice(o.key_scope, kScopes), kYes, "one key per tenant, or one for all"},
      {"uuid", TextKey{&o.uuid, 36}, kYes,
       "identity of the column in its ciphertexts; never change it"},
      {"link_group", TextKey{&o.link_group, 63}, kYes,
       "deterministic columns that are compared with each other share this name"},
      {"mask", TextKey{&o.mask, 63}, kYes, "fixed, partial, email, hash, date_year or null"},
      {"roles", RolesKey{&o.roles}, kYes,
       "who sees what: login, \"profile:NAME\" or \"*\" = decrypt, mask, mask:NAME, ciphertext or "
       "deny"},
  };
}

KeyRows keys_of(KeysOptions& o) {
  return {
      {"file", PathKey{&o.file}, kNo, "the key store", kRequired},
      {"kek_file", PathKey{&o.kek_file}, kNo, "root key"},
      {"passphrase_file", PathKey{&o.passphrase_file}, kNo, "instead: passphrase of the root key"},
  };
}

KeyRows keys_of(PolicyOptions& o) {
  return {
      {"mode", choice(o.mode, kModes), kYes,
       "`observe` reports what would be refused, `gate` refuses, `enforce` also verifies the wall, "
       "`pinned` also lets only statements of pins_file pass"},
      {"verify_interval", DurationKey{&o.verify_interval, Millis(100), Millis(86'400'000)}, kYes,
       "how often the wall of every node is verified"},
      {"new_tables", choice(o.new_tables, kNewTables), kYes,
       "what the wall's event trigger does to a new table without tenant column that is not "
       "shared"},
      {"reduce_grants", FlagKey{&o.reduce_grants}, kYes,
       "`policy apply` takes TRUNCATE, REFERENCES, TRIGGER and UPDATE on sequences from logins"},
      {"lint_accept", TextsKey{&o.lint_accept}, kYes,
       "findings of `policy lint` that are meant so: \"L19\" or \"L19 schema.table\", with globs"},
      {"allow_functions", TextsKey{&o.allow_functions}, kYes,
       "functions freed from the gate's list, as \"schema.name\" with `*` and `?`"},
      {"allow_settings", TextsKey{&o.allow_settings}, kYes,
       "settings that clients may change besides, with `*` and `?`"},
      {"pins_file", PathKey{&o.pins_file}, kYes, "shapes of statements that `pinned` lets pass"},
      {"learn_file", PathKey{&o.learn_file}, kYes,
       "where shapes of statements not in pins_file are written down"},
      {"profile", sections(o.profile), kYes, "what logins of one profile may do besides"},
  };
}

KeyRows keys_of(ProfileOptions& o) {
  return {
      {"allow_functions", TextsKey{&o.allow_functions}, kYes,
       "functions freed from the gate's list for this profile"},
      {"allow_settings", TextsKey{&o.allow_settings}, kYes,
       "settings that clients of this profile may change besides"},
      {"allow_plans", FlagKey{&o.allow_plans}, kYes,
       "EXPLAIN of tenant tables, without costs and counts; plans follow from all tenants' rows"},
      {"error_detail", choice(o.error_detail, kDetails), kYes,
       "`shape` strips DETAIL and CONTEXT of the server's messages to tenants, `full` passes them"},
  };
}

}  // namespace postern::config
