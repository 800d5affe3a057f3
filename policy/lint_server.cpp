// Lint rules about the server: its version, settings, large objects and event triggers.
#include "policy/lint.hpp"

namespace postern::policy {
namespace {

constexpr LintRule kRules[] = {
    {"L40", "server version with known ways through row security",
     "CVE-2024-10976, CVE-2025-8713 and older ones", ""},
    {"L48", "setting of the server", "it weakens parsing, privileges, or writes contexts into logs",
     R"sql(
SELECT s.name, format('%s = %s', s.name, s.reset_val),
       format('ALTER SYSTEM RESET %s; SELECT pg_reload_conf();', s.name)
FROM pg_settings s
WHERE s.source NOT IN ('default', 'database', 'user', 'database user', 'client')
  AND ((s.name IN ('row_security', 'standard_conforming_strings') AND s.reset_val = 'off'
        -- This session may have it from its database or role, which is another rule's.
        AND NOT EXISTS (SELECT FROM pg_db_role_setting k, unnest(k.setconfig) e (entry)
                        WHERE split_part(e.entry, '=', 1) = s.name))
    OR (s.name = 'lo_compat_privileges' AND s.reset_val = 'on')
    OR (s.name = 'session_replication_role' AND s.reset_val <> 'origin')
    OR (s.name = 'log_parameter_max_length_on_error' AND s.reset_val <> '0')))sql"},
    {"L49", "large objects", "they have one owner and no row security", R"sql(
SELECT 'large objects', format('%s in the database', count(*)),
       '-- SELECT lo_unlink(oid) FROM pg_largeobject_metadata; -- or columns of type bytea'
FROM pg_largeobject_metadata HAVING count(*) > 0)sql"},
    {"L50", "event trigger absent or disabled",
     "a new table passes without a wall until the next verification, and an owner's code may open "
     "one",
     R"sql(
SELECT w.name, CASE WHEN e.oid IS NULL THEN 'missing' ELSE 'disabled' END,
       CASE WHEN e.oid IS NULL THEN '-- run as superuser: postern policy apply'
            ELSE format('ALTER EVENT TRIGGER %I ENABLE ALWAYS;', w.name) END
FROM (VALUES ('postern_wall_1'), ('postern_wall_2'), ('postern_wall_3'), ('postern_wall_4'))
  AS w (name)
LEFT JOIN pg_event_trigger e ON e.evtname = w.name
WHERE e.oid IS NULL OR e.evtenabled <> 'A')sql"},
};

}  // namespace

std::span<const LintRule> lint_server_rules() {
  return kRules;
}

}  // namespace postern::policy
