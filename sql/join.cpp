// Resolver: joins. As in PostgreSQL, a join without alias leaves its sides nameable (t.column) and
// offers their columns itself: with USING or NATURAL, shared columns first and only once.
#include <algorithm>

#include "sql/resolver.hpp"

namespace postern::sql {

namespace {

bool is_visible_column(std::span<const RangeItem> side, std::string_view name) {
  return std::any_of(side.begin(), side.end(), [&](const RangeItem& item) {
    return item.columns_visible && item.find(name).second > 0;
  });
}

}  // namespace

std::vector<RangeItem> Resolver::from_join(const PgQuery__JoinExpr* join, Level& level) {
  std::vector<RangeItem> left = from_item(join->larg, level);
  const std::size_t before = level.items.size();
  level.items.insert(level.items.end(), left.begin(), left.end());  // for LATERAL on the right
  std::vector<RangeItem> right = from_item(join->rarg, level);
  level.items.resize(before);

  std::vector<NamedValue> merged;
  for (std::string_view name : join_columns(join, left, right)) {
    merged.push_back(merged_column(name, join, left, right));
  }
  std::vector<RangeItem> both(left);
  both.insert(both.end(), right.begin(), right.end());
  if (join->quals != nullptr) {
    Level inside;  // ON sees both sides and outer queries, not other items of the same FROM
    inside.outer_columns = level.outer_columns;
    inside.outer_tables = &level;
    inside.items = both;
    consumed(join->quals, inside);
  }
  if (join->alias == nullptr && merged.empty()) return both;

  RangeItem whole = join_item(join, std::move(merged), left, right);
  for (RangeItem& item : both) {
    item.columns_visible = false;
    if (join->alias != nullptr) item.relation_visible = false;
  }
  both.push_back(std::move(whole));
  return both;
}

/// The columns of USING (...), or those that NATURAL finds on both sides.
std::vector<std::string_view> Resolver::join_columns(const PgQuery__JoinExpr* join,
                                                     std::span<const RangeItem> left,
                                                     std::span<const RangeItem> right) {
  std::vector<std::string_view> names;
  for (const ast::Node* name : POSTERN_LIST(join, using_clause)) names.push_back(ast::str(name));
  if (!join->is_natural) return names;
  for (const RangeItem& item : left) {
    if (!item.columns_visible) continue;
    if (item.open) fail("NATURAL join with a function");
    for (std::size_t i = 0; i < item.size(); ++i) {
      if (is_visible_column(right, item.name(i))) names.push_back(item.name(i));
    }
  }
  for (const RangeItem& item : right) {
    if (item.columns_visible && item.open) fail("NATURAL join with a function");
  }
  return names;
}

Value Resolver::join_side(std::string_view name, std::span<const RangeItem> side) {
  for (const RangeItem& item : side) {
    if (!item.columns_visible) continue;
    const auto [index, hits] = item.find(name);
    if (hits > 1) fail("ambiguous column " + std::string(name));
    if (hits > 0) return column_of(item, index, out_.span.begin);
  }
  for (const RangeItem& item : side) {
    if (item.columns_visible && item.open) return item.open_value;
  }
  fail("unknown column " + std::string(name) + " in USING");
  return {};
}

/// The shared column: compared, and standing for both sides.
NamedValue Resolver::merged_column(std::string_view name, const PgQuery__JoinExpr* join,
                                   std::span<const RangeItem> left,
                                   std::span<const RangeItem> right) {
  const Value from_left = join_side(name, left);
  const Value from_right = join_side(name, right);
  add_operators({}, from_left, from_right);
  compare(from_left, from_right, comparison_of({}, from_left, from_right));
  Value value;
  const bool same_type = from_left.type == from_right.type;
  switch (join->jointype) {
    case PG_QUERY__JOIN_TYPE__JOIN_INNER:
    case PG_QUERY__JOIN_TYPE__JOIN_LEFT:
      value = from_left;
      break;
    case PG_QUERY__JOIN_TYPE__JOIN_RIGHT:
      value = from_right;
      break;
    default:  // FULL: whichever side is present
      consume(from_left);
      consume(from_right);
      value.absorb(from_left);
      value.absorb(from_right);
  }
  if (!same_type) value.type = kInvalidOid;  // the common one of both
  return {name, value};
}

RangeItem Resolver::join_item(const PgQuery__JoinExpr* join, std::vector<NamedValue> merged,
                              std::span<const RangeItem> left, std::span<const RangeItem> right) {
  RangeItem whole;
  whole.relation_visible = join->alias != nullptr || join->join_using_alias != nullptr;
  const std::vector<NamedValue> shared = merged;
  const auto is_shared = [&](std::string_view name) {
    return std::any_of(shared.begin(), shared.end(),
                       [&](const NamedValue& column) { return column.name == name; });
  };
  whole.columns = std::move(merged);
  for (const auto& side : {left, right}) {
    for (const RangeItem& item : side) {
      if (!item.columns_visible) continue;
      if (item.open) whole.open = true, whole.open_value.absorb(item.open_value);
      if (!item.countable) whole.countable = false;
      for (std::size_t i = 0; i < item.size(); ++i) {
        if (is_shared(item.name(i))) continue;
        whole.columns.push_back({item.name(i), item.value(i, out_.span.begin)});
      }
    }
  }
  if (join->join_using_alias != nullptr) whole.alias = ast::text(join->join_using_alias->aliasname);
  rename(whole, join->alias);
  return whole;
}

}  // namespace postern::sql
