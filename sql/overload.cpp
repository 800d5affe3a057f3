// Resolver: which routine or operator a name means, as far as types are known. Where more than one
// may be meant, all of them are.
#include <algorithm>

#include "sql/analyzer.hpp"
#include "sql/resolver.hpp"

namespace postern::sql {

namespace {

// Pseudo-types that take values of many types: "any", record, anyelement and their kin.
constexpr char kPseudo = 'p';
constexpr char kComposite = 'c';
constexpr Oid kText = 25;

/// A domain's base type, for overloads are chosen by it.
Oid base_of(const Catalog& catalog, Oid oid) {
  for (const Type* type = catalog.type(oid); type != nullptr && type->kind == 'd';) {
    oid = type->base;
    type = catalog.type(oid);
  }
  return oid;
}

/// Could a value of type `given` stand for a parameter of type `wanted` without an explicit cast?
/// True where in doubt.
bool fits(const Catalog& catalog, Oid given, Oid wanted) {
  given = base_of(catalog, given);
  if (given == kInvalidOid || wanted == kInvalidOid || given == wanted) return true;
  const Type* from = catalog.type(given);
  const Type* to = catalog.type(wanted);
  if (from == nullptr || to == nullptr || to->kind == kPseudo || from->kind == kPseudo) return true;
  if (to->kind == 'd' || (from->kind == kComposite && to->kind == kComposite)) return true;
  if (from->element != kInvalidOid && to->element != kInvalidOid) return true;
  const Cast* cast = catalog.cast(given, wanted);
  return cast != nullptr && cast->context == 'i';
}

/// The type that the routine declares for its argument at `index`; of a variadic one the element.
Oid parameter_at(const Catalog& catalog, const Routine& routine, std::size_t index) {
  if (routine.arguments.empty()) return kInvalidOid;
  const std::size_t last = routine.arguments.size() - 1;
  if (routine.max_args >= 0 || index < last) {
    return index < routine.arguments.size() ? routine.arguments[index] : kInvalidOid;
  }
  const Type* array = catalog.type(routine.arguments[last]);
  return array == nullptr ? kInvalidOid : array->element;
}

bool accepts(const Routine& routine, std::size_t args) {
  const bool enough = args >= static_cast<std::size_t>(routine.min_args);
  return enough && (routine.max_args < 0 || args <= static_cast<std::size_t>(routine.max_args));
}

bool is_exact(const Routine& routine, std::span<const Value> args) {
  if (routine.arguments.size() != args.size() || routine.max_args < 0) return false;
  for (std::size_t i = 0; i < args.size(); ++i) {
    if (args[i].type == kInvalidOid || args[i].type != routine.arguments[i]) return false;
  }
  return true;
}

/// A string constant or NULL, which PostgreSQL takes for the type that the other side has.
bool takes_any_type(const Value& value) {
  return value.null || (value.literal >= 0 && value.type == kInvalidOid);
}

/// Is it certain that the value can stand for the type, without an explicit cast?
bool surely_fits(const Catalog& catalog, const Value& value, Oid wanted) {
  if (takes_any_type(value) || value.type == wanted) return true;
  const Cast* cast = catalog.cast(base_of(catalog, value.type), wanted);
  return value.type != kInvalidOid && cast != nullptr && cast->context == 'i';
}

/// The one with the most arguments of exactly the given types, as PostgreSQL chooses; nullptr where
/// a type is not known, there are ties, or the best may not be applicable after all.
const Routine* best_match(const Catalog& catalog, std::span<const Routine* const> all,
                          std::span<const Value> args) {
  const Routine* best = nullptr;
  std::size_t most = 0;
  bool tied = true;
  for (const Routine* routine : all) {
    std::size_t exact = 0;
    for (std::size_t i = 0; i < args.size(); ++i) {
      const Oid type = base_of(catalog, args[i].type);
      if (type == kInvalidOid && !takes_any_type(args[i])) return nullptr;
      if (type != kInvalidOid && type == parameter_at(catalog, *routine, i)) ++exact;
    }
    if (exact == most) tied = true;
    if (exact > most) best = routine, most = exact, tied = false;
  }
  if (best == nullptr || tied) return nullptr;
  for (std::size_t i = 0; i < args.size(); ++i) {
    if (!surely_fits(catalog, args[i], parameter_at(catalog, *best, i))) return nullptr;
  }
  return best;
}

}  // namespace

std::vector<const Routine*> Resolver::candidates(const PgQuery__FuncCall* call,
                                                 std::span<const Value> args) const {
  const ast::NodeList names = POSTERN_LIST(call, funcname);
  const std::string_view schema = names.size() > 1 ? ast::str(names[names.size() - 2]) : "";
  const Catalog* catalog = context_.catalog.get();
  if (catalog == nullptr) return {};
  std::vector<const Routine*> all =
      catalog->routines(schema, ast::str(names.back()), context_.search_path);
  const bool by_name = std::any_of(call->args, call->args + call->n_args, [](const auto* arg) {
    return ast::is(arg, PG_QUERY__NODE__NODE_NAMED_ARG_EXPR);
  });
  if (call->func_variadic || by_name) return all;
  std::erase_if(all, [&](const Routine* r) { return !accepts(*r, args.size()); });
  std::vector<const Routine*> picked;
  std::copy_if(all.begin(), all.end(), std::back_inserter(picked),
               [&](const Routine* r) { return is_exact(*r, args); });
  if (!picked.empty()) return picked;
  if (const Routine* best = best_match(*catalog, all, args)) return {best};
  std::copy_if(all.begin(), all.end(), std::back_inserter(picked), [&](const Routine* r) {
    for (std::size_t i = 0; i < args.size(); ++i) {
      if (!fits(*catalog, args[i].type, parameter_at(*catalog, *r, i))) return false;
    }
    return true;
  });
  return picked.empty() ? all : picked;
}

/// Notes the routine that turns the value into the type; without its type, all that might.
void Resolver::add_cast(const Value& value, Oid type) {
  const Catalog* catalog = context_.catalog.get();
  if (catalog == nullptr || type == kInvalidOid || takes_any_type(value)) return;
  const Oid target = base_of(*catalog, type);
  if (value.type == kInvalidOid) {
    for (const Oid routine : catalog->cast_routines(target)) add_routine(routine);
  } else if (const Cast* cast = catalog->cast(base_of(*catalog, value.type), target)) {
    if (cast->routine != kInvalidOid) add_routine(cast->routine);
  }
}

/// ARRAY[...]: of the type that all elements with a type share; of strings alone text[].
Value Resolver::array_expression(ast::NodeList elements, const Level& level) {
  Value out;
  std::optional<Oid> shared;
  bool known = !elements.empty();
  bool only_strings = true;
  for (const ast::Node* node : elements) {
    const Value element = evaluate(node, level);
    consume(element);
    out.absorb(element);
    if (takes_any_type(element)) continue;
    only_strings = false;
    known = known && element.type != kInvalidOid && shared.value_or(element.type) == element.type;
    shared = element.type;
  }
  const Oid type = only_strings ? kText : shared.value_or(kInvalidOid);
  const Type* found = known && context_.catalog != nullptr ? context_.catalog->type(type) : nullptr;
  if (found != nullptr && found->element == kInvalidOid) out.type = found->array;
  return out;
}

/// The type that all of them return; kInvalidOid where they differ or it depends on the arguments.
Oid Resolver::common_return(std::span<const Routine* const> routines) const {
  if (routines.empty()) return kInvalidOid;
  const Oid first = routines.front()->return_type;
  for (const Routine* routine : routines) {
    if (routine->return_type != first) return kInvalidOid;
  }
  const Type* type = context_.catalog->type(first);
  return type == nullptr || type->kind == kPseudo ? kInvalidOid : first;
}

/// Notes the routine of every operator that may be meant; the type of its result, where known.
Oid Resolver::add_operators(ast::NodeList name, const Value& left, const Value& right) {
  const Catalog* catalog = context_.catalog.get();
  if (catalog == nullptr) return kInvalidOid;
  const std::string_view schema = name.size() > 1 ? ast::str(name[name.size() - 2]) : "";
  const std::string_view word = name.empty() ? "=" : ast::str(name.back());
  const std::vector<const Operator*> all = catalog->operators(schema, word, context_.search_path);
  Oid l = base_of(*catalog, left.type);
  Oid r = base_of(*catalog, right.type);
  if (takes_any_type(left)) l = r;
  if (takes_any_type(right)) r = l;
  std::vector<const Operator*> picked;
  const auto pick = [&](auto&& wanted) {
    if (picked.empty()) std::copy_if(all.begin(), all.end(), std::back_inserter(picked), wanted);
  };
  if (l != kInvalidOid && r != kInvalidOid) {
    pick([&](const Operator* op) { return op->left == l && op->right == r; });
  }
  pick([&](const Operator* op) {
    return fits(*catalog, l, op->left) && fits(*catalog, r, op->right);
  });
  if (picked.empty()) picked = all;
  std::vector<const Routine*> routines;
  for (const Operator* op : picked) {
    add_routine(op->routine);
    if (const Routine* routine = catalog->routine(op->routine)) routines.push_back(routine);
  }
  return routines.size() == picked.size() ? common_return(routines) : kInvalidOid;
}

/// Has the row type a column of that name?
bool Resolver::is_field(Oid row_type, std::string_view name) const {
  const Relation* relation = relation_of_type(row_type);
  return relation != nullptr && relation->column(name) != nullptr;
}

/// The relation whose row type it is, domains over it included; nullptr for every other type.
const Relation* Resolver::relation_of_type(Oid oid) const {
  const Catalog* catalog = context_.catalog.get();
  if (catalog == nullptr) return nullptr;
  const Type* type = catalog->type(base_of(*catalog, oid));
  if (type == nullptr || type->kind != kComposite) return nullptr;
  return catalog->relation(type->schema, type->name);
}

}  // namespace postern::sql
