// An immutable snapshot of one database's catalog, as far as analysis and policy need it.
//
// Built by CatalogBuilder (proxy/catalog feeds it rows from a service connection; tests feed it
// rows of their own), then frozen behind `std::shared_ptr<const Catalog>` and shared by all
// workers. Thread-safe: nothing in a frozen Catalog changes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ids.hpp"

namespace postern::sql {

/// pg_class.relkind.
enum class RelationKind : char {
  kTable = 'r',
  kPartitionedTable = 'p',
  kView = 'v',
  kMaterializedView = 'm',
  kForeignTable = 'f',
  kSequence = 'S',
  kIndex = 'i',
  kPartitionedIndex = 'I',
  kComposite = 'c',
  kToast = 't',
};

/// pg_class.relpersistence.
enum class Persistence : char { kPermanent = 'p', kUnlogged = 'u', kTemporary = 't' };

struct Column {
  std::string name;
  std::int16_t attnum = 0;  ///< 1-based; dropped columns are absent
  Oid type = kInvalidOid;   ///< as declared (a domain's oid, not its base)
  std::int32_t typmod = -1;
  bool not_null = false;
  bool has_default = false;
  bool generated = false;  ///< GENERATED ALWAYS AS (...) STORED
};

struct ForeignKey {
  Oid referenced = kInvalidOid;
  std::vector<std::int16_t> columns;
  std::vector<std::int16_t> referenced_columns;
  char on_delete = 'a';  ///< pg_constraint.confdeltype
  char on_update = 'a';  ///< pg_constraint.confupdtype
};

/// A unique or primary key (constraint or plain unique index without expressions).
struct UniqueKey {
  std::vector<std::int16_t> columns;
  bool primary = false;
};

struct RowPolicy {
  std::string name;
  bool permissive = true;
  char command = '*';      ///< pg_policy.polcmd
  std::string using_text;  ///< pg_get_expr, empty if none
  std::string check_text;
  std::vector<Oid> reads = {};  ///< relations its expressions read
  std::vector<Oid> calls = {};  ///< functions that USING calls
};

struct Relation {
  Oid oid = kInvalidOid;
  std::string schema;
  std::string name;
  RelationKind kind = RelationKind::kTable;
  Persistence persistence = Persistence::kPermanent;
  std::string owner;            ///< role name
  std::vector<Column> columns;  ///< ascending attnum
  std::vector<Oid> parents;     ///< partition parent or inheritance parents
  std::vector<Oid> children;
  std::vector<ForeignKey> foreign_keys;
  std::vector<UniqueKey> keys;
  std::vector<RowPolicy> policies;
  std::vector<Oid> depends_on;        ///< relations a view or matview reads, transitively closed
  std::vector<Oid> depends_routines;  ///< functions a view calls, through views of views
  /// Functions that run when a row is written: called by defaults, generated columns and checks.
  std::vector<Oid> write_routines;
  bool row_security = false;
  bool force_row_security = false;
  bool has_triggers = false;      ///< user triggers only
  bool has_rules = false;         ///< rewrite rules other than a view's _RETURN
  bool security_invoker = false;  ///< view option

  [[nodiscard]] const Column* column(std::string_view column_name) const;
  [[nodiscard]] const Column* column(std::int16_t attnum) const;
  /// "schema.name".
  [[nodiscard]] std::string qualified() const { return schema + "." + name; }
};

struct NamedType {
  std::string name;  ///< empty where it has none
  Oid type = kInvalidOid;
};

struct Routine {
  Oid oid = kInvalidOid;
  std::string schema;
  std::string name;
  char kind = 'f';        ///< pg_proc.prokind: f p a w
  char volatility = 'v';  ///< i s v
  char parallel = 'u';    ///< s r u
  bool security_definer = false;
  bool native = false;    ///< written in C, or the server's own
  std::string extension;  ///< that it is a member of; empty: of none
  /// Its code may change search_path: nothing in it says that it does not.
  bool moves_path = false;
  std::int16_t min_args = 0;
  std::int16_t max_args = 0;  ///< -1 = variadic
  Oid return_type = kInvalidOid;
  bool returns_set = false;
  std::vector<Oid> arguments;      ///< types of the input arguments; the last may be variadic
  std::vector<NamedType> outputs;  ///< OUT, INOUT and TABLE columns in order; empty: one value
};

/// pg_cast.
struct Cast {
  Oid source = kInvalidOid;
  Oid target = kInvalidOid;
  Oid routine = kInvalidOid;  ///< kInvalidOid: by the types' input and output, or not at all
  char context = 'e';         ///< pg_cast.castcontext: e a i
};

struct Operator {
  Oid oid = kInvalidOid;
  std::string schema;
  std::string name;
  Oid left = kInvalidOid;
  Oid right = kInvalidOid;
  Oid routine = kInvalidOid;
};

struct Type {
  Oid oid = kInvalidOid;
  std::string schema;
  std::string name;
  char kind = 'b';            ///< pg_type.typtype
  Oid base = kInvalidOid;     ///< domain base
  Oid element = kInvalidOid;  ///< array element
  Oid array = kInvalidOid;
};

/// What a name means under a search path.
class Catalog {
 public:
  /// Bumped whenever the fingerprint of the database's catalog changes; part of cache keys.
  [[nodiscard]] std::uint64_t epoch() const { return epoch_; }
  [[nodiscard]] Oid database_oid() const { return database_oid_; }

  [[nodiscard]] const Relation* relation(Oid oid) const;
  /// Exact schema and name; nullptr if unknown.
  [[nodiscard]] const Relation* relation(std::string_view schema, std::string_view name) const;
  /// Unqualified name under `search_path` (pg_catalog is searched first unless listed).
  [[nodiscard]] const Relation* resolve(std::string_view name,
                                        std::span<const std::string> search_path) const;
  [[nodiscard]] const Routine* routine(Oid oid) const;
  /// All overloads of a name; empty schema = under `search_path`, all schemas of it.
  [[nodiscard]] std::vector<const Routine*> routines(
      std::string_view schema, std::string_view name,
      std::span<const std::string> search_path) const;
  [[nodiscard]] std::vector<const Operator*> operators(
      std::string_view schema, std::string_view name,
      std::span<const std::string> search_path) const;
  /// The cast from one type to the other; nullptr if pg_cast has none.
  [[nodiscard]] const Cast* cast(Oid source, Oid target) const;
  /// Routines of all casts to the type.
  [[nodiscard]] std::span<const Oid> cast_routines(Oid target) const;
  [[nodiscard]] const Type* type(Oid oid) const;
  [[nodiscard]] const Type* type(std::string_view schema, std::string_view name) const;
  /// Unqualified type name under `search_path` (pg_catalog is searched first unless listed).
  [[nodiscard]] const Type* resolve_type(std::string_view name,
                                         std::span<const std::string> search_path) const;
  [[nodiscard]] const std::unordered_map<Oid, Relation>& relations() const { return relations_; }
  /// Some routine of the database may change search_path, and any other may come to call it.
  [[nodiscard]] bool code_moves_path() const { return code_moves_path_; }

 private:
  friend class CatalogBuilder;
  std::uint64_t epoch_ = 0;
  bool code_moves_path_ = false;
  Oid database_oid_ = kInvalidOid;
  std::unordered_map<Oid, Relation> relations_;
  std::unordered_map<Oid, Routine> routines_;
  std::unordered_map<Oid, Operator> operators_;
  std::unordered_map<Oid, Type> types_;
  std::unordered_map<std::uint64_t, Cast> casts_;                     ///< source << 32 | target
  std::unordered_map<Oid, std::vector<Oid>> cast_routines_;           ///< by target
  std::unordered_map<std::string, Oid> relation_names_;               ///< "schema\0name"
  std::unordered_map<std::string, std::vector<Oid>> routine_names_;   ///< by bare name
  std::unordered_map<std::string, std::vector<Oid>> operator_names_;  ///< by bare name
  std::unordered_map<std::string, Oid> type_names_;                   ///< "schema\0name"
};

/// Collects rows, then freezes them.
class CatalogBuilder {
 public:
  CatalogBuilder& add(Relation relation);
  CatalogBuilder& add(Routine routine);
  CatalogBuilder& add(Operator op);
  CatalogBuilder& add(Type type);
  CatalogBuilder& add(Cast cast);
  CatalogBuilder& database_oid(Oid oid);
  /// Links children to parents and returns the frozen snapshot; the builder is empty afterwards.
  std::shared_ptr<const Catalog> freeze(std::uint64_t epoch);

 private:
  Catalog catalog_;
};

}  // namespace postern::sql
