#include "sql/catalog.hpp"

#include <algorithm>
#include <utility>

namespace postern::sql {

namespace {

constexpr std::string_view kPgCatalog = "pg_catalog";

std::string name_key(std::string_view schema, std::string_view name) {
  std::string key;
  key.reserve(schema.size() + name.size() + 1);
  key.append(schema).push_back('\0');
  return key.append(name);
}

bool lists(std::span<const std::string> search_path, std::string_view schema) {
  return std::find(search_path.begin(), search_path.end(), schema) != search_path.end();
}

/// Overloads of `names[name]` that live in `schema`, or in any schema of the path if it is empty.
template <typename T>
std::vector<const T*> overloads(const std::unordered_map<std::string, std::vector<Oid>>& names,
                                const std::unordered_map<Oid, T>& objects, std::string_view schema,
                                std::pair<std::string_view, std::span<const std::string>> wanted) {
  std::vector<const T*> found;
  const auto entry = names.find(std::string(wanted.first));
  if (entry == names.end()) return found;
  for (Oid oid : entry->second) {
    const T& object = objects.at(oid);
    const bool visible = schema.empty()
                             ? object.schema == kPgCatalog || lists(wanted.second, object.schema)
                             : object.schema == schema;
    if (visible) found.push_back(&object);
  }
  return found;
}

template <typename T>
const T* find_oid(const std::unordered_map<Oid, T>& objects, Oid oid) {
  const auto entry = objects.find(oid);
  return entry == objects.end() ? nullptr : &entry->second;
}

}  // namespace

const Column* Relation::column(std::string_view column_name) const {
  for (const Column& c : columns) {
    if (c.name == column_name) return &c;
  }
  return nullptr;
}

const Column* Relation::column(std::int16_t attnum) const {
  for (const Column& c : columns) {
    if (c.attnum == attnum) return &c;
  }
  return nullptr;
}

const Relation* Catalog::relation(Oid oid) const {
  return find_oid(relations_, oid);
}

const Relation* Catalog::relation(std::string_view schema, std::string_view name) const {
  const auto entry = relation_names_.find(name_key(schema, name));
  return entry == relation_names_.end() ? nullptr : relation(entry->second);
}

const Relation* Catalog::resolve(std::string_view name,
                                 std::span<const std::string> search_path) const {
  if (!lists(search_path, kPgCatalog)) {
    if (const Relation* found = relation(kPgCatalog, name)) return found;
  }
  for (const std::string& schema : search_path) {
    if (const Relation* found = relation(schema, name)) return found;
  }
  return nullptr;
}

const Routine* Catalog::routine(Oid oid) const {
  return find_oid(routines_, oid);
}

std::vector<const Routine*> Catalog::routines(std::string_view schema, std::string_view name,
                                              std::span<const std::string> search_path) const {
  return overloads(routine_names_, routines_, schema, {name, search_path});
}

std::vector<const Operator*> Catalog::operators(std::string_view schema, std::string_view name,
                                                std::span<const std::string> search_path) const {
  return overloads(operator_names_, operators_, schema, {name, search_path});
}

const Cast* Catalog::cast(Oid source, Oid target) const {
  const auto found = casts_.find(std::uint64_t{source} << 32 | target);
  return found == casts_.end() ? nullptr : &found->second;
}

std::span<const Oid> Catalog::cast_routines(Oid target) const {
  const auto found = cast_routines_.find(target);
  return found == cast_routines_.end() ? std::span<const Oid>() : found->second;
}

const Type* Catalog::type(Oid oid) const {
  return find_oid(types_, oid);
}

const Type* Catalog::type(std::string_view schema, std::string_view name) const {
  const auto entry = type_names_.find(name_key(schema, name));
  return entry == type_names_.end() ? nullptr : type(entry->second);
}

const Type* Catalog::resolve_type(std::string_view name,
                                  std::span<const std::string> search_path) const {
  if (!lists(search_path, kPgCatalog)) {
    if (const Type* found = type(kPgCatalog, name)) return found;
  }
  for (const std::string& schema : search_path) {
    if (const Type* found = type(schema, name)) return found;
  }
  return nullptr;
}

CatalogBuilder& CatalogBuilder::add(Relation relation) {
  catalog_.relation_names_[name_key(relation.schema, relation.name)] = relation.oid;
  std::sort(relation.columns.begin(), relation.columns.end(),
            [](const Column& a, const Column& b) { return a.attnum < b.attnum; });
  const Oid oid = relation.oid;
  catalog_.relations_.insert_or_assign(oid, std::move(relation));
  return *this;
}

CatalogBuilder& CatalogBuilder::add(Routine routine) {
  catalog_.routine_names_[routine.name].push_back(routine.oid);
  const Oid oid = routine.oid;
  catalog_.code_moves_path_ = catalog_.code_moves_path_ || routine.moves_path;
  catalog_.routines_.insert_or_assign(oid, std::move(routine));
  return *this;
}

CatalogBuilder& CatalogBuilder::add(Operator op) {
  catalog_.operator_names_[op.name].push_back(op.oid);
  const Oid oid = op.oid;
  catalog_.operators_.insert_or_assign(oid, std::move(op));
  return *this;
}

CatalogBuilder& CatalogBuilder::add(Type type) {
  catalog_.type_names_[name_key(type.schema, type.name)] = type.oid;
  const Oid oid = type.oid;
  catalog_.types_.insert_or_assign(oid, std::move(type));
  return *this;
}

CatalogBuilder& CatalogBuilder::add(Cast cast) {
  if (cast.routine != kInvalidOid) catalog_.cast_routines_[cast.target].push_back(cast.routine);
  catalog_.casts_.insert_or_assign(std::uint64_t{cast.source} << 32 | cast.target, cast);
  return *this;
}

CatalogBuilder& CatalogBuilder::database_oid(Oid oid) {
  catalog_.database_oid_ = oid;
  return *this;
}

std::shared_ptr<const Catalog> CatalogBuilder::freeze(std::uint64_t epoch) {
  catalog_.epoch_ = epoch;
  std::vector<std::pair<Oid, Oid>> links;
  for (const auto& [oid, relation] : catalog_.relations_) {
    for (Oid parent : relation.parents) links.emplace_back(parent, oid);
  }
  std::sort(links.begin(), links.end());
  for (const auto& [parent, child] : links) {
    const auto entry = catalog_.relations_.find(parent);
    if (entry == catalog_.relations_.end()) continue;
    std::vector<Oid>& children = entry->second.children;
    if (std::find(children.begin(), children.end(), child) == children.end()) {
      children.push_back(child);
    }
  }
  return std::make_shared<const Catalog>(std::exchange(catalog_, Catalog{}));
}

}  // namespace postern::sql
