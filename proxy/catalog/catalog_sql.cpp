#include "proxy/catalog/catalog_source.hpp"

namespace postern::proxy {
namespace {

constexpr std::string_view kDatabaseSql =
    "SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()";

constexpr std::string_view kRelationsSql = R"sql(
SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence, r.rolname,
       c.relrowsecurity, c.relforcerowsecurity,
       EXISTS (SELECT FROM pg_catalog.pg_trigger t
               WHERE t.tgrelid OPERATOR(pg_catalog.=) c.oid AND NOT t.tgisinternal),
       EXISTS (SELECT FROM pg_catalog.pg_rewrite w
               WHERE w.ev_class OPERATOR(pg_catalog.=) c.oid
                 AND w.rulename OPERATOR(pg_catalog.<>) '_RETURN'),
       COALESCE((SELECT pg_catalog.lower(o.option_value) IN ('true', 'on', '1', 'yes')
                 FROM pg_catalog.pg_options_to_table(c.reloptions) o
                 WHERE o.option_name OPERATOR(pg_catalog.=) 'security_invoker'), false)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) c.relowner
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c')
  AND c.relpersistence OPERATOR(pg_catalog.<>) 't'
  AND n.nspname OPERATOR(pg_catalog.<>) 'pg_toast')sql";

constexpr std::string_view kColumnsSql = R"sql(
SELECT a.attrelid, a.attname, a.attnum, a.atttypid, a.atttypmod, a.attnotnull, a.atthasdef,
       a.attgenerated OPERATOR(pg_catalog.<>) ''
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.attrelid
WHERE a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped
  AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c')
  AND c.relpersistence OPERATOR(pg_catalog.<>) 't'
ORDER BY a.attrelid, a.attnum)sql";

constexpr std::string_view kInheritanceSql =
    "SELECT inhrelid, inhparent FROM pg_catalog.pg_inherits ORDER BY inhrelid, inhseqno";

constexpr std::string_view kForeignKeysSql = R"sql(
SELECT conrelid, confrelid, pg_catalog.array_to_string(conkey, ','),
       pg_catalog.array_to_string(confkey, ','), confdeltype, confupdtype
FROM pg_catalog.pg_constraint WHERE contype OPERATOR(pg_catalog.=) 'f')sql";

constexpr std::string_view kUniqueKeysSql = R"sql(
SELECT i.indrelid,
       (SELECT pg_catalog.string_agg(k.n::pg_catalog.text, ',' ORDER BY k.o)
        FROM pg_catalog.unnest(i.indkey) WITH ORDINALITY k (n, o)
        WHERE k.o OPERATOR(pg_catalog.<=) i.indnkeyatts),
       i.indisprimary
FROM pg_catalog.pg_index i
WHERE i.indisunique AND i.indisvalid AND i.indexprs IS NULL AND i.indpred IS NULL)sql";

constexpr std::string_view kPoliciesSql = R"sql(
SELECT polrelid, polname, polpermissive, polcmd,
       COALESCE(pg_catalog.pg_get_expr(polqual, polrelid), ''),
       COALESCE(pg_catalog.pg_get_expr(polwithcheck, polrelid), '')
FROM pg_catalog.pg_policy ORDER BY polrelid, polname)sql";

// What row policies read, in both expressions, and what their USING calls; as for views.
constexpr std::string_view kPolicyDependenciesSql = R"sql(
SELECT DISTINCT p.polrelid, p.polname, 'r', d.refobjid
FROM pg_catalog.pg_policy p
JOIN pg_catalog.pg_depend d ON d.objid OPERATOR(pg_catalog.=) p.oid
WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_policy'::pg_catalog.regclass
  AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
UNION
SELECT p.polrelid, p.polname, 'f', m.found[1]::pg_catalog.oid
FROM pg_catalog.pg_policy p,
     pg_catalog.regexp_matches(p.polqual::pg_catalog.text,
                               ':(?:funcid|opfuncid|aggfnoid|winfnoid) ([1-9][0-9]*)', 'g')
       AS m (found)
UNION
SELECT p.polrelid, p.polname, 'f', 'pg_catalog.now()'::pg_catalog.regprocedure::pg_catalog.oid
FROM pg_catalog.pg_policy p
WHERE p.polqual::pg_catalog.text OPERATOR(pg_catalog.~) 'SQLVALUEFUNCTION')sql";

// What each view reads and calls directly; build_catalog closes over views of views. Routines come
// from the rule's expression tree, because pg_depend leaves built-in ones out; CURRENT_TIMESTAMP
// and its kin have a node of their own and count as now().
constexpr std::string_view kViewDependenciesSql = R"sql(
SELECT DISTINCT w.ev_class, 'r', d.refobjid
FROM pg_catalog.pg_depend d
JOIN pg_catalog.pg_rewrite w ON w.oid OPERATOR(pg_catalog.=) d.objid
WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_rewrite'::pg_catalog.regclass
  AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
  AND d.refobjid OPERATOR(pg_catalog.<>) w.ev_class
UNION
SELECT w.ev_class, 'f', m.found[1]::pg_catalog.oid
FROM pg_catalog.pg_rewrite w,
     pg_catalog.regexp_matches(w.ev_action::pg_catalog.text,
                               ':(?:funcid|opfuncid|aggfnoid|winfnoid) ([1-9][0-9]*)', 'g')
       AS m (found)
UNION
SELECT w.ev_class, 'f', 'pg_catalog.now()'::pg_catalog.regprocedure::pg_catalog.oid
FROM pg_catalog.pg_rewrite w
WHERE w.ev_action::pg_catalog.text OPERATOR(pg_catalog.~) 'SQLVALUEFUNCTION')sql";

// The last column: may the code change search_path? In SQL and PL/pgSQL that takes one of these
// words (a backslash or U& may spell any of them), in a body of SQL alone a call of set_config();
// of other languages but C nothing is known. A SET clause of the function proves nothing: SET
// within it outlives the call.
constexpr std::string_view kRoutinesSql = R"sql(
SELECT p.oid, n.nspname, p.proname, p.prokind, p.provolatile, p.proparallel, p.prosecdef,
       p.prolang OPERATOR(pg_catalog.<=) 13, COALESCE(e.extname, ''),
       p.pronargs, p.pronargdefaults, p.provariadic OPERATOR(pg_catalog.<>) 0, p.prorettype,
       p.proretset, pg_catalog.array_to_string(p.proargtypes, ','),
       COALESCE((SELECT pg_catalog.string_agg(
                          pg_catalog.concat(t.type, ':', pg_catalog.encode(pg_catalog.convert_to(
                            COALESCE(p.proargnames[t.place], ''), 'UTF8'), 'hex')),
                          ',' ORDER BY t.place)
                 FROM pg_catalog.unnest(p.proallargtypes) WITH ORDINALITY t (type, place)
                 WHERE p.proargmodes[t.place] IN ('o', 'b', 't')), ''),
       n.nspname NOT IN ('pg_catalog', 'information_schema', 'postern')
       AND CASE WHEN l.lanname IN ('internal', 'c') OR p.prokind OPERATOR(pg_catalog.=) 'a'
                  THEN false
                WHEN l.lanname IN ('sql', 'plpgsql') THEN
                  p.prosrc OPERATOR(pg_catalog.~*)
                    ('search_path|set_config|u&|[[:<:]](execute|schema|reset|discard)[[:>:]]'
                     '|[[:<:]]do[[:>:]](?![[:space:]]+(nothing|update)[[:>:]])')
                  OR pg_catalog.strpos(p.prosrc, pg_catalog.chr(92)) OPERATOR(pg_catalog.>) 0
                  OR COALESCE(p.prosqlbody::pg_catalog.text, '') OPERATOR(pg_catalog.~)
                    ':funcid 2078 '
                ELSE true END
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
JOIN pg_catalog.pg_language l ON l.oid OPERATOR(pg_catalog.=) p.prolang
LEFT JOIN pg_catalog.pg_depend d ON d.classid OPERATOR(pg_catalog.=)
       'pg_catalog.pg_proc'::pg_catalog.regclass::pg_catalog.oid
  AND d.objid OPERATOR(pg_catalog.=) p.oid AND d.deptype OPERATOR(pg_catalog.=) 'e'
LEFT JOIN pg_catalog.pg_extension e ON e.oid OPERATOR(pg_catalog.=) d.refobjid)sql";

constexpr std::string_view kOperatorsSql = R"sql(
SELECT o.oid, n.nspname, o.oprname, o.oprleft, o.oprright, o.oprcode::pg_catalog.oid
FROM pg_catalog.pg_operator o
JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) o.oprnamespace)sql";

constexpr std::string_view kTypesSql = R"sql(
SELECT t.oid, n.nspname, t.typname, t.typtype, t.typbasetype, t.typelem, t.typarray
FROM pg_catalog.pg_type t
JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) t.typnamespace
WHERE n.nspname OPERATOR(pg_catalog.<>) 'pg_toast')sql";

constexpr std::string_view kCastsSql =
    "SELECT castsource, casttarget, castfunc, castcontext FROM pg_catalog.pg_cast";

// What runs when a row of a table is written: functions that its defaults, generated columns,
// checks and the checks of its columns' domains call.
constexpr std::string_view kWriteRoutinesSql = R"sql(
WITH expressions (relation, tree) AS (
  SELECT adrelid, adbin::pg_catalog.text FROM pg_catalog.pg_attrdef
  UNION ALL
  SELECT conrelid, conbin::pg_catalog.text FROM pg_catalog.pg_constraint
  WHERE contype OPERATOR(pg_catalog.=) 'c' AND conrelid OPERATOR(pg_catalog.<>) 0
  UNION ALL
  SELECT a.attrelid, c.conbin::pg_catalog.text
  FROM pg_catalog.pg_constraint c
  JOIN pg_catalog.pg_attribute a ON a.atttypid OPERATOR(pg_catalog.=) c.contypid
  WHERE c.contypid OPERATOR(pg_catalog.<>) 0 AND NOT a.attisdropped
)
SELECT DISTINCT e.relation, m.found[1]::pg_catalog.oid
FROM expressions e,
     pg_catalog.regexp_matches(e.tree, ':(?:funcid|opfuncid) ([1-9][0-9]*)', 'g') AS m (found)
)sql";

// One line per catalog: how many rows, and the sum of their xmin. Whoever writes a row gives it an
// xmin greater than any before, so with equal counts an equal sum means that nothing was written
// (but for a wrap-around of transaction ids in between). VACUUM and ANALYZE update statistics in
// place, which leaves xmin alone. Temporary relations come and go with sessions and stand in no
// snapshot: they, their columns, types, indexes and constraints are left out.
constexpr std::string_view kFingerprintSql = R"sql(
WITH kept AS MATERIALIZED (
  SELECT c.oid, c.xmin::text::int8 AS x, c.relpersistence OPERATOR(pg_catalog.=) 't' AS temporary
  FROM pg_catalog.pg_class c
), temporary AS MATERIALIZED (
  SELECT oid FROM kept WHERE temporary
), rows (what, x) AS (
  SELECT 'class', x FROM kept WHERE NOT temporary
  UNION ALL SELECT 'attribute', xmin::text::int8 FROM pg_catalog.pg_attribute
            WHERE attrelid NOT IN (SELECT oid FROM temporary)
  UNION ALL SELECT 'inherits', xmin::text::int8 FROM pg_catalog.pg_inherits
            WHERE inhrelid NOT IN (SELECT oid FROM temporary)
  UNION ALL SELECT 'index', xmin::text::int8 FROM pg_catalog.pg_index
            WHERE indrelid NOT IN (SELECT oid FROM temporary)
  UNION ALL SELECT 'constraint', xmin::text::int8 FROM pg_catalog.pg_constraint
            WHERE conrelid NOT IN (SELECT oid FROM temporary)
  UNION ALL SELECT 'type', t.xmin::text::int8 FROM pg_catalog.pg_type t
            JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) t.typnamespace
            WHERE n.nspname OPERATOR(pg_catalog.!~) '^pg_(toast_)?temp_'
  UNION ALL SELECT 'trigger', xmin::text::int8 FROM pg_catalog.pg_trigger
            WHERE tgrelid NOT IN (SELECT oid FROM temporary)
  UNION ALL SELECT 'rewrite', xmin::text::int8 FROM pg_catalog.pg_rewrite
            WHERE ev_class NOT IN (SELECT oid FROM temporary)
  UNION ALL SELECT 'policy', xmin::text::int8 FROM pg_catalog.pg_policy
  UNION ALL SELECT 'proc', xmin::text::int8 FROM pg_catalog.pg_proc
  UNION ALL SELECT 'cast', xmin::text::int8 FROM pg_catalog.pg_cast
  UNION ALL SELECT 'operator', xmin::text::int8 FROM pg_catalog.pg_operator
  UNION ALL SELECT 'namespace', xmin::text::int8 FROM pg_catalog.pg_namespace
            WHERE nspname OPERATOR(pg_catalog.!~) '^pg_(toast_)?temp_'
  UNION ALL SELECT 'role', pg_catalog.hashtext(pg_catalog.concat_ws(' ', rolname, rolsuper,
            rolinherit, rolbypassrls))::int8 FROM pg_catalog.pg_roles
  UNION ALL SELECT 'member', xmin::text::int8 FROM pg_catalog.pg_auth_members
)
SELECT pg_catalog.string_agg(one, ' ' ORDER BY one) FROM (
  SELECT pg_catalog.concat_ws(':', what, pg_catalog.count(*), pg_catalog.sum(x)) AS one
  FROM rows GROUP BY what) lines)sql";

}  // namespace

std::string_view catalog_sql(CatalogPart part) {
  switch (part) {
    case CatalogPart::kDatabase:
      return kDatabaseSql;
    case CatalogPart::kRelations:
      return kRelationsSql;
    case CatalogPart::kColumns:
      return kColumnsSql;
    case CatalogPart::kInheritance:
      return kInheritanceSql;
    case CatalogPart::kForeignKeys:
      return kForeignKeysSql;
    case CatalogPart::kUniqueKeys:
      return kUniqueKeysSql;
    case CatalogPart::kPolicies:
      return kPoliciesSql;
    case CatalogPart::kPolicyDependencies:
      return kPolicyDependenciesSql;
    case CatalogPart::kViewDependencies:
      return kViewDependenciesSql;
    case CatalogPart::kRoutines:
      return kRoutinesSql;
    case CatalogPart::kOperators:
      return kOperatorsSql;
    case CatalogPart::kTypes:
      return kTypesSql;
    case CatalogPart::kWriteRoutines:
      return kWriteRoutinesSql;
    case CatalogPart::kCasts:
      return kCastsSql;
  }
  POSTERN_CHECK(false);
  return {};
}

std::string_view catalog_fingerprint_sql() {
  return kFingerprintSql;
}

}  // namespace postern::proxy
