// Lint rules about functions, triggers, extensions and languages.
#include "policy/lint.hpp"

namespace postern::policy {
namespace {

constexpr LintRule kRules[] = {
    {"L41", "SECURITY DEFINER function of a role that row security does not bind",
     "whoever calls it reads and writes as a role that passes all policies", R"sql(
SELECT p.oid::regprocedure::text, 'SECURITY DEFINER, owned by ' || o.rolname,
       format('ALTER FUNCTION %s SECURITY INVOKER;', p.oid::regprocedure)
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_roles o ON o.oid = p.proowner
WHERE p.prosecdef AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'postern')
  AND (o.rolsuper OR o.rolbypassrls)
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_catalog.pg_proc'::regclass
                  AND d.objid = p.oid AND d.deptype = 'e')
  AND EXISTS (SELECT FROM bound b WHERE has_function_privilege(b.oid, p.oid, 'EXECUTE')))sql"},
    {"L42", "SECURITY DEFINER function without search_path",
     "a caller decides which tables and operators it uses", R"sql(
SELECT p.oid::regprocedure::text, 'SECURITY DEFINER without a search_path of its own',
       format('ALTER FUNCTION %s SET search_path = pg_catalog, %I, pg_temp;', p.oid::regprocedure,
              n.nspname)
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_roles o ON o.oid = p.proowner
WHERE p.prosecdef AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'postern')
  AND NOT (o.rolsuper OR o.rolbypassrls)
  AND NOT EXISTS (SELECT FROM unnest(p.proconfig) c (entry) WHERE c.entry ~ '^search_path=')
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_catalog.pg_proc'::regclass
                  AND d.objid = p.oid AND d.deptype = 'e'))sql"},
    {"L43", "SECURITY DEFINER function with dynamic SQL",
     "text from its caller may become a statement with its owner's rights", R"sql(
SELECT p.oid::regprocedure::text, 'SECURITY DEFINER with EXECUTE in its body',
       format('ALTER FUNCTION %s SECURITY INVOKER; -- or static statements', p.oid::regprocedure)
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
JOIN pg_roles o ON o.oid = p.proowner
WHERE p.prosecdef AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'postern')
  AND NOT (o.rolsuper OR o.rolbypassrls) AND l.lanname = 'plpgsql' AND p.prosrc ~* '\mexecute\M'
  AND EXISTS (SELECT FROM unnest(p.proconfig) c (entry) WHERE c.entry ~ '^search_path=')
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_catalog.pg_proc'::regclass
                  AND d.objid = p.oid AND d.deptype = 'e'))sql"},
    {"L44", "LEAKPROOF function of one's own",
     "it is evaluated before policies, on all tenants' "
     "rows",
     R"sql(
SELECT p.oid::regprocedure::text, 'declared LEAKPROOF',
       format('ALTER FUNCTION %s NOT LEAKPROOF;', p.oid::regprocedure)
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE p.proleakproof AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'postern')
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_catalog.pg_proc'::regclass
                  AND d.objid = p.oid AND d.deptype = 'e'))sql"},
    {"L45", "trigger with a function of another role than the table's owner",
     "code of somebody else runs on every tenant's rows", R"sql(
SELECT r.name, format('trigger %I calls %s of %I', t.tgname, t.tgfoid::regprocedure, o.rolname),
       format('DROP TRIGGER %I ON %s;', t.tgname, r.name)
FROM rel r JOIN pg_trigger t ON t.tgrelid = r.oid AND NOT t.tgisinternal AND t.tgparentid = 0
JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_roles o ON o.oid = p.proowner
WHERE p.proowner <> r.relowner AND NOT o.rolsuper)sql"},
    {"L46", "extension that reaches around row security",
     "it reads pages, files or other servers, or runs statements outside Postern", R"sql(
SELECT format('%I', e.extname), 'installed', format('DROP EXTENSION %I;', e.extname)
FROM pg_extension e JOIN reported_extension r ON r.name = e.extname)sql"},
    {"L47", "untrusted language", "its functions run as the server's operating system user", R"sql(
SELECT format('%I', l.lanname), 'functions in it are bound by nothing',
       format('DROP LANGUAGE %I;', l.lanname)
FROM pg_language l WHERE NOT l.lanpltrusted AND l.lanname NOT IN ('internal', 'c'))sql"},
};

}  // namespace

std::span<const LintRule> lint_code_rules() {
  return kRules;
}

}  // namespace postern::policy
