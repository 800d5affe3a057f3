#include "sql/resolver.hpp"

#include <algorithm>

#include "sql/analyzer.hpp"
#include "sql/effects.hpp"

namespace postern::sql {

namespace {

void insert_sorted(std::vector<std::int16_t>& set, std::int16_t value) {
  const auto at = std::lower_bound(set.begin(), set.end(), value);
  if (at == set.end() || *at != value) set.insert(at, value);
}

void all_columns(const Relation& relation, std::vector<std::int16_t>& set) {
  for (const Column& column : relation.columns) insert_sorted(set, column.attnum);
}

bool is_system_schema(std::string_view schema) {
  return schema == "pg_catalog" || schema == "information_schema";
}

}  // namespace

/// The first reason stays: it is the most precise one.
void Resolver::fail(std::string reason, std::int64_t position) {
  if (out_.opaque) return;
  const std::uint32_t at = position < 0 ? out_.span.begin : static_cast<std::uint32_t>(position);
  out_.opaque = Opaque{std::move(reason), at};
}

void Resolver::use_column(ColumnRef column, Use what, std::uint32_t position) {
  out_.uses.push_back({column, what, std::nullopt, position});
}

/// Records the use of a bare column; of every field of a row.
void Resolver::use(const Value& value, Use what) {
  if (value.column) use_column(*value.column, what, value.position);
  for (const Value& field : value.row) use(field, what);
}

void Resolver::use_with(const Value& value, Use what, ColumnRef other) {
  if (value.column) out_.uses.push_back({*value.column, what, other, value.position});
}

RelationUse& Resolver::relation_use(Oid oid, Oid via) {
  for (RelationUse& known : out_.relations) {
    if (known.oid == oid && known.via == via) return known;
  }
  RelationUse& added = out_.relations.emplace_back();
  added.oid = oid;
  added.via = via;
  return added;
}

void Resolver::mark_read(ColumnRef column) {
  RelationUse& relation = relation_use(column.relation);
  relation.read = true;
  insert_sorted(relation.columns_read, column.attnum);
}

void Resolver::mark_written(const Relation& relation, std::int16_t attnum) {
  RelationUse& written = relation_use(relation.oid);
  written.written = true;
  insert_sorted(written.columns_written, attnum);
}

/// What a view reads (or passes writes to) is listed in full: its own text is not analysed.
void Resolver::view_dependencies(const Relation& view, bool written) {
  for (Oid oid : view.depends_on) {
    const Relation* base = context_.catalog->relation(oid);
    RelationUse& below = relation_use(oid, view.oid);
    below.read = true;
    below.written = below.written || written;
    if (base == nullptr) {
      fail("a relation below view " + view.qualified() + " is unknown");
      continue;
    }
    all_columns(*base, below.columns_read);
    if (written) all_columns(*base, below.columns_written);
    if (is_system_schema(base->schema)) out_.reads_catalog = true;
  }
  for (Oid oid : view.depends_routines) add_routine(oid);
}

/// nullptr and an opaque statement where the name means nothing we know.
const Relation* Resolver::find_relation(const ast::RangeVar* range) {
  const std::string_view schema = ast::text(range->schemaname);
  const std::string_view name = ast::text(range->relname);
  if (context_.catalog == nullptr) {
    fail("the catalog is not loaded", range->location);
    return nullptr;
  }
  const Relation* found = schema.empty() ? context_.catalog->resolve(name, context_.search_path)
                                         : context_.catalog->relation(schema, name);
  if (found == nullptr) {
    const std::string prefix = schema.empty() ? "" : std::string(schema) + ".";
    fail("unknown relation " + prefix + std::string(name), range->location);
    return nullptr;
  }
  if (is_system_schema(found->schema)) out_.reads_catalog = true;
  return found;
}

void Resolver::add_routine(Oid oid) {
  out_.routines.push_back(oid);
}

void Resolver::finish() {
  std::sort(out_.routines.begin(), out_.routines.end());
  out_.routines.erase(std::unique(out_.routines.begin(), out_.routines.end()), out_.routines.end());
  std::sort(out_.literals.begin(), out_.literals.end(),
            [](const Literal& a, const Literal& b) { return a.span.begin < b.span.begin; });
  std::sort(out_.params.begin(), out_.params.end(),
            [](const Param& a, const Param& b) { return a.span.begin < b.span.begin; });
  for (const RelationUse& relation : out_.relations) {
    if (!relation.written || context_.catalog == nullptr) continue;
    const Relation* target = context_.catalog->relation(relation.oid);
    if (target == nullptr || acts_on_its_own(*context_.catalog, *target)) out_.writes_beyond = true;
    // A write to pg_settings or another system view can change the session.
    if (target != nullptr && is_system_schema(target->schema)) {
      add_session(SessionEffect::kSetting | SessionEffect::kUnknown);
    }
  }
}

void Resolver::statement(const ast::Node* node) {
  if (!query_statement(node) && !utility_statement(node) && !session_statement(node) &&
      !ddl_statement(node)) {
    out_.kind = StatementKind::kOther;
    fail("statement of an unsupported kind");
  }
  finish();
}

}  // namespace postern::sql
