// The query that compares the privileges of a database with those that keep schemas apart.
#include "policy/sql_quote.hpp"
#include "policy/wall_schemas.hpp"

namespace postern::policy {
namespace {

std::string number(std::size_t n) {
  return std::to_string(n);
}

/// The tenant in such a name. Templates are ASCII: characters are bytes.
std::string tenant_in(const NameTemplate& made, const std::string& name) {
  return "substr(" + name + ", " + number(made.prefix().size() + 1) + ", length(" + name + ") - " +
         number(made.prefix().size() + made.suffix().size()) + ")";
}

std::string text_array(const std::vector<std::string>& texts) {
  std::string out = "ARRAY[";
  for (const std::string& text : texts)
    out += (out.back() == '[' ? "" : ", ") + quote_literal(text);
  return out + "]::text[]";
}

/// A glob of ours as a pattern of LIKE.
std::string like_pattern(const std::string& glob) {
  std::string out;
  for (const char c : glob) {
    if (c == '*') {
      out.push_back('%');
    } else if (c == '?') {
      out.push_back('_');
    } else {
      if (c == '%' || c == '_' || c == '\\') out.push_back('\\');
      out.push_back(c);
    }
  }
  return out;
}

std::string trusted_patterns(const Ruleset& rules) {
  std::vector<std::string> patterns;
  for (const std::string& glob : rules.options.schemas->trusted) {
    patterns.push_back(like_pattern(glob));
  }
  return text_array(patterns);
}

// `acl` explodes to one row per grantee who must not have it: PUBLIC, and every role that a bound
// role other than the schema's own is, or is a member of.
constexpr std::string_view kCommon = R"sql(, member (bound, role) AS (
  SELECT b.oid, b.oid FROM bound b
  UNION SELECT m.bound, a.roleid FROM member m JOIN pg_auth_members a ON a.member = m.role
), reach AS MATERIALIZED (
  SELECT m.role, array_agg(m.bound ORDER BY m.bound) AS bound FROM member m GROUP BY m.role
), strange AS MATERIALIZED (
  SELECT n.oid, n.nspname, n.nspowner, n.nspacl, format('%I', n.nspname) AS name FROM pg_namespace n
  WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'postern')
    AND NOT EXISTS (SELECT FROM tenant_schema s WHERE s.oid = n.oid)
), rel AS MATERIALIZED (
  SELECT c.oid, c.relowner, c.relacl, c.relkind, s.role, format('%I.%I', s.nspname, c.relname)
         AS name, CASE WHEN c.relkind = 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS what
  FROM pg_class c JOIN tenant_schema s ON s.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
), granted (object, what, owner, grantee, role, rights, grantable) AS (
  SELECT s.name, 'SCHEMA', s.nspowner, a.grantee, s.role,
         string_agg(DISTINCT a.privilege_type, ', '), bool_and(a.is_grantable)
  FROM tenant_schema s, aclexplode(s.nspacl) a GROUP BY s.name, s.nspowner, a.grantee, s.role
  UNION ALL
  SELECT r.name, r.what, r.relowner, a.grantee, r.role,
         string_agg(DISTINCT a.privilege_type, ', '), bool_and(a.is_grantable)
  FROM rel r, aclexplode(r.relacl) a GROUP BY r.name, r.what, r.relowner, a.grantee, r.role
  UNION ALL
  SELECT n.name, 'SCHEMA', n.nspowner, a.grantee, NULL, 'CREATE', bool_and(a.is_grantable)
  FROM strange n, aclexplode(n.nspacl) a WHERE a.privilege_type = 'CREATE'
  GROUP BY n.name, n.nspowner, a.grantee
  UNION ALL
  SELECT format('%I', d.datname), 'DATABASE', d.datdba, a.grantee, NULL, 'CREATE',
         bool_and(a.is_grantable)
  FROM pg_database d, aclexplode(d.datacl) a
  WHERE d.datname = current_database() AND a.privilege_type = 'CREATE'
  GROUP BY d.datname, d.datdba, a.grantee
), owned (object, what, owner, role) AS (
  SELECT s.name, 'SCHEMA', s.nspowner, s.role FROM tenant_schema s
  UNION ALL SELECT r.name, r.what, r.relowner, r.role FROM rel r
  UNION ALL SELECT n.name, 'SCHEMA', n.nspowner, NULL FROM strange n
  UNION ALL SELECT format('%I', d.datname), 'DATABASE', d.datdba, NULL FROM pg_database d
            WHERE d.datname = current_database()
))sql";

constexpr std::string_view kGrants = R"sql(
SELECT g.object, CASE WHEN g.grantee = 0 THEN 'everybody has ' || g.rights
    WHEN k.bound[1] = g.grantee THEN format('%s has %s', g.grantee::regrole, g.rights)
    ELSE format('%s has %s, and %s is a member of it', g.grantee::regrole, g.rights,
                (SELECT min(b) FROM unnest(k.bound) b WHERE b <> COALESCE(g.role, 0))::regrole) END,
  format('REVOKE %s ON %s %s FROM %s;', g.rights, g.what, g.object, w.who),
  format('GRANT %s ON %s %s TO %s%s', g.rights, g.what, g.object, w.who,
         CASE WHEN g.grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM granted g LEFT JOIN reach k ON k.role = g.grantee
CROSS JOIN LATERAL (SELECT CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END)
  AS w (who)
WHERE g.grantee <> g.owner AND g.grantee IS DISTINCT FROM g.role
  AND (g.grantee = 0 OR EXISTS (SELECT FROM unnest(k.bound) b WHERE b <> COALESCE(g.role, 0)))
UNION ALL
SELECT o.object, format('belongs to %s, which %s', o.owner::regrole, CASE WHEN b.b = o.owner
    THEN 'a tenant or an application logs in as' ELSE b.b::regrole || ' is a member of' END),
  format('ALTER %s %s OWNER TO %s;', o.what, o.object, 'CURRENT_USER'), ''
FROM owned o JOIN reach k ON k.role = o.owner
CROSS JOIN LATERAL (SELECT min(u) FROM unnest(k.bound) u WHERE u <> COALESCE(o.role, 0)) AS b (b)
WHERE b.b IS NOT NULL AND o.owner IS DISTINCT FROM o.role
UNION ALL
SELECT format('%s.%I', r.name, a.attname),
  format('%s has %s on the column', w.who, string_agg(x.privilege_type, ', ')),
  format('REVOKE %s ON TABLE %s FROM %s;',
         string_agg(format('%s (%I)', x.privilege_type, a.attname), ', '), r.name, w.who),
  format('GRANT %s ON TABLE %s TO %s',
         string_agg(format('%s (%I)', x.privilege_type, a.attname), ', '), r.name, w.who)
FROM rel r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attacl IS NOT NULL,
  aclexplode(a.attacl) x
LEFT JOIN reach k ON k.role = x.grantee
CROSS JOIN LATERAL (SELECT CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END)
  AS w (who)
WHERE x.grantee <> r.relowner AND x.grantee IS DISTINCT FROM r.role
  AND (x.grantee = 0 OR EXISTS (SELECT FROM unnest(k.bound) b WHERE b <> COALESCE(r.role, 0)))
GROUP BY r.name, a.attname, w.who
UNION ALL
SELECT format('default privileges of %s', d.defaclrole::regrole),
  format('%s has %s on new %s%s', w.who, string_agg(x.privilege_type, ', '), w.what,
         COALESCE(' of ' || s.name, '')),
  format('ALTER DEFAULT PRIVILEGES FOR ROLE %s%s REVOKE %s ON %s FROM %s;', d.defaclrole::regrole,
         w.place, string_agg(x.privilege_type, ', '), w.what, w.who),
  format('ALTER DEFAULT PRIVILEGES FOR ROLE %s%s GRANT %s ON %s TO %s', d.defaclrole::regrole,
         w.place, string_agg(x.privilege_type, ', '), w.what, w.who)
FROM pg_default_acl d LEFT JOIN tenant_schema s ON s.oid = d.defaclnamespace,
  aclexplode(d.defaclacl) x LEFT JOIN reach k ON k.role = x.grantee
CROSS JOIN LATERAL (SELECT CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END,
    CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' ELSE 'SCHEMAS' END,
    COALESCE(' IN SCHEMA ' || s.name, '')) AS w (who, what, place)
WHERE d.defaclobjtype IN ('r', 'S', 'n') AND (d.defaclnamespace = 0 OR s.oid IS NOT NULL)
  AND x.grantee <> d.defaclrole AND x.grantee IS DISTINCT FROM s.role
  AND (x.grantee = 0 OR EXISTS (SELECT FROM unnest(k.bound) b WHERE b <> COALESCE(s.role, 0)))
GROUP BY d.defaclrole, s.name, w.who, w.what, w.place)sql";

constexpr std::string_view kRoles = R"sql(
UNION ALL
SELECT r.oid::regrole::text, v.problem, format('ALTER ROLE %s %s;', r.oid::regrole, v.repair), ''
FROM pg_roles r JOIN bound b ON b.oid = r.oid CROSS JOIN LATERAL (VALUES
  (r.rolsuper, 'superuser: no privilege holds it', 'NOSUPERUSER'),
  (r.rolbypassrls, 'BYPASSRLS', 'NOBYPASSRLS'),
  (r.rolcreaterole, 'CREATEROLE: it makes itself a member of others', 'NOCREATEROLE'),
  (r.rolcreatedb, 'CREATEDB', 'NOCREATEDB'),
  (r.rolreplication, 'REPLICATION: it streams all tenants'' rows', 'NOREPLICATION'))
  AS v (has, problem, repair)
WHERE v.has
UNION ALL
SELECT b.oid::regrole::text, 'member of ' || m.role::regrole || v.why,
  format('REVOKE %s FROM %s;', m.role::regrole, b.oid::regrole), ''
FROM member m JOIN bound b ON b.oid = m.bound AND b.oid <> m.role
JOIN pg_roles r ON r.oid = m.role CROSS JOIN LATERAL (SELECT CASE
  WHEN r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolreplication THEN
    ', which no privilege holds'
  WHEN r.rolname ~ '^pg_' AND r.rolname <> 'pg_database_owner' THEN
    ', which reaches beyond its own schema'
  WHEN EXISTS (SELECT FROM bound o WHERE o.oid = m.role) THEN ', another tenant''s' END) AS v (why)
WHERE v.why IS NOT NULL
  AND NOT EXISTS (SELECT FROM pg_roles u WHERE u.oid = b.oid AND u.rolsuper))sql";

// What runs, or shows, with other rights than the caller's.
std::string code(const Ruleset& rules) {
  const std::string trusted = trusted_patterns(rules);
  return R"sql(
UNION ALL
SELECT p.oid::regprocedure::text,
  format('SECURITY DEFINER with the rights of %s, who reaches other schemas of tenants',
         p.proowner::regrole),
  format('ALTER ROUTINE %s SECURITY INVOKER;', p.oid::regprocedure), ''
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE p.prosecdef AND n.nspname !~ '^pg_'
  AND n.nspname NOT IN ('information_schema', 'postern')
  AND NOT concat(n.nspname, '.', p.proname) LIKE ANY ()sql" +
         trusted + R"sql()
  AND EXISTS (SELECT FROM tenant_schema s WHERE s.oid <> n.oid
              AND has_schema_privilege(p.proowner, s.oid, 'USAGE'))
  AND (EXISTS (SELECT FROM pg_trigger t WHERE t.tgfoid = p.oid AND NOT t.tgisinternal)
    OR EXISTS (SELECT FROM pg_event_trigger e WHERE e.evtfoid = p.oid)
    OR EXISTS (SELECT FROM bound b WHERE has_schema_privilege(b.oid, n.oid, 'USAGE')
               AND has_function_privilege(b.oid, p.oid, 'EXECUTE')))
UNION ALL
SELECT format('%I.%I', n.nspname, c.relname),
  format('%s with its owner''s rights over %s', CASE c.relkind WHEN 'v' THEN 'view'
         WHEN 'm' THEN 'materialised view' ELSE 'rewrite rule' END,
         string_agg(DISTINCT s.name, ', ')),
  CASE c.relkind WHEN 'v' THEN format('ALTER VIEW %I.%I SET (security_invoker = true);', n.nspname,
         c.relname) ELSE format('REVOKE ALL ON %I.%I FROM PUBLIC; -- and from tenants'' roles',
         n.nspname, c.relname) END, ''
FROM pg_rewrite w JOIN pg_class c ON c.oid = w.ev_class
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
  AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> c.oid
JOIN pg_class t ON t.oid = d.refobjid JOIN tenant_schema s ON s.oid = t.relnamespace
WHERE t.relnamespace <> c.relnamespace AND c.relpersistence <> 't'
  AND NOT concat(n.nspname, '.', c.relname) LIKE ANY ()sql" +
         trusted + R"sql()
  AND NOT (c.relkind = 'v' AND COALESCE((SELECT o.option_value::boolean FROM
    pg_options_to_table(c.reloptions) o WHERE o.option_name = 'security_invoker'), false))
  AND (EXISTS (SELECT FROM aclexplode(c.relacl) a WHERE a.grantee = 0
               OR EXISTS (SELECT FROM reach k WHERE k.role = a.grantee))
    OR EXISTS (SELECT FROM reach k WHERE k.role = c.relowner))
GROUP BY n.nspname, c.relname, c.relkind)sql";
}

constexpr std::string_view kReferences = R"sql(
UNION ALL
SELECT k.conrelid::regclass::text,
  format('foreign key %I refers to a table of %s', k.conname, s.name),
  format('ALTER TABLE %s DROP CONSTRAINT %I;', k.conrelid::regclass, k.conname), ''
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class r ON r.oid = k.confrelid
JOIN tenant_schema s ON s.oid = r.relnamespace
WHERE k.contype = 'f' AND k.conparentid = 0 AND c.relnamespace <> r.relnamespace
UNION ALL
SELECT i.inhrelid::regclass::text, format('is a partition or child of %s, through which it is read '
  'with that one''s privileges', i.inhparent::regclass),
  CASE WHEN c.relispartition THEN format('ALTER TABLE %s DETACH PARTITION %s;',
         i.inhparent::regclass, i.inhrelid::regclass)
       ELSE format('ALTER TABLE %s NO INHERIT %s;', i.inhrelid::regclass, i.inhparent::regclass)
  END, ''
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
JOIN tenant_schema s ON s.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f') AND c.relnamespace <> p.relnamespace)sql";

}  // namespace

std::string template_matches_sql(const NameTemplate& made, const std::string& name) {
  const std::string around = number(made.prefix().size() + made.suffix().size());
  return "(starts_with(" + name + ", " + quote_literal(made.prefix()) + ") AND right(" + name +
         ", " + number(made.suffix().size()) + ") = " + quote_literal(made.suffix()) +
         " AND length(" + name + ") > " + around + ")";
}

std::string schema_wall_prefix(const Ruleset& rules, const WallOptions& options) {
  const SchemaTenants& tenants = *rules.options.schemas;
  const std::string schema = "n.nspname::text";
  const std::string role = quote_literal(tenants.role.prefix()) + " || " +
                           tenant_in(tenants.schema, schema) + " || " +
                           quote_literal(tenants.role.suffix());
  return "WITH RECURSIVE tenant_schema AS MATERIALIZED (\n"
         "  SELECT n.oid, n.nspname, n.nspowner, n.nspacl, format('%I', n.nspname) AS name,\n"
         "         r.oid AS role, " +
         role + " AS role_name\n  FROM pg_namespace n LEFT JOIN pg_roles r ON r.rolname = " + role +
         "\n  WHERE " + template_matches_sql(tenants.schema, schema) +
         "\n), bound AS MATERIALIZED (\n  SELECT r.oid FROM pg_roles r WHERE " +
         template_matches_sql(tenants.role, "r.rolname::text") + " OR r.rolname = ANY (" +
         text_array(options.app_roles) + ")\n)" + std::string(kCommon);
}

std::string tenant_roles_sql(const Ruleset& rules) {
  return schema_wall_prefix(rules, {}) +
         "\nSELECT r.rolname::text FROM tenant_schema s JOIN pg_roles r ON r.oid = s.role ORDER BY "
         "r.rolname COLLATE \"C\"";
}

std::string schema_wall_findings(const Ruleset& rules) {
  return std::string(kGrants) + std::string(kRoles) + code(rules) + std::string(kReferences);
}

std::string schema_verify_sql(const Ruleset& rules, const WallOptions& options) {
  return schema_wall_prefix(rules, options) +
         "\nSELECT 'schemas'::text AS section, f.object, f.problem AS property, f.repair AS value "
         "FROM (" +
         schema_wall_findings(rules) +
         ") AS f (object, problem, repair, undo) ORDER BY f.object COLLATE \"C\", f.problem "
         "COLLATE \"C\", f.repair COLLATE \"C\"";
}

std::vector<WallDifference> schema_differences(const std::vector<WallRow>& rows) {
  std::vector<WallDifference> out;
  for (const WallRow& row : rows) out.push_back({row.object, row.property, row.value});
  return out;
}

}  // namespace postern::policy
