#include "proxy/keeper/snapshot.hpp"

#include <algorithm>
#include <array>
#include <sstream>
#include <utility>

#include "base/codes/pool.hpp"
#include "proxy/catalog/catalog_source.hpp"

namespace postern::proxy {
namespace {

constexpr std::string_view kUndefinedTable = "42P01";
constexpr std::string_view kInvalidSchema = "3F000";

Error unreadable(const Error& cause) {
  const bool final_already =
      cause.code == pst::kUnknownDatabase || cause.code == pst::kCatalogUnreadable;
  return final_already ? cause : make_error(pst::kCatalogUnreadable, cause.line());
}

Result<std::string> single_value(const Rows& rows) {
  if (rows.size() != 1 || rows.front().size() != 1 || !rows.front().front()) {
    return make_error(pst::kCatalogUnreadable, "the fingerprint is not one value");
  }
  return *rows.front().front();
}

// Runs the statements of one snapshot inside the transaction already begun.
Task<Result<CatalogSnapshot>> read_parts(ServiceConnection* connection, std::uint64_t epoch) {
  std::string text(catalog_fingerprint_sql());
  const Result<Rows> mark = co_await connection->query_same(std::move(text));
  if (!mark) co_return mark.error();
  Result<std::string> fingerprint = single_value(*mark);
  if (!fingerprint) co_return fingerprint.error();
  std::array<Rows, kCatalogParts> parts;
  for (std::size_t i = 0; i < kCatalogParts; ++i) {
    std::string part(catalog_sql(static_cast<CatalogPart>(i)));
    Result<Rows> rows = co_await connection->query_same(std::move(part));
    if (!rows) co_return rows.error();
    parts[i] = std::move(*rows);
  }
  auto catalog = build_catalog(parts, epoch);
  if (!catalog) co_return catalog.error();
  co_return CatalogSnapshot{std::move(*fingerprint), std::move(*catalog)};
}

Result<std::vector<policy::WallRow>> wall_rows(const Rows& rows) {
  constexpr std::size_t kColumns = 4;
  std::vector<policy::WallRow> out;
  out.reserve(rows.size());
  for (const Row& row : rows) {
    const bool whole = row.size() == kColumns &&
                       std::all_of(row.begin(), row.end(), [](const auto& v) { return v; });
    if (!whole) return make_error(pst::kCatalogUnreadable, "a row of the wall's verification");
    out.push_back({*row[0], *row[1], *row[2], *row[3]});
  }
  return out;
}

void drop_absent_roles(policy::WallOptions& options, const std::vector<policy::WallRow>& rows) {
  std::erase_if(options.app_roles, [&](const std::string& role) {
    return std::none_of(rows.begin(), rows.end(), [&](const policy::WallRow& row) {
      return row.section == "role" && row.object == role;
    });
  });
}

}  // namespace

Task<Result<CatalogSnapshot>> read_snapshot(ServiceConnection* connection, std::uint64_t epoch) {
  std::string begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
  const Result<Rows> begun = co_await connection->query(std::move(begin));
  if (!begun) co_return unreadable(begun.error());
  Result<CatalogSnapshot> snapshot = co_await read_parts(connection, epoch);
  if (!snapshot) {
    connection->close();
    co_return unreadable(snapshot.error());
  }
  std::string commit = "COMMIT";
  const Result<Rows> committed = co_await connection->query_same(std::move(commit));
  if (!committed) connection->close();  // what was read is good all the same
  co_return snapshot;
}

Task<Result<std::string>> read_fingerprint(ServiceConnection* connection) {
  std::string text(catalog_fingerprint_sql());
  const Result<Rows> rows = co_await connection->query(std::move(text));
  if (!rows) co_return unreadable(rows.error());
  co_return single_value(*rows);
}

Task<Result<std::vector<policy::WallDifference>>> read_wall(
    ServiceConnection* connection, std::shared_ptr<const policy::Ruleset> rules,
    policy::WallOptions options) {
  std::string text = policy::wall_verify_sql(*rules, options);
  const Result<Rows> rows = co_await connection->query(std::move(text));
  if (!rows) {
    const std::string_view state = upstream_sqlstate(rows.error());
    if (state != kUndefinedTable && state != kInvalidSchema) co_return unreadable(rows.error());
    std::vector<policy::WallDifference> absent;
    absent.push_back({"postern", "the wall is not installed", "-- run: postern policy apply"});
    co_return absent;
  }
  const auto read = wall_rows(*rows);
  if (!read) co_return read.error();
  drop_absent_roles(options, *read);
  co_return policy::verify_wall(*rules, options, *read);
}

Task<Result<NodeWall>> read_node_wall(ServiceConnection* connection,
                                      std::shared_ptr<const policy::Ruleset> rules,
                                      policy::WallOptions options) {
  // Where tenants have schemas nothing is signed.
  const std::string keys_sql = rules->options.schemas ? "''" : std::string(policy::kGuardKeysSql);
  std::string text = "SELECT (" + policy::wall_hash_sql(*rules, options) + "), (" + keys_sql + ")";
  const Result<Rows> rows = co_await connection->query(std::move(text));
  if (!rows) co_return unreadable(rows.error());
  const bool whole = rows->size() == 1 && rows->front().size() == 2 && rows->front()[0];
  if (!whole) co_return make_error(pst::kCatalogUnreadable, "the wall in short");
  NodeWall out{*rows->front()[0], {}};
  std::istringstream keys(rows->front()[1].value_or(""));
  for (std::string entry; std::getline(keys, entry, ',');) {
    out.guard_keys.push_back(entry.substr(0, entry.find(' ')));
  }
  co_return out;
}

}  // namespace postern::proxy
