#include "policy/wall_functions.hpp"

#include "base/codes/wall.hpp"
#include "base/error.hpp"
#include "policy/context_token.hpp"
#include "policy/sql_quote.hpp"
#include "policy/wall_trigger.hpp"

namespace postern::policy {
namespace {

std::string raise(Pst code) {
  const PstInfo& info = pst_info(code);
  return "RAISE EXCEPTION USING ERRCODE = " + quote_literal(info.sqlstate) +
         ", MESSAGE = " + quote_literal(info.message) +
         ", DETAIL = " + quote_literal(pst_label(code)) + ", HINT = " + quote_literal(info.hint) +
         ";";
}

// Nothing the client sent is cast or decoded before its MAC is checked: until then fields are only
// compared as text. MACs are compared through a hash, so that the comparison's time tells nothing.
std::string context_body() {
  const std::string invalid = raise(pst::kContextInvalid);
  return R"(
DECLARE
  ctx pg_catalog.text := pg_catalog.current_setting('postern.ctx', true);
  part pg_catalog.text[];
  inner_key pg_catalog.bytea;
  outer_key pg_catalog.bytea;
  mac pg_catalog.bytea;
  database pg_catalog.text;
  started pg_catalog.text;
BEGIN
  IF ctx IS NULL OR ctx OPERATOR(pg_catalog.=) '' THEN
    RETURN NULL;
  END IF;
  part := pg_catalog.string_to_array(ctx, '.');
  IF pg_catalog.cardinality(part) OPERATOR(pg_catalog.<>) )" +
         std::to_string(kContextFieldCount) + R"(
     OR part[1] OPERATOR(pg_catalog.<>) ')" +
         std::string(kContextVersion) + R"('
     OR pg_catalog.length(part[10]) OPERATOR(pg_catalog.<>) )" +
         std::to_string(kMacHexDigits) + R"( THEN
    )" + invalid +
         R"(
  END IF;
  SELECT k.inner_block, k.outer_block INTO inner_key, outer_key
    FROM postern.context_key AS k WHERE k.kid OPERATOR(pg_catalog.=) part[3];
  IF inner_key IS NULL OR outer_key IS NULL THEN
    )" + invalid +
         R"(
  END IF;
  mac := pg_catalog.sha256(outer_key OPERATOR(pg_catalog.||) pg_catalog.sha256(
    inner_key OPERATOR(pg_catalog.||) pg_catalog.convert_to(
      pg_catalog.left(ctx, -)" +
         std::to_string(kMacHexDigits + 1) + R"(), 'UTF8')));
  IF pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.encode(mac, 'hex'), 'UTF8'))
     OPERATOR(pg_catalog.<>) pg_catalog.sha256(pg_catalog.convert_to(part[10], 'UTF8')) THEN
    )" + invalid +
         R"(
  END IF;
  SELECT a.datid::pg_catalog.text,
         (EXTRACT(epoch FROM a.backend_start) OPERATOR(pg_catalog.*) 1000000)
           ::pg_catalog.int8::pg_catalog.text
    INTO database, started
    FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) AS a;
  IF database IS NULL OR started IS NULL
     OR part[2] OPERATOR(pg_catalog.<>) database
     OR part[7] OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid()::pg_catalog.text
     OR part[8] OPERATOR(pg_catalog.<>) started THEN
    )" + invalid +
         R"(
  END IF;
  IF part[9]::pg_catalog.int8 OPERATOR(pg_catalog.<)
     (EXTRACT(epoch FROM pg_catalog.transaction_timestamp()) OPERATOR(pg_catalog.*) 1000000)
       ::pg_catalog.int8 THEN
    )" + raise(pst::kContextExpired) +
         R"(
  END IF;
  RETURN part;
END
)";
}

std::string text_field_body(int field) {
  const std::string part = "part[" + std::to_string(field) + "]";
  return R"(
DECLARE
  part pg_catalog.text[] := postern.context();
BEGIN
  IF part IS NULL OR )" +
         part + R"( OPERATOR(pg_catalog.=) '' THEN
    RETURN NULL;
  END IF;
  RETURN pg_catalog.convert_from(pg_catalog.decode()" +
         part + R"(, 'hex'), 'UTF8');
END
)";
}

constexpr std::string_view kHasRoleBody = R"(
DECLARE
  part pg_catalog.text[] := postern.context();
BEGIN
  IF part IS NULL OR role IS NULL THEN
    RETURN false;
  END IF;
  RETURN pg_catalog.encode(pg_catalog.convert_to(role, 'UTF8'), 'hex')
    OPERATOR(pg_catalog.=) ANY (pg_catalog.string_to_array(part[6], ','));
END
)";

// Which keys are installed, by id and time: what a proxy may sign with, and when the former key's
// contexts have ended. Ids are no secret.
constexpr std::string_view kGuardKeysBody = R"(
BEGIN
  RETURN (SELECT pg_catalog.string_agg(pg_catalog.concat(k.kid, ' ',
            (EXTRACT(epoch FROM k.installed) * 1000000)::int8), ',' ORDER BY k.installed, k.kid)
          FROM postern.context_key AS k);
END
)";

}  // namespace

const std::string_view kGuardInstallSql =
    "DO $postern$\nBEGIN\n"
    "  IF EXISTS (SELECT FROM pg_extension WHERE extname = 'postern_guard') THEN\n"
    "    PERFORM postern_guard.install();\n"
    "  END IF;\nEND\n$postern$;\n";

std::vector<WallFunction> wall_functions(const Ruleset& rules) {
  // The first runs under its callers' search_path and rights.
  return {
      {"context", "", "", "text[]", false, false, context_body(), "", false},
      {"tenant", "", "", "text", true, true, text_field_body(4), "postern_guard_tenant"},
      {"subject", "", "", "text", true, true, text_field_body(5), "postern_guard_subject"},
      {"has_role", "role pg_catalog.text", "role text", "boolean", true, true,
       std::string(kHasRoleBody), "postern_guard_has_role"},
      {"guard_keys", "", "", "text", true, true, std::string(kGuardKeysBody)},
      {"wall_column", "relation pg_catalog.oid", "relation oid", "text", false, true,
       wall_column_body(rules)},
      {"wall_new", "", "", "event_trigger", false, true, wall_new_body(rules), "", true, 'v'},
      {"wall_record", "", "", "event_trigger", true, true, wall_record_body(rules), "", true, 'v'},
      {"wall_kept", "", "", "event_trigger", true, true, wall_kept_body(), "", true, 'v'},
  };
}

std::string function_sql(const WallFunction& function, std::string_view owner_role) {
  const std::string signature =
      "postern." + std::string(function.name) + "(" + std::string(function.arguments) + ")";
  std::string sql = "CREATE OR REPLACE FUNCTION " + signature + " RETURNS " +
                    std::string(function.returns) + "\n  LANGUAGE plpgsql " +
                    (function.volatility == 's' ? "STABLE" : "VOLATILE") + " PARALLEL RESTRICTED";
  if (function.security_definer) sql += " SECURITY DEFINER";
  if (function.fixed_path) sql += " SET search_path = pg_catalog, pg_temp";
  sql += "\n  AS $postern$" + function.body + "$postern$;\n";
  sql += "ALTER FUNCTION " + signature + " OWNER TO " + quote_ident(owner_role) + ";\n";
  sql += "REVOKE ALL ON FUNCTION " + signature + " FROM PUBLIC;\n";
  if (function.for_public) sql += "GRANT EXECUTE ON FUNCTION " + signature + " TO PUBLIC;\n";
  return sql;
}

}  // namespace postern::policy
