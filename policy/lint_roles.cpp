// Lint rules about the roles that pooled connections log in as.
#include "policy/lint.hpp"

namespace postern::policy {
namespace {

constexpr LintRule kRules[] = {
    {"L32", "application login is a superuser", "no row security and no privilege holds it", R"sql(
SELECT format('%I', l.rolname), 'superuser', format('ALTER ROLE %I NOSUPERUSER;', l.rolname)
FROM login l WHERE l.rolsuper)sql"},
    {"L33", "application login with BYPASSRLS", "no row security holds it", R"sql(
SELECT format('%I', l.rolname), 'BYPASSRLS', format('ALTER ROLE %I NOBYPASSRLS;', l.rolname)
FROM bound l WHERE l.rolbypassrls
UNION ALL
SELECT format('%I', l.rolname), format('member of %I', b.rolname),
  format('REVOKE %I FROM %I;', b.rolname, l.rolname)
FROM bound l JOIN pg_roles b ON (b.rolsuper OR b.rolbypassrls) AND b.oid <> l.oid
  AND pg_has_role(l.oid, b.oid, 'MEMBER'))sql"},
    {"L34", "application login with REPLICATION", "it can stream the rows of all tenants", R"sql(
SELECT format('%I', l.rolname), 'REPLICATION', format('ALTER ROLE %I NOREPLICATION;', l.rolname)
FROM bound l WHERE l.rolreplication)sql"},
    {"L35", "application login with CREATEROLE",
     "before PostgreSQL 16 it can make itself a member "
     "of any role that is no superuser",
     R"sql(
SELECT format('%I', l.rolname), 'CREATEROLE', format('ALTER ROLE %I NOCREATEROLE;', l.rolname)
FROM bound l WHERE l.rolcreaterole)sql"},
    {"L36", "application login in a predefined role",
     "it reads or writes beyond its grants, or "
     "reaches the server's files",
     R"sql(
SELECT format('%I', l.rolname), 'member of ' || p.rolname,
       format('REVOKE %I FROM %I;', p.rolname, l.rolname)
FROM bound l JOIN pg_roles p ON p.rolname IN ('pg_read_all_data', 'pg_write_all_data',
  'pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program',
  'pg_read_all_stats', 'pg_monitor', 'pg_signal_backend', 'pg_checkpoint', 'pg_maintain',
  'pg_create_subscription')
WHERE pg_has_role(l.oid, p.oid, 'MEMBER')
  AND NOT (p.rolname = 'pg_read_all_stats' AND pg_has_role(l.oid, 'pg_monitor', 'MEMBER'))
  AND NOT (p.rolname = 'pg_read_all_stats' AND EXISTS (SELECT FROM wall_owner w JOIN pg_roles o
           ON o.rolname = w.name WHERE pg_has_role(l.oid, o.oid, 'MEMBER'))))sql"},
    {"L37", "application login in the wall's owner", "it reads the keys and can sign any tenant",
     R"sql(
SELECT format('%I', l.rolname), 'member of ' || o.rolname,
       format('REVOKE %I FROM %I;', o.rolname, l.rolname)
FROM bound l JOIN wall_owner w ON true JOIN pg_roles o ON o.rolname = w.name
WHERE pg_has_role(l.oid, o.oid, 'MEMBER'))sql"},
    {"L38", "application login owns tenant tables", "what runs as it may switch row security off",
     R"sql(
SELECT format('%I', l.rolname), 'owns, or is a member of the owner of, ' ||
       string_agg(w.name, ', ' ORDER BY w.name),
       format('-- REASSIGN OWNED to a role nobody logs in as, and revoke it from %I', l.rolname)
FROM bound l JOIN walled w ON pg_has_role(l.oid, w.relowner, 'MEMBER') GROUP BY l.rolname)sql"},
    {"L39", "settings kept for a role or the database",
     "they come into force with every new "
     "connection of the pool",
     R"sql(
SELECT CASE WHEN r.oid IS NULL THEN 'database ' || quote_ident(COALESCE(d.datname, '*'))
            ELSE 'role ' || quote_ident(r.rolname) END,
       'sets ' || split_part(c.entry, '=', 1),
       CASE WHEN r.oid IS NULL THEN format('ALTER %s RESET %s;',
              COALESCE('DATABASE ' || quote_ident(d.datname), 'ROLE ALL'),
              split_part(c.entry, '=', 1))
            ELSE format('ALTER ROLE %I%s RESET %s;', r.rolname,
                        COALESCE(' IN DATABASE ' || quote_ident(d.datname), ''),
                        split_part(c.entry, '=', 1)) END
FROM pg_db_role_setting s LEFT JOIN pg_database d ON d.oid = s.setdatabase
LEFT JOIN pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) AS c (entry)
WHERE (s.setdatabase = 0 OR d.datname = current_database())
  AND (s.setrole = 0 OR EXISTS (SELECT FROM login l WHERE l.oid = s.setrole))
  AND lower(split_part(c.entry, '=', 1)) IN ('search_path', 'row_security', 'role',
    'session_authorization', 'session_replication_role', 'standard_conforming_strings',
    'client_encoding', 'session_preload_libraries', 'local_preload_libraries', 'postern.ctx',
    'log_parameter_max_length_on_error', 'lo_compat_privileges', 'plpgsql.extra_errors'))sql"},
};

}  // namespace

std::span<const LintRule> lint_role_rules() {
  return kRules;
}

}  // namespace postern::policy
