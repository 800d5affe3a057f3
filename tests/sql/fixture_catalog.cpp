#include "tests/sql/fixture_catalog.hpp"

#include <future>

#include "base/check.hpp"
#include "sql/parser_pool.hpp"

namespace postern::sql::test {

namespace {

constexpr Oid kInt4 = 23, kInt8 = 20, kText = 25, kUuid = 2950, kTimestamptz = 1184, kBool = 16,
              kJsonb = 3802, kNumeric = 1700;

Relation table(Oid oid, std::string schema, std::string name, RelationKind kind) {
  Relation relation;
  relation.oid = oid;
  relation.schema = std::move(schema);
  relation.name = std::move(name);
  relation.kind = kind;
  relation.owner = "owner";
  return relation;
}

Relation& with(Relation& relation, std::string name, Oid type) {
  Column column;
  column.name = std::move(name);
  column.attnum = static_cast<std::int16_t>(relation.columns.size() + 1);
  column.type = type;
  relation.columns.push_back(std::move(column));
  return relation;
}

void add_tables(CatalogBuilder& builder) {
  Relation users = table(kUsers, "app", "users", RelationKind::kTable);
  with(users, "id", kInt8), with(users, "tenant_id", kUuid), with(users, "email", kText);
  with(users, "name", kText), with(users, "active", kBool), with(users, "created_at", kTimestamptz);
  users.keys = {{{1}, true}, {{2, 3}, false}};
  builder.add(users);

  Relation orders = table(kOrders, "app", "orders", RelationKind::kTable);
  with(orders, "id", kInt8), with(orders, "tenant_id", kUuid), with(orders, "user_id", kInt8);
  with(orders, "total", kNumeric), with(orders, "note", kText), with(orders, "data", kJsonb);
  orders.keys = {{{1}, true}};
  builder.add(orders);

  Relation items = table(kItems, "app", "order items", RelationKind::kTable);
  with(items, "id", kInt8), with(items, "Order Id", kInt8), with(items, "qty", kInt4);
  items.columns.back().generated = true;
  builder.add(items);

  Relation events = table(kEvents, "app", "events", RelationKind::kPartitionedTable);
  with(events, "id", kInt8), with(events, "at", kTimestamptz), with(events, "body", kJsonb);
  Relation leaf = events;
  leaf.oid = kEvents2024, leaf.name = "events_2024", leaf.kind = RelationKind::kTable;
  leaf.parents = {kEvents};
  builder.add(events).add(leaf);

  Relation plans = table(kPlans, "public", "plans", RelationKind::kTable);
  with(plans, "id", kInt4), with(plans, "name", kText);
  builder.add(plans);
  builder.add(with(with(*std::make_unique<Relation>(
                            table(kSecretUsers, "secret", "users", RelationKind::kTable)),
                        "id", kInt8),
                   "ssn", kText));

  Relation view = table(kUserNames, "app", "user_names", RelationKind::kView);
  with(view, "id", kInt8), with(view, "name", kText);
  view.depends_on = {kUsers};
  view.depends_routines = {kLower};
  builder.add(view);

  // A trigger; a default that calls a volatile function; a default that calls nextval.
  Relation audited = table(kAudited, "app", "audited", RelationKind::kTable);
  with(audited, "id", kInt8);
  audited.has_triggers = true;
  Relation stamped = table(kStamped, "app", "stamped", RelationKind::kTable);
  with(stamped, "id", kInt8), with(stamped, "stamp", kInt8);
  stamped.write_routines = {kStamp};
  Relation counted = table(kCounted, "app", "counted", RelationKind::kTable);
  with(counted, "id", kInt8);
  counted.write_routines = {kNextval};
  builder.add(audited).add(stamped).add(counted);

  Relation pg_class = table(kPgClass, "pg_catalog", "pg_class", RelationKind::kTable);
  with(pg_class, "oid", 26), with(pg_class, "relname", 19);
  Relation settings = table(kPgSettings, "pg_catalog", "pg_settings", RelationKind::kView);
  with(settings, "name", kText), with(settings, "setting", kText);
  builder.add(pg_class).add(settings);
}

Routine routine(Oid oid, std::string schema, std::string name, std::int16_t args, Oid returns) {
  Routine made;
  made.oid = oid;
  made.schema = std::move(schema);
  made.name = std::move(name);
  made.min_args = made.max_args = args;
  made.return_type = returns;
  return made;
}

void add_code(CatalogBuilder& builder) {
  builder.add(routine(kRiskScore, "app", "risk_score", 1, kInt4));
  builder.add(routine(kRiskScore2, "app", "risk_score", 2, kInt4));
  builder.add(routine(kLower, "pg_catalog", "lower", 1, kText));
  builder.add(routine(kJsonEach, "pg_catalog", "jsonb_each", 1, 2249));
  builder.add(routine(3300, "app", "archive", 1, 2278));
  builder.add(routine(kStamp, "app", "stamp", 0, kInt8));
  builder.add(routine(kNextval, "pg_catalog", "nextval", 1, kInt8));
  Routine pairs = routine(3302, "app", "pairs", 1, 2249);
  pairs.outputs = {{"left_id", kInt8}, {"note", kText}};
  builder.add(pairs);
  Routine one = routine(3303, "app", "one", 0, kInt8);
  one.outputs = {{"sole", kInt8}};
  builder.add(one);
  Routine all_users = routine(3304, "app", "all_users", 0, 8010);
  all_users.returns_set = true;
  builder.add(all_users);
  Routine of_int = routine(3305, "app", "of", 1, kInt4);
  of_int.arguments = {kInt4};
  Routine of_text = routine(3306, "app", "of", 1, kText);
  of_text.arguments = {kText};
  builder.add(of_int).add(of_text);
  Routine to_citext = routine(3307, "public", "to_citext", 1, 8001);
  to_citext.arguments = {kInt8};
  builder.add(to_citext).add(Cast{kInt8, 8001, 3307, 'e'});
  builder.add(Type{8010, "app", "users", 'c', 0, 0, 0});
  builder.add(Type{kInt4, "pg_catalog", "int4", 'b', 0, 0, 1007});
  builder.add(Type{1007, "pg_catalog", "_int4", 'b', 0, kInt4, 0});
  builder.add(Type{1009, "pg_catalog", "_text", 'b', 0, kText, 0});
  builder.add(Operator{98, "pg_catalog", "=", kText, kText, kTextEq});
  builder.add(Operator{99, "pg_catalog", "=", kInt8, kInt8, 467});
  builder.add(Operator{9001, "public", "=", 8001, 8001, kCitextEq});
  builder.add(Operator{9002, "public", "=", kUuid, kUuid, kBadEq});
  builder.add(Type{kText, "pg_catalog", "text", 'b', 0, 0, 1009});
  builder.add(Type{kInt8, "pg_catalog", "int8", 'b', 0, 0, 1016});
  builder.add(Type{kUuid, "pg_catalog", "uuid", 'b', 0, 0, 2951});
  builder.add(Type{8001, "public", "citext", 'b', 0, 0, 8002});
  builder.add(Type{8003, "app", "email_address", 'd', kText, 0, 0});
}

}  // namespace

std::shared_ptr<const Catalog> fixture_catalog() {
  static const std::shared_ptr<const Catalog> catalog = [] {
    CatalogBuilder builder;
    add_tables(builder);
    add_code(builder);
    return builder.database_oid(16384).freeze(7);
  }();
  return catalog;
}

AnalysisContext fixture_context() {
  return {fixture_catalog(), {"app", "public"}};
}

std::shared_ptr<const Facts> facts_of(std::string_view text) {
  static ParserPool& pool = [&]() -> ParserPool& {
    static ParserPool made;
    POSTERN_CHECK(made.start({1, 64 * 1024 * 1024, 8}).has_value());
    return made;
  }();
  std::promise<std::shared_ptr<const Facts>> result;
  const Status queued =
      pool.submit([&] { result.set_value(analyze(text, fixture_context(), {})); });
  POSTERN_CHECK(queued.has_value());
  return result.get_future().get();
}

}  // namespace postern::sql::test
