#include "tests/policy/policy_fixture.hpp"

#include <tuple>

#include <doctest/doctest.h>

#include "sql/analyzer.hpp"

namespace postern::test {
namespace {

constexpr Oid kPe1 = 19000, kInt4 = 23, kInt8 = 20, kText = 25, kTimestamptz = 1184;
using Kind = sql::RelationKind;

struct Made {
  sql::Relation relation;

  Made(Oid oid, std::string name, Kind kind = Kind::kTable) {
    relation.oid = oid;
    relation.schema = "public";
    relation.name = std::move(name);
    relation.kind = kind;
    relation.owner = "owner";
  }
  Made&& with(std::string name, Oid type, bool has_default = false) && {
    sql::Column column;
    column.name = std::move(name);
    column.attnum = static_cast<std::int16_t>(relation.columns.size() + 1);
    column.type = type;
    column.has_default = has_default;
    relation.columns.push_back(std::move(column));
    return std::move(*this);
  }
  Made&& refers(std::int16_t column, Oid referenced, char on_delete, char on_update) && {
    relation.foreign_keys.push_back({referenced, {column}, {1}, on_delete, on_update});
    return std::move(*this);
  }
  Made&& over(std::vector<Oid> oids, std::vector<Oid> routines = {}) && {
    relation.depends_on = std::move(oids);
    relation.depends_routines = std::move(routines);
    return std::move(*this);
  }
};

void add_tables(sql::CatalogBuilder& b) {
  b.add(Made(kUsers, "users")
            .with("id", kInt8)
            .with("tenant_id", kInt4)
            .with("email", kPe1)
            .with("ssn", kPe1)
            .with("name", kText)
            .with("age", kPe1)
            .relation);
  b.add(Made(kAccounts, "accounts")
            .with("id", kInt8)
            .with("tenant_id", kInt4)
            .with("user_email", kPe1)
            .with("balance", kInt8)
            .relation);
  b.add(Made(kOrders, "orders")
            .with("id", kInt8)
            .with("tenant_id", kInt4)
            .with("user_id", kInt8)
            .with("total", kInt4)
            .with("note", kText)
            .refers(3, kUsers, 'c', 'a')
            .relation);
  b.add(Made(kItems, "items")
            .with("id", kInt8)
            .with("tenant_id", kInt4)
            .with("order_id", kInt8)
            .refers(3, kOrders, 'n', 'c')
            .relation);
  b.add(Made(kEvents, "events", Kind::kPartitionedTable)
            .with("id", kInt8)
            .with("tenant_id", kInt4)
            .with("email", kPe1)
            .with("at", kTimestamptz)
            .relation);
  for (const Oid leaf : {kEvents1, kEvents2}) {
    Made made(leaf, leaf == kEvents1 ? "events_1" : "events_2");
    // Columns in another order: attnums differ from the parent's.
    auto full = std::move(made)
                    .with("email", kPe1)
                    .with("tenant_id", kInt4)
                    .with("id", kInt8)
                    .with("at", kTimestamptz);
    full.relation.parents = {kEvents};
    b.add(full.relation);
  }
  b.add(Made(kPlans, "plans").with("id", kInt4).with("name", kText).relation);
  b.add(
      Made(kLogins, "logins").with("name", kPe1).with("hint", kPe1).with("shown", kText).relation);
  b.add(Made(kNotes, "notes")
            .with("id", kInt8)
            .with("tenant_id", kInt4)
            .with("body", kPe1, true)
            .relation);
  Made audited(kAudited, "audited");
  auto with_trigger = std::move(audited).with("id", kInt4);
  with_trigger.relation.has_triggers = true;
  b.add(with_trigger.relation);
  auto scratch = Made(kScratch, "scratch").with("id", kInt4);
  scratch.relation.persistence = sql::Persistence::kUnlogged;
  b.add(scratch.relation);
  b.add(Made(kForeign, "remote", Kind::kForeignTable).with("tenant_id", kInt4).relation);
}

void add_views(sql::CatalogBuilder& b) {
  b.add(Made(kUserView, "v_users", Kind::kView).with("id", kInt8).over({kUsers}).relation);
  b.add(
      Made(kOrderView, "v_orders", Kind::kView).with("id", kInt8).over({kOrders}, {870}).relation);
  b.add(Made(kPlanView, "v_plans", Kind::kView).with("id", kInt4).over({kPlans}, {1299}).relation);
  b.add(Made(kOrderMatview, "mv_orders", Kind::kMaterializedView)
            .with("n", kInt8)
            .over({kOrders})
            .relation);
  for (const auto& [oid, name] : {std::pair<Oid, const char*>{1259, "pg_class"},
                                  {12001, "pg_settings"},
                                  {12002, "pg_stat_activity"},
                                  {12003, "pg_new_view"}}) {  // of a newer server
    auto system = Made(oid, name, oid == 1259 ? Kind::kTable : Kind::kView)
                      .with("oid", 26)
                      .with("setting", kText)
                      .with("query", kText)
                      .with("name", kText);
    if (oid == 1259) {
      std::move(system).with("reltuples", 700).with("relpages", kInt4).with("relallvisible", kInt4);
    }
    system.relation.schema = "pg_catalog";
    b.add(system.relation);
  }
  for (const auto& [oid, name] : {std::pair<Oid, const char*>{13001, "user_mapping_options"},
                                  {13002, "user_mappings"},
                                  {13003, "tables"}}) {
    auto view = Made(oid, name, Kind::kView).with("option_value", kText).with("table_name", kText);
    view.relation.schema = "information_schema";
    b.add(view.relation);
  }
}

void add_routine(sql::CatalogBuilder& b, Oid oid, std::string schema, std::string name, int args,
                 char volatility, char parallel, std::vector<Oid> arguments = {}) {
  sql::Routine routine;
  routine.arguments = std::move(arguments);
  routine.oid = oid;
  routine.schema = std::move(schema);
  routine.name = std::move(name);
  routine.min_args = routine.max_args = static_cast<std::int16_t>(args);
  routine.volatility = volatility;
  routine.parallel = parallel;
  routine.return_type = kText;
  if (routine.schema == "ext") routine.extension = routine.name;
  b.add(std::move(routine));
}

void add_routines(sql::CatalogBuilder& b) {
  add_routine(b, 870, "pg_catalog", "lower", 1, 'i', 's');
  add_routine(b, 2803, "pg_catalog", "count", 0, 'i', 's');
  add_routine(b, 2147, "pg_catalog", "count", 1, 'i', 's');
  add_routine(b, 2129, "pg_catalog", "max", 1, 'i', 's');
  add_routine(b, 1299, "pg_catalog", "now", 0, 's', 's');
  add_routine(b, 1598, "pg_catalog", "random", 0, 'v', 'r');
  add_routine(b, 1574, "pg_catalog", "nextval", 1, 'v', 'u');
  add_routine(b, 1576, "pg_catalog", "setval", 2, 'v', 'u');
  add_routine(b, 2078, "pg_catalog", "set_config", 3, 'v', 'u');
  add_routine(b, 2077, "pg_catalog", "current_setting", 1, 's', 's');
  add_routine(b, 3294, "pg_catalog", "current_setting", 2, 's', 's');
  add_routine(b, 2624, "pg_catalog", "pg_read_file", 1, 'v', 's');
  add_routine(b, 3458, "pg_catalog", "lo_get", 1, 'v', 'u');
  add_routine(b, 2924, "pg_catalog", "query_to_xml", 4, 'v', 'u');
  add_routine(b, 2096, "pg_catalog", "pg_terminate_backend", 1, 'v', 's');
  add_routine(b, 2880, "pg_catalog", "pg_advisory_lock", 1, 'v', 'r');
  add_routine(b, 3036, "pg_catalog", "pg_notify", 2, 'v', 'r');
  add_routine(b, 1770, "pg_catalog", "to_char", 2, 's', 's');
  add_routine(b, 1081, "pg_catalog", "pg_get_expr", 2, 's', 's');
  add_routine(b, 65, "pg_catalog", "int4eq", 2, 'i', 's');
  add_routine(b, 67, "pg_catalog", "texteq", 2, 'i', 's');
  add_routine(b, 9001, "pg_catalog", "pg_new_reader", 0, 's', 's');
  add_routine(b, 9002, "pg_catalog", "pg_new_sum", 1, 'i', 's');
  for (const auto& [oid, name, argument] : {std::tuple<Oid, const char*, Oid>{1181, "age", 28},
                                            {1386, "age", 1184},
                                            {3939, "mxid_age", 28}}) {
    add_routine(b, oid, "pg_catalog", name, 1, 's', 's', {argument});
  }
  add_routine(b, 20501, "public", "risk", 1, 's', 's');
  add_routine(b, 20502, "public", "touch", 1, 'v', 'u');
  add_routine(b, 20503, "ext", "dblink", 2, 'v', 'r');
  add_routine(b, 20504, "postern", "tenant", 0, 's', 'r');
  add_routine(b, 20506, "public", "http_status_text", 1, 'i', 's');
  add_routine(b, 20505, "public", "score", 1, 'i', 's');
  b.add(sql::Operator{96, "pg_catalog", "=", kInt4, kInt4, 65});
  b.add(sql::Operator{98, "pg_catalog", "=", kText, kText, 67});
  b.add(sql::Type{28, "pg_catalog", "xid", 'b', 0, 1011, 0});
  b.add(sql::Type{1184, "pg_catalog", "timestamptz", 'b', 0, 1185, 0});
  b.add(sql::Type{kText, "pg_catalog", "text", 'b', 0, 0, 1009});
  b.add(sql::Type{1009, "pg_catalog", "_text", 'b', 0, kText, 0});
  b.add(sql::Type{1007, "pg_catalog", "_int4", 'b', 0, kInt4, 0});
  b.add(sql::Type{kPe1, "postern", "pe1", 'd', 17, 0, 0});
}

}  // namespace

std::shared_ptr<const sql::Catalog> catalog() {
  static const auto snapshot = [] {
    sql::CatalogBuilder builder;
    add_tables(builder);
    add_views(builder);
    add_routines(builder);
    return builder.database_oid(16390).freeze(3);
  }();
  return snapshot;
}

policy::PolicyOptions options() {
  using policy::KeyScope;
  using policy::Scheme;
  const auto uuid = [](char digit) { return std::string(32, digit); };
  policy::PolicyOptions out;
  out.tenant_column = "tenant_id";
  const auto tenant = KeyScope::kTenant;
  const auto global = KeyScope::kGlobal;
  const auto det = Scheme::kDeterministic;
  const auto random = Scheme::kRandomized;
  out.columns = {
      {"public.users", "email", "text", det, tenant, uuid('1'), uuid('a')},
      {"public.users", "ssn", "varchar(11)", random, tenant, uuid('2'), ""},
      {"public.accounts", "user_email", "varchar", det, tenant, uuid('3'), uuid('a')},
      {"public.logins", "name", "text", det, global, uuid('4'), ""},
      {"public.users", "age", "int4", det, tenant, uuid('5'), ""},
      {"public.events", "email", "text", det, tenant, uuid('6'), ""},
      {"public.notes", "body", "text", random, tenant, uuid('7'), ""},
      {"public.logins", "hint", "text", random, global, uuid('8'), ""},
  };
  return out;
}

namespace {

std::shared_ptr<const policy::Ruleset> compiled(const policy::PolicyOptions& options) {
  auto result = policy::compile_ruleset(options, catalog());
  if (!result) FAIL(result.error().line());
  return *result;
}

}  // namespace

std::shared_ptr<const policy::Ruleset> rules() {
  static const auto made = compiled(options());
  return made;
}

std::shared_ptr<const policy::Ruleset> unprotected() {
  static const auto made = compiled({});
  return made;
}

std::shared_ptr<const policy::Ruleset> without_columns() {
  static const auto made = [] {
    auto changed = options();
    changed.columns.clear();
    return compiled(changed);
  }();
  return made;
}

policy::Decision decide_sql(std::string_view text, const policy::Ruleset& ruleset,
                            const policy::Principal& principal) {
  const auto facts = sql::analyze(text, {catalog(), {"public"}}, {});
  return policy::decide(*facts, text, ruleset, principal);
}

std::string refusal_of(const policy::Decision& decision) {
  if (!decision.refusal) return "";
  return pst_label(decision.refusal->error.code) + " " + decision.refusal->rule;
}

}  // namespace postern::test
