// Resolver: function calls, aggregates, windows, and the session effects of built-in functions.
#include <algorithm>

#include "sql/analyzer.hpp"
#include "sql/resolver.hpp"

namespace postern::sql {

namespace {

constexpr Oid kBoolType = 16;
constexpr Oid kTextType = 25;
constexpr Oid kVarcharType = 1043;

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
  return out;
}

/// The text of a string constant; nullopt for anything else.
std::optional<std::string> string_constant(const ast::Node* node) {
  if (!ast::is(node, PG_QUERY__NODE__NODE_A_CONST)) return std::nullopt;
  const PgQuery__AConst* constant = node->a_const;
  if (constant->val_case != PG_QUERY__A__CONST__VAL_SVAL) return std::nullopt;
  return std::string(ast::text(constant->sval->sval));
}

/// What PostgreSQL's parse_bool makes of the commoner spellings.
std::optional<bool> bool_constant(const ast::Node* node) {
  if (!ast::is(node, PG_QUERY__NODE__NODE_A_CONST)) return std::nullopt;
  const PgQuery__AConst* constant = node->a_const;
  if (constant->val_case == PG_QUERY__A__CONST__VAL_BOOLVAL) return constant->boolval->boolval != 0;
  const auto text = string_constant(node);
  if (!text) return std::nullopt;
  const std::string word = lower(*text);
  for (const char* yes : {"t", "true", "on", "yes", "y", "1"}) {
    if (word == yes) return true;
  }
  for (const char* no : {"f", "false", "off", "no", "n", "0"}) {
    if (word == no) return false;
  }
  return std::nullopt;
}

}  // namespace

/// What a constant is cast to, where that leaves every value as it is written; null where the cast
/// may change it: another type, a length, a second cast.
const ast::Node* Resolver::uncast(const ast::Node* node, std::initializer_list<Oid> same) {
  if (!ast::is(node, PG_QUERY__NODE__NODE_TYPE_CAST)) return node;
  const PgQuery__TypeName* type = node->type_cast->type_name;
  if (type == nullptr || type->n_typmods > 0 || type->n_array_bounds > 0) return nullptr;
  const Oid target = type_oid(type);
  const bool kept = std::find(same.begin(), same.end(), target) != same.end();
  return kept ? node->type_cast->arg : nullptr;
}

/// Notes the routines a call can mean; what pg_catalog's function of that name does.
Builtin Resolver::find_function(const PgQuery__FuncCall* call, std::span<const Value> args) {
  const ast::NodeList names = POSTERN_LIST(call, funcname);
  const std::string_view schema = names.size() > 1 ? ast::str(names[names.size() - 2]) : "";
  const std::string_view name = ast::str(names.back());
  const bool maybe_builtin = schema.empty() || schema == "pg_catalog";
  Builtin meaning = maybe_builtin ? builtin_function(name) : Builtin::kNone;
  if (maybe_builtin && call->funcformat == PG_QUERY__COERCION_FORM__COERCE_SQL_SYNTAX &&
      meaning == Builtin::kNone) {
    meaning = Builtin::kKnown;  // the grammar made the call: EXTRACT, POSITION, AT TIME ZONE, ...
  }
  bool foreign = false;
  called_ = candidates(call, args);
  called_args_.assign(args.begin(), args.end());
  for (const Routine* routine : called_) {
    add_routine(routine->oid);
    foreign = foreign || routine->schema != "pg_catalog";
  }
  const bool found = !called_.empty();
  const bool conversion = args.size() == 1 && (named_type(schema, name) != kInvalidOid ||
                                               is_field(args[0].type, name));  // text(x), name(row)
  if (!found && meaning == Builtin::kNone && !conversion) {
    fail("unknown function " + std::string(name), call->location);
  }
  if (foreign && (has(meaning, Builtin::kCount) || has(meaning, Builtin::kExtreme))) {
    return Builtin::kKnown;
  }
  return meaning;
}

void Resolver::function_effects(const PgQuery__FuncCall* call, Builtin meaning) {
  if (has(meaning, Builtin::kClock)) out_.reads_clock = true;
  if (has(meaning, Builtin::kSession)) out_.reads_session = true;
  if (has(meaning, Builtin::kLock)) add_session(SessionEffect::kAdvisoryLock);
  if (has(meaning, Builtin::kSequence)) add_session(SessionEffect::kSequenceState);
  if (has(meaning, Builtin::kSetting)) set_config_call(call);
}

/// set_config('name', 'value', is_local) is SET; with a computed name it may set anything.
void Resolver::set_config_call(const PgQuery__FuncCall* call) {
  add_session(SessionEffect::kSetting);
  const ast::NodeList args = POSTERN_LIST(call, args);
  if (args.size() != 3) return add_session(SessionEffect::kUnknown);
  // 'role.x'::varchar(4) is 'role': only what stands in the text as it is counts as known.
  const auto name = string_constant(uncast(args[0], {kTextType, kVarcharType}));
  const auto value = string_constant(uncast(args[1], {kTextType, kVarcharType}));
  const auto local = bool_constant(uncast(args[2], {kBoolType}));
  if (!name || !local || !out_.name.empty()) {
    return add_session(SessionEffect::kUnknown);  // not literal, or a second one
  }
  out_.name = lower(*name);
  out_.value = value.value_or("");
  out_.computed_value = !value.has_value();
  out_.local = *local;
  if (out_.name == "role" || out_.name == "session_authorization") {
    add_session(SessionEffect::kRole);
  }
}

Value Resolver::function_call(const PgQuery__FuncCall* call, const Level& level) {
  std::vector<Value> args;
  const std::size_t first = out_.literals.size();
  for (const ast::Node* arg : POSTERN_LIST(call, args)) args.push_back(evaluate(arg, level));
  std::vector<Value> sorted;
  for (const ast::Node* key : POSTERN_LIST(call, agg_order)) {
    if (!ast::is(key, PG_QUERY__NODE__NODE_SORT_BY)) continue;
    sorted.push_back(evaluate(key->sort_by->node, level));
    use(sorted.back(), Use::kOrdering);
  }
  std::vector<Value> all(args);
  if (call->agg_within_group) all.insert(all.end(), sorted.begin(), sorted.end());
  const Builtin meaning = find_function(call, all);
  const std::vector<const Routine*> routines = called_;
  std::vector<Value> called_args = called_args_;
  function_effects(call, meaning);
  const bool names = has(meaning, Builtin::kSetting) || has(meaning, Builtin::kSequence) ||
                     has(meaning, Builtin::kSession);
  if (names) keep_literals(first);
  Value out = function_value(call, meaning, args);
  for (const Value& key : sorted) out.absorb(key);
  consumed(call->agg_filter, level);
  if (call->over != nullptr) window(call->over, level);
  called_ = routines;  // FROM asks for their columns
  called_args_ = std::move(called_args);
  // f(row) may also mean a column of the row.
  const bool field = called_args_.size() == 1 && (called_args_[0].type == kInvalidOid ||
                                                  relation_of_type(called_args_[0].type));
  if (!field || called_args_[0].literal >= 0) out.type = common_return(called_);
  return out;
}

/// What the call does with its arguments.
Value Resolver::function_value(const PgQuery__FuncCall* call, Builtin meaning,
                               std::vector<Value>& args) {
  Value out;
  out.position = static_cast<std::uint32_t>(call->location);
  const bool one = args.size() == 1 && args[0].row.empty();
  for (const Value& arg : args) {
    if (one && call->agg_distinct) use(arg, Use::kGrouping);
    if (one && has(meaning, Builtin::kCount)) {
      use(arg, Use::kCounted);
    } else if (one && has(meaning, Builtin::kExtreme)) {
      use(arg, Use::kOrdering);
    } else {
      consume(arg);
    }
    out.absorb(arg);
  }
  return out;
}

void Resolver::window(const PgQuery__WindowDef* window, const Level& level) {
  for (const ast::Node* key : POSTERN_LIST(window, partition_clause)) {
    use(evaluate(key, level), Use::kGrouping);
  }
  for (const ast::Node* key : POSTERN_LIST(window, order_clause)) {
    if (!ast::is(key, PG_QUERY__NODE__NODE_SORT_BY)) continue;
    use(evaluate(key->sort_by->node, level), Use::kOrdering);
  }
  consumed(window->start_offset, level);
  consumed(window->end_offset, level);
}

}  // namespace postern::sql
