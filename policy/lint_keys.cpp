// Lint rules about keys, indexes and the tenant column: what tells one tenant of another's rows.
#include "policy/lint.hpp"

namespace postern::policy {
namespace {

constexpr LintRule kRules[] = {
    {"L15", "unique key without the tenant column",
     "a duplicate-key error tells that another tenant has the value", R"sql(
SELECT w.name, format('unique key %I lacks %I', x.relname, w.tenant_column),
       CASE WHEN k.oid IS NULL OR i.indexprs IS NOT NULL OR i.indpred IS NOT NULL THEN
         format('-- make %I anew with %I as first column', x.relname, w.tenant_column)
       ELSE format('ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %I %s (%I, %s);', w.name,
         k.conname, k.conname, CASE k.contype WHEN 'p' THEN 'PRIMARY KEY' ELSE 'UNIQUE' END,
         w.tenant_column,
         (SELECT string_agg(format('%I', a.attname), ', ' ORDER BY c.o)
          FROM unnest(k.conkey) WITH ORDINALITY c (n, o)
          JOIN pg_attribute a ON a.attrelid = w.oid AND a.attnum = c.n)) END
FROM walled w JOIN pg_index i ON i.indrelid = w.oid AND i.indisunique
JOIN pg_class x ON x.oid = i.indexrelid
LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u')
WHERE NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = i.indexrelid)
  AND NOT EXISTS (SELECT FROM unnest(i.indkey) WITH ORDINALITY c (n, o)
                  WHERE c.n = w.tenant_attnum AND c.o <= i.indnkeyatts)
  -- A random key cannot be guessed, so that nothing can be asked of it.
  AND NOT EXISTS (SELECT FROM unnest(i.indkey) c (n) JOIN pg_attribute a ON a.attrelid = w.oid
                  AND a.attnum = c.n JOIN pg_attrdef d ON d.adrelid = w.oid AND d.adnum = c.n
                  WHERE a.atttypid = 'pg_catalog.uuid'::regtype AND pg_get_expr(d.adbin, d.adrelid)
                  ~ '^(gen_random_uuid|(\w+\.)?uuid_generate_v4)\(\)$'))sql"},
    {"L16", "exclusion constraint without the tenant column",
     "a conflict tells of another tenant's row", R"sql(
SELECT w.name, format('exclusion constraint %I lacks %I', k.conname, w.tenant_column),
       format('-- make %I anew with %I WITH =', k.conname, w.tenant_column)
FROM walled w JOIN pg_constraint k ON k.conrelid = w.oid AND k.contype = 'x'
WHERE NOT w.tenant_attnum = ANY (k.conkey))sql"},
    {"L17", "foreign key without the tenant column",
     "a row of one tenant can point to another's, which tells that it exists and keeps it", R"sql(
SELECT r.name, format('foreign key %I to %s does not pair the tenant columns', k.conname, w.name),
       CASE WHEN t.oid IS NULL THEN
         format('-- %s has no tenant column: it must not refer to tenants'' rows', r.name)
       ELSE format('ALTER TABLE %s ADD UNIQUE (%I, %s); ALTER TABLE %s DROP CONSTRAINT %I, ADD '
         'CONSTRAINT %I FOREIGN KEY (%I, %s) REFERENCES %s (%I, %s);', w.name, w.tenant_column,
         (SELECT string_agg(format('%I', a.attname), ', ' ORDER BY c.o)
          FROM unnest(k.confkey) WITH ORDINALITY c (n, o)
          JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = c.n),
         r.name, k.conname, k.conname, t.tenant_column,
         (SELECT string_agg(format('%I', a.attname), ', ' ORDER BY c.o)
          FROM unnest(k.conkey) WITH ORDINALITY c (n, o)
          JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = c.n),
         w.name, w.tenant_column,
         (SELECT string_agg(format('%I', a.attname), ', ' ORDER BY c.o)
          FROM unnest(k.confkey) WITH ORDINALITY c (n, o)
          JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = c.n)) END
FROM pg_constraint k JOIN walled w ON w.oid = k.confrelid JOIN rel r ON r.oid = k.conrelid
LEFT JOIN walled t ON t.oid = k.conrelid
WHERE k.contype = 'f' AND k.conparentid = 0
  AND NOT (k.confdeltype IN ('c', 'n', 'd') OR k.confupdtype IN ('c', 'n', 'd'))
  AND NOT EXISTS (SELECT FROM unnest(k.conkey, k.confkey) AS c (here, there)
                  WHERE c.here = t.tenant_attnum AND c.there = w.tenant_attnum))sql"},
    {"L18", "cascading foreign key without the tenant column",
     "deleting one's own row can delete or change another tenant's", R"sql(
SELECT r.name, format('foreign key %I to %s cascades without pairing the tenant columns',
                      k.conname, w.name),
       format('ALTER TABLE %s DROP CONSTRAINT %I; -- then a foreign key over (%I, ...): %s',
              r.name, k.conname, w.tenant_column, pg_get_constraintdef(k.oid))
FROM pg_constraint k JOIN walled w ON w.oid = k.confrelid JOIN rel r ON r.oid = k.conrelid
LEFT JOIN walled t ON t.oid = k.conrelid
WHERE k.contype = 'f' AND k.conparentid = 0
  AND (k.confdeltype IN ('c', 'n', 'd') OR k.confupdtype IN ('c', 'n', 'd'))
  AND NOT EXISTS (SELECT FROM unnest(k.conkey, k.confkey) AS c (here, there)
                  WHERE c.here = t.tenant_attnum AND c.there = w.tenant_attnum))sql"},
    {"L19", "no index that leads with the tenant column",
     "every statement reads all tenants' rows, in time that depends on them", R"sql(
SELECT w.name, format('no index leads with %I', w.tenant_column),
       format('CREATE INDEX ON %s (%I);', w.name, w.tenant_column)
FROM walled w
WHERE NOT w.relispartition
  AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = w.oid AND i.indisvalid
                  AND i.indpred IS NULL AND i.indkey[0] = w.tenant_attnum)
  AND NOT EXISTS (SELECT FROM pg_partitioned_table p WHERE p.partrelid = w.oid
                  AND p.partattrs[0] = w.tenant_attnum))sql"},
    {"L20", "tenant column that may be NULL",
     "rows without tenant belong to nobody and show up "
     "nowhere",
     R"sql(
SELECT w.name, format('%I may be NULL', w.tenant_column),
       format('ALTER TABLE %s ALTER COLUMN %I SET NOT NULL;', w.name, w.tenant_column)
FROM walled w JOIN pg_attribute a ON a.attrelid = w.oid AND a.attnum = w.tenant_attnum
WHERE NOT a.attnotnull AND NOT w.relispartition)sql"},
    {"L21", "tenant column with a fixed default",
     "a row without tenant goes to that tenant, or is "
     "refused",
     R"sql(
SELECT w.name, format('%I defaults to %s', w.tenant_column, pg_get_expr(d.adbin, d.adrelid)),
       format('ALTER TABLE %s ALTER COLUMN %I DROP DEFAULT;', w.name, w.tenant_column)
FROM walled w JOIN pg_attrdef d ON d.adrelid = w.oid AND d.adnum = w.tenant_attnum
WHERE strpos(pg_get_expr(d.adbin, d.adrelid), 'postern.tenant()') = 0
  AND NOT w.relispartition)sql"},
    {"L22", "tenant column under a nondeterministic collation",
     "'acme' and 'ACME' are one tenant to the database", R"sql(
SELECT w.name, format('%I has the nondeterministic collation %I', w.tenant_column, k.collname),
       format('-- policy rollback, ALTER TABLE %s ALTER %I TYPE %s COLLATE "C", policy apply',
              w.name, w.tenant_column, format_type(a.atttypid, a.atttypmod))
FROM walled w JOIN pg_attribute a ON a.attrelid = w.oid AND a.attnum = w.tenant_attnum
JOIN pg_collation k ON k.oid = a.attcollation WHERE NOT k.collisdeterministic)sql"},
};

}  // namespace

std::span<const LintRule> lint_key_rules() {
  return kRules;
}

}  // namespace postern::policy
