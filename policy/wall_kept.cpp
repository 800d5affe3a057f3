// The body of postern.wall_kept(): what an owner of tables may not do to their wall, in whatever
// block, function or session. It runs behind each command and each drop.
#include "base/codes/wall.hpp"
#include "base/error.hpp"
#include "policy/sql_quote.hpp"
#include "policy/wall_trigger.hpp"

namespace postern::policy {
namespace {

// Who may apply plans may open walls: superusers and members of the wall's owner. Sessions cannot
// choose session_user.
constexpr std::string_view kWho = R"(
DECLARE
  found text;
BEGIN
  IF pg_has_role(session_user, (SELECT n.nspowner FROM pg_namespace AS n
                                WHERE n.nspname = 'postern'), 'MEMBER')
     OR to_regclass('postern.wall_state') IS NULL THEN
    RETURN;
  END IF;)";

// Policies of the wall go with their table, or not at all: not by name, nor with a column or type.
constexpr std::string_view kDropped = R"(
  IF tg_event = 'sql_drop' THEN
    SELECT d.object_identity INTO found FROM pg_event_trigger_dropped_objects() AS d
      WHERE d.object_type = 'policy' AND starts_with(d.address_names[3], 'postern_')
        AND NOT EXISTS (SELECT FROM pg_event_trigger_dropped_objects() AS t
                        WHERE t.object_type = 'table'
                          AND t.address_names[1:2] = d.address_names[1:2])
      LIMIT 1;)";

// Of the tables that the command touched. REASSIGN OWNED has no event; another owner is drift.
constexpr std::string_view kChanged = R"(
  ELSE
    SELECT c.oid::regclass::text INTO found
      FROM postern.wall_state AS s JOIN pg_class AS c ON c.oid = s.relation
      WHERE c.relkind IN ('r', 'p')
        AND EXISTS (
          SELECT FROM pg_event_trigger_ddl_commands() AS d
            LEFT JOIN pg_policy AS p ON d.classid = 'pg_policy'::regclass AND p.oid = d.objid
          WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid OR p.polrelid = c.oid)
        AND (NOT (c.relrowsecurity AND c.relforcerowsecurity)
               AND EXISTS (SELECT FROM pg_policy AS p
                           WHERE p.polrelid = c.oid AND p.polname = 'postern_tenant')
          OR tg_tag = 'ALTER POLICY' AND (
               NOT EXISTS (SELECT FROM pg_policy AS p
                           WHERE p.polrelid = c.oid AND p.polname = 'postern_tenant')
               OR EXISTS (SELECT FROM pg_event_trigger_ddl_commands() AS d JOIN pg_policy AS p
                            ON d.classid = 'pg_policy'::regclass AND p.oid = d.objid
                          WHERE p.polrelid = c.oid AND starts_with(p.polname::text, 'postern_')))
          -- A parent of this transaction: its policies alone govern what is read through it.
          OR EXISTS (SELECT FROM pg_inherits AS i WHERE i.inhrelid = c.oid
                     AND age(i.xmin) <= age(pg_current_xact_id()::xid)
                     AND EXISTS (SELECT FROM pg_policy AS p
                                 WHERE p.polrelid = c.oid AND p.polname = 'postern_tenant')
                     AND NOT EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = i.inhparent
                                     AND p.polname = 'postern_tenant'))
          OR pg_get_userbyid(c.relowner) <> s.owner AND EXISTS (
               SELECT FROM pg_roles AS r WHERE (r.rolsuper OR r.rolbypassrls)
               AND pg_has_role(c.relowner, r.oid, 'MEMBER')))
      LIMIT 1;
  END IF;
  IF found IS NOT NULL THEN
    )";

}  // namespace

std::string wall_kept_body() {
  const PstInfo& info = pst_info(pst::kOpensWall);
  return std::string(kWho) + std::string(kDropped) + std::string(kChanged) +
         "RAISE EXCEPTION USING ERRCODE = " + quote_literal(info.sqlstate) + ", MESSAGE = concat(" +
         quote_literal(std::string(info.message) + ": ") +
         ", found), DETAIL = " + quote_literal(pst_label(pst::kOpensWall)) +
         ", HINT = " + quote_literal(info.hint) + ";\n  END IF;\nEND\n";
}

}  // namespace postern::policy
