#include <charconv>
#include <map>
#include <utility>

#include "schema/inspection.hpp"

namespace postern::schema {
namespace {

constexpr const char* kBegin =
    "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY; "
    "SET LOCAL statement_timeout = '20s'; SET LOCAL lock_timeout = '2s'; "
    "SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL DateStyle = 'ISO'";

constexpr const char* kServerSql =
    "SELECT pg_catalog.current_setting('server_version'), pg_catalog.pg_is_in_recovery(), "
    "current_date::pg_catalog.text";

constexpr const char* kColumnsSql = R"sql(
SELECT n.nspname, c.relname, r.rolname, c.reltuples::pg_catalog.int8, a.attname,
       pg_catalog.format_type(a.atttypid, a.atttypmod)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_roles r ON r.oid = c.relowner
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'postern')
  AND n.nspname !~ '^pg_(toast|temp_)'
ORDER BY n.nspname, c.relname, a.attnum)sql";

constexpr const char* kRolesSql = R"sql(
SELECT r.rolname, r.rolsuper, r.rolbypassrls,
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity s WHERE s.usesysid = r.oid)
FROM pg_catalog.pg_roles r WHERE r.rolcanlogin ORDER BY r.rolname)sql";

constexpr const char* kReplicasSql = R"sql(
SELECT application_name, COALESCE(pg_catalog.host(client_addr), ''), COALESCE(state, '')
FROM pg_catalog.pg_stat_replication ORDER BY 1, 2)sql";

std::string text(const Row& row, std::size_t i) {
  return row.at(i).value_or("");
}

std::int64_t number(const std::string& text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::string quoted(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + "\"";
}

/// A table as found, with its name in SQL.
struct Found {
  InspectedTable table;
  std::string sql_name;
};

std::vector<Found> group(const Rows& rows) {
  std::vector<Found> out;
  for (const Row& row : rows) {
    const std::string name = text(row, 0) + "." + text(row, 1);
    if (out.empty() || out.back().table.name != name) {
      Found& found = out.emplace_back();
      found.table.name = name;
      found.table.owner = text(row, 2);
      found.table.estimated_rows = number(text(row, 3));
      found.sql_name = quoted(text(row, 0)) + "." + quoted(text(row, 1));
    }
    InspectedColumn column;
    column.name = text(row, 4);
    column.type = text(row, 5);
    column.values = value_class(column.type);
    column.pii = pii_by_name(column.name, column.values);
    column.named_so = column.pii.has_value();
    out.back().table.columns.push_back(std::move(column));
  }
  return out;
}

bool worth_sampling(const InspectedColumn& column) {
  return column.values == ValueClass::kText || column.values == ValueClass::kDate;
}

std::string sample_sql(const Found& found) {
  std::string list;
  for (const InspectedColumn& column : found.table.columns) {
    if (!worth_sampling(column)) continue;
    if (!list.empty()) list += ", ";
    list += "pg_catalog.left(" + quoted(column.name) + "::pg_catalog.text, " +
            std::to_string(kSampleBytes) + ")";
  }
  if (list.empty()) return list;
  return "SELECT " + list + " FROM " + found.sql_name + " LIMIT " + std::to_string(kSampleRows);
}

void judge(const Rows& rows, std::string_view today, InspectedTable& table) {
  std::size_t position = 0;
  for (InspectedColumn& column : table.columns) {
    if (!worth_sampling(column)) continue;
    std::vector<std::string> values;
    for (const Row& row : rows) {
      const auto& value = row.at(position);
      if (value && !value->empty()) values.push_back(*value);
    }
    ++position;
    column.sampled = values.size();
    const auto kind = pii_by_values(values, column.values, today);
    column.valued_so = kind.has_value() && (!column.pii || column.pii == kind);
    if (!column.pii) column.pii = kind;
  }
}

/// False where this login may not read the table, or not in time.
Result<bool> sample(Connection& connection, std::string_view today, Found& found) {
  const std::string sql = sample_sql(found);
  if (sql.empty()) return true;
  POSTERN_TRY(connection.run("SAVEPOINT sample"));
  const auto rows = connection.query(sql);
  POSTERN_TRY(connection.run("ROLLBACK TO SAVEPOINT sample"));
  if (!rows) return false;
  judge(*rows, today, found.table);
  return true;
}

Status read_tables(Connection& connection, std::string_view today, Inspection& out) {
  POSTERN_ASSIGN(const Rows columns, connection.query(kColumnsSql));
  std::vector<Found> found = group(columns);
  for (std::size_t i = 0; i < found.size(); ++i) {
    bool readable = false;
    if (i < kMaxSampledTables) {
      POSTERN_ASSIGN(readable, sample(connection, today, found[i]));
    }
    if (!readable) out.not_sampled.push_back(found[i].table.name);
    out.tables.push_back(std::move(found[i].table));
  }
  return ok();
}

Status read_cluster(Connection& connection, Inspection& out) {
  POSTERN_ASSIGN(const Rows roles, connection.query(kRolesSql));
  for (const Row& row : roles) {
    out.roles.push_back({text(row, 0), text(row, 1) == "t", text(row, 2) == "t",
                         static_cast<std::size_t>(number(text(row, 3)))});
  }
  POSTERN_ASSIGN(const Rows replicas, connection.query(kReplicasSql));
  for (const Row& row : replicas) {
    out.replicas.push_back({text(row, 0), text(row, 1), text(row, 2)});
  }
  return ok();
}

}  // namespace

Result<Inspection> inspect(Connection& connection) {
  Inspection out;
  out.host = connection.host();
  out.port = connection.port();
  out.user = connection.user();
  out.database = connection.database();
  out.tls = connection.uses_tls();
  POSTERN_TRY(connection.run(kBegin));
  POSTERN_ASSIGN(const Rows server, connection.query(kServerSql));
  out.version = text(server.at(0), 0);
  out.is_replica = text(server.at(0), 1) == "t";
  POSTERN_TRY(read_tables(connection, text(server.at(0), 2), out));
  POSTERN_TRY(read_cluster(connection, out));
  POSTERN_TRY(connection.run("ROLLBACK"));
  return out;
}

}  // namespace postern::schema
