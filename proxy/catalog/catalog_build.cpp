#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <utility>

#include "base/bytes.hpp"
#include "base/codes/pool.hpp"
#include "proxy/catalog/catalog_source.hpp"

namespace postern::proxy {
namespace {

using sql::Relation;

// Reads one row's columns in order; a value of the wrong form makes the whole row bad, which is
// checked once at its end.
class RowReader {
 public:
  explicit RowReader(const Row& row) : row_(row) {}

  std::string text() {
    const auto* value = next();
    return value != nullptr ? *value : std::string();
  }
  char letter() {
    const auto* value = next();
    if (value == nullptr || value->size() != 1) return fail(), '\0';
    return value->front();
  }
  bool boolean() { return letter() == 't'; }
  template <typename T>
  T number() {
    const auto* value = next();
    T result{};
    if (value == nullptr || !parse(*value, result)) fail();
    return result;
  }
  template <typename T>
  std::vector<T> numbers() {
    std::vector<T> result;
    const std::string list = text();
    for (const std::string_view item : items(list)) {
      if (!parse(item, result.emplace_back())) fail();
    }
    return result;
  }
  /// "oid:name in hexadecimal,...".
  std::vector<sql::NamedType> named_types() {
    std::vector<sql::NamedType> result;
    const std::string list = text();
    for (const std::string_view item : items(list)) {
      const std::size_t colon = std::min(item.find(':'), item.size() - 1);
      sql::NamedType& type = result.emplace_back();
      const auto name = from_hex(item.substr(colon + 1));
      if (!name || !parse(item.substr(0, colon), type.type)) return fail(), result;
      type.name.assign(name->begin(), name->end());
    }
    return result;
  }
  /// Every value had its form and none is left over.
  [[nodiscard]] bool complete() const { return good_ && index_ == row_.size(); }

 private:
  template <typename T>
  static bool parse(std::string_view s, T& out) {
    const auto [end, ec] = std::from_chars(s.data(), s.data() + s.size(), out);
    return ec == std::errc{} && end == s.data() + s.size();
  }
  static std::vector<std::string_view> items(std::string_view list) {
    std::vector<std::string_view> result;
    for (std::size_t begin = 0; begin < list.size();) {
      const std::size_t end = std::min(list.find(',', begin), list.size());
      result.push_back(list.substr(begin, end - begin));
      begin = end + 1;
    }
    return result;
  }
  const std::string* next() {
    if (index_ >= row_.size() || !row_[index_]) return fail(), nullptr;
    return &*row_[index_++];
  }
  void fail() { good_ = false; }

  const Row& row_;
  std::size_t index_ = 0;
  bool good_ = true;
};

using Relations = std::map<Oid, Relation>;

Error unreadable(const char* what) {
  return make_error(pst::kCatalogUnreadable, what);
}

Status read_relations(const Rows& rows, Relations& relations) {
  for (const Row& row : rows) {
    RowReader in(row);
    Relation r;
    r.oid = in.number<Oid>();
    r.schema = in.text();
    r.name = in.text();
    r.kind = static_cast<sql::RelationKind>(in.letter());
    r.persistence = static_cast<sql::Persistence>(in.letter());
    r.owner = in.text();
    r.row_security = in.boolean();
    r.force_row_security = in.boolean();
    r.has_triggers = in.boolean();
    r.has_rules = in.boolean();
    r.security_invoker = in.boolean();
    if (!in.complete()) return unreadable("relations");
    relations.emplace(r.oid, std::move(r));
  }
  return ok();
}

Status read_columns(const Rows& rows, Relations& relations) {
  for (const Row& row : rows) {
    RowReader in(row);
    const auto owner = relations.find(in.number<Oid>());
    sql::Column c;
    c.name = in.text();
    c.attnum = in.number<std::int16_t>();
    c.type = in.number<Oid>();
    c.typmod = in.number<std::int32_t>();
    c.not_null = in.boolean();
    c.has_default = in.boolean();
    c.generated = in.boolean();
    if (!in.complete()) return unreadable("columns");
    if (owner != relations.end()) owner->second.columns.push_back(std::move(c));
  }
  return ok();
}

Status read_inheritance(const Rows& rows, Relations& relations) {
  for (const Row& row : rows) {
    RowReader in(row);
    const auto child = relations.find(in.number<Oid>());
    const auto parent = in.number<Oid>();
    if (!in.complete()) return unreadable("inheritance");
    // Partitioned indexes stand in pg_inherits too; they are not in the snapshot.
    if (child != relations.end()) child->second.parents.push_back(parent);
  }
  return ok();
}

Status read_foreign_keys(const Rows& rows, Relations& relations) {
  for (const Row& row : rows) {
    RowReader in(row);
    const auto owner = relations.find(in.number<Oid>());
    sql::ForeignKey key;
    key.referenced = in.number<Oid>();
    key.columns = in.numbers<std::int16_t>();
    key.referenced_columns = in.numbers<std::int16_t>();
    key.on_delete = in.letter();
    key.on_update = in.letter();
    if (!in.complete()) return unreadable("foreign keys");
    if (owner != relations.end()) owner->second.foreign_keys.push_back(std::move(key));
  }
  return ok();
}

Status read_unique_keys(const Rows& rows, Relations& relations) {
  for (const Row& row : rows) {
    RowReader in(row);
    const auto owner = relations.find(in.number<Oid>());
    sql::UniqueKey key;
    key.columns = in.numbers<std::int16_t>();
    key.primary = in.boolean();
    if (!in.complete()) return unreadable("unique keys");
    if (owner != relations.end()) owner->second.keys.push_back(std::move(key));
  }
  return ok();
}

Status read_policies(const Rows& rows, Relations& relations) {
  for (const Row& row : rows) {
    RowReader in(row);
    const auto owner = relations.find(in.number<Oid>());
    sql::RowPolicy policy;
    policy.name = in.text();
    policy.permissive = in.boolean();
    policy.command = in.letter();
    policy.using_text = in.text();
    policy.check_text = in.text();
    if (!in.complete()) return unreadable("policies");
    if (owner != relations.end()) owner->second.policies.push_back(std::move(policy));
  }
  return ok();
}

Status read_policy_dependencies(const Rows& rows, Relations& relations) {
  for (const Row& row : rows) {
    RowReader in(row);
    const auto owner = relations.find(in.number<Oid>());
    const std::string name = in.text();
    const char kind = in.letter();
    const auto used = in.number<Oid>();
    if (!in.complete()) return unreadable("policy dependencies");
    if (owner == relations.end()) continue;
    for (sql::RowPolicy& policy : owner->second.policies) {
      if (policy.name != name) continue;
      (kind == 'r' ? policy.reads : policy.calls).push_back(used);
    }
  }
  return ok();
}

// Adds everything `view` reads, through views of views, and the routines called on the way.
void close_over(const Relations& direct, Oid view, Relation& target, std::set<Oid>& seen) {
  const auto it = direct.find(view);
  if (it == direct.end()) return;
  for (const Oid routine : it->second.depends_routines) {
    if (std::find(target.depends_routines.begin(), target.depends_routines.end(), routine) ==
        target.depends_routines.end()) {
      target.depends_routines.push_back(routine);
    }
  }
  for (const Oid read : it->second.depends_on) {
    if (!seen.insert(read).second) continue;
    target.depends_on.push_back(read);
    close_over(direct, read, target, seen);
  }
}

Status read_view_dependencies(const Rows& rows, Relations& relations) {
  Relations direct;
  for (const Row& row : rows) {
    RowReader in(row);
    const auto view = in.number<Oid>();
    const char kind = in.letter();
    const auto used = in.number<Oid>();
    if (!in.complete()) return unreadable("view dependencies");
    Relation& entry = direct[view];
    (kind == 'r' ? entry.depends_on : entry.depends_routines).push_back(used);
  }
  for (const auto& [view, unused] : direct) {
    const auto target = relations.find(view);
    if (target == relations.end()) continue;
    std::set<Oid> seen{view};
    close_over(direct, view, target->second, seen);
  }
  return ok();
}

Status read_routines(const Rows& rows, sql::CatalogBuilder& builder) {
  for (const Row& row : rows) {
    RowReader in(row);
    sql::Routine r;
    r.oid = in.number<Oid>();
    r.schema = in.text();
    r.name = in.text();
    r.kind = in.letter();
    r.volatility = in.letter();
    r.parallel = in.letter();
    r.security_definer = in.boolean();
    r.native = in.boolean();
    r.extension = in.text();
    const auto args = in.number<std::int16_t>();
    const auto defaults = in.number<std::int16_t>();
    const bool variadic = in.boolean();
    r.return_type = in.number<Oid>();
    r.returns_set = in.boolean();
    r.arguments = in.numbers<Oid>();
    r.outputs = in.named_types();
    r.moves_path = in.boolean();
    if (!in.complete()) return unreadable("routines");
    // A variadic routine may be called without its last argument's elements.
    r.min_args = static_cast<std::int16_t>(args - defaults - (variadic ? 1 : 0));
    r.max_args = variadic ? std::int16_t{-1} : args;
    builder.add(std::move(r));
  }
  return ok();
}

Status read_operators(const Rows& rows, sql::CatalogBuilder& builder) {
  for (const Row& row : rows) {
    RowReader in(row);
    sql::Operator op;
    op.oid = in.number<Oid>();
    op.schema = in.text();
    op.name = in.text();
    op.left = in.number<Oid>();
    op.right = in.number<Oid>();
    op.routine = in.number<Oid>();
    if (!in.complete()) return unreadable("operators");
    builder.add(std::move(op));
  }
  return ok();
}

Status read_casts(const Rows& rows, sql::CatalogBuilder& builder) {
  for (const Row& row : rows) {
    RowReader in(row);
    sql::Cast cast;
    cast.source = in.number<Oid>();
    cast.target = in.number<Oid>();
    cast.routine = in.number<Oid>();
    cast.context = in.letter();
    if (!in.complete()) return unreadable("casts");
    builder.add(cast);
  }
  return ok();
}

Status read_write_routines(const Rows& rows, Relations& relations) {
  for (const Row& row : rows) {
    RowReader in(row);
    const auto owner = relations.find(in.number<Oid>());
    const auto routine = in.number<Oid>();
    if (!in.complete()) return unreadable("routines of defaults and checks");
    if (owner != relations.end()) owner->second.write_routines.push_back(routine);
  }
  return ok();
}

Status read_types(const Rows& rows, sql::CatalogBuilder& builder) {
  for (const Row& row : rows) {
    RowReader in(row);
    sql::Type type;
    type.oid = in.number<Oid>();
    type.schema = in.text();
    type.name = in.text();
    type.kind = in.letter();
    type.base = in.number<Oid>();
    type.element = in.number<Oid>();
    type.array = in.number<Oid>();
    if (!in.complete()) return unreadable("types");
    builder.add(std::move(type));
  }
  return ok();
}

}  // namespace

Result<std::shared_ptr<const sql::Catalog>> build_catalog(
    const std::array<Rows, kCatalogParts>& parts, std::uint64_t epoch) {
  const auto part = [&](CatalogPart p) -> const Rows& {
    return parts[static_cast<std::size_t>(p)];
  };
  Relations relations;
  POSTERN_TRY(read_relations(part(CatalogPart::kRelations), relations));
  POSTERN_TRY(read_columns(part(CatalogPart::kColumns), relations));
  POSTERN_TRY(read_inheritance(part(CatalogPart::kInheritance), relations));
  POSTERN_TRY(read_foreign_keys(part(CatalogPart::kForeignKeys), relations));
  POSTERN_TRY(read_unique_keys(part(CatalogPart::kUniqueKeys), relations));
  POSTERN_TRY(read_policies(part(CatalogPart::kPolicies), relations));
  POSTERN_TRY(read_policy_dependencies(part(CatalogPart::kPolicyDependencies), relations));
  POSTERN_TRY(read_view_dependencies(part(CatalogPart::kViewDependencies), relations));

  POSTERN_TRY(read_write_routines(part(CatalogPart::kWriteRoutines), relations));

  sql::CatalogBuilder builder;
  const Rows& database = part(CatalogPart::kDatabase);
  if (database.size() != 1) return unreadable("database");
  RowReader in(database.front());
  builder.database_oid(in.number<Oid>());
  if (!in.complete()) return unreadable("database");
  for (auto& [oid, relation] : relations) builder.add(std::move(relation));
  POSTERN_TRY(read_routines(part(CatalogPart::kRoutines), builder));
  POSTERN_TRY(read_operators(part(CatalogPart::kOperators), builder));
  POSTERN_TRY(read_types(part(CatalogPart::kTypes), builder));
  POSTERN_TRY(read_casts(part(CatalogPart::kCasts), builder));
  return builder.freeze(epoch);
}

}  // namespace postern::proxy
