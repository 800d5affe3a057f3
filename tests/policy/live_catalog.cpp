#include "tests/policy/live_catalog.hpp"

#include <map>

namespace postern::test {
namespace {

constexpr const char* kUser =
    "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname "
    "!~ '^pg_toast'";

Oid oid_of(const std::string& text) {
  return static_cast<Oid>(std::stoul(text));
}

using Relations = std::map<Oid, sql::Relation>;

Relations load_relations(Psql& psql) {
  Relations out;
  for (const auto& row : psql.rows(
           std::string("SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence, "
                       "pg_get_userbyid(c.relowner), c.relrowsecurity, c.relforcerowsecurity FROM "
                       "pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind "
                       "IN ('r','p','v','m','f') AND ") +
           kUser)) {
    sql::Relation relation;
    relation.oid = oid_of(row.at(0));
    relation.schema = row.at(1);
    relation.name = row.at(2);
    relation.kind = static_cast<sql::RelationKind>(row.at(3).at(0));
    relation.persistence = static_cast<sql::Persistence>(row.at(4).at(0));
    relation.owner = row.at(5);
    relation.row_security = row.at(6) == "t";
    relation.force_row_security = row.at(7) == "t";
    out.emplace(relation.oid, std::move(relation));
  }
  return out;
}

void load_columns(Psql& psql, Relations& relations) {
  for (const auto& row : psql.rows("SELECT attrelid, attname, attnum, atttypid, atthasdef FROM "
                                   "pg_attribute WHERE attnum > 0 AND NOT attisdropped ORDER BY "
                                   "attrelid, attnum")) {
    const auto at = relations.find(oid_of(row.at(0)));
    if (at == relations.end()) continue;
    sql::Column column;
    column.name = row.at(1);
    column.attnum = static_cast<std::int16_t>(std::stoi(row.at(2)));
    column.type = oid_of(row.at(3));
    column.has_default = row.at(4) == "t";
    at->second.columns.push_back(std::move(column));
  }
}

void load_links(Psql& psql, Relations& relations) {
  for (const auto& row : psql.rows("SELECT inhrelid, inhparent FROM pg_inherits")) {
    const auto at = relations.find(oid_of(row.at(0)));
    if (at != relations.end()) at->second.parents.push_back(oid_of(row.at(1)));
  }
  for (const auto& row : psql.rows("SELECT polrelid, polname, polpermissive FROM pg_policy")) {
    const auto at = relations.find(oid_of(row.at(0)));
    if (at == relations.end()) continue;
    at->second.policies.push_back({row.at(1), row.at(2) == "t", '*', "", ""});
  }
  for (const auto& row : psql.rows(
           "SELECT DISTINCT r.ev_class, d.refobjid FROM pg_rewrite r JOIN pg_depend d ON d.classid "
           "= 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass "
           "AND d.refobjid <> r.ev_class")) {
    const auto at = relations.find(oid_of(row.at(0)));
    if (at != relations.end()) at->second.depends_on.push_back(oid_of(row.at(1)));
  }
}

}  // namespace

std::shared_ptr<const sql::Catalog> load_catalog(Psql& psql) {
  Relations relations = load_relations(psql);
  load_columns(psql, relations);
  load_links(psql, relations);
  sql::CatalogBuilder builder;
  for (auto& [oid, relation] : relations) builder.add(std::move(relation));
  for (const auto& row : psql.rows("SELECT oid, typname, typtype, typbasetype FROM pg_type WHERE "
                                   "typtype IN ('b', 'd')")) {
    sql::Type type;
    type.oid = oid_of(row.at(0));
    type.schema = "any";
    type.name = row.at(1);
    type.kind = row.at(2).at(0);
    type.base = oid_of(row.at(3));
    builder.add(std::move(type));
  }
  return builder.freeze(1);
}

}  // namespace postern::test
