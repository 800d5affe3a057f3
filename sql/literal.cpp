// Resolver: constants, parameters and the casts around them.
#include <charconv>

#include "sql/analyzer.hpp"
#include "sql/resolver.hpp"

namespace postern::sql {

namespace {

constexpr Oid kNameType = 19;
constexpr Oid kInt8 = 20;
constexpr Oid kInt4 = 23;
constexpr Oid kBit = 1560;
constexpr Oid kNumeric = 1700;

TokenClass class_of(const PgQuery__AConst* constant, TokenKind token) {
  if (constant->isnull) return TokenClass::kNull;
  switch (constant->val_case) {
    case PG_QUERY__A__CONST__VAL_IVAL:
      return TokenClass::kInteger;
    case PG_QUERY__A__CONST__VAL_FVAL:
      return TokenClass::kFloat;
    case PG_QUERY__A__CONST__VAL_BOOLVAL:
      return TokenClass::kBoolean;
    case PG_QUERY__A__CONST__VAL_BSVAL:
      return TokenClass::kBitString;
    default:
      break;
  }
  switch (token) {
    case TokenKind::kEscapeString:
      return TokenClass::kEscapeString;
    case TokenKind::kUnicodeString:
      return TokenClass::kUnicodeString;
    case TokenKind::kDollarString:
      return TokenClass::kDollarString;
    default:
      return TokenClass::kString;
  }
}

/// The type PostgreSQL gives a numeric constant; strings take the type of their surroundings.
Oid type_of(const PgQuery__AConst* constant, std::string_view text) {
  if (constant->isnull) return kInvalidOid;
  if (constant->val_case == PG_QUERY__A__CONST__VAL_IVAL) return kInt4;
  if (constant->val_case == PG_QUERY__A__CONST__VAL_BSVAL) return kBit;
  if (constant->val_case != PG_QUERY__A__CONST__VAL_FVAL) return kInvalidOid;
  // A number too large for 32 bits is a bigint where 64 do, without its sign; brackets: not known.
  const bool digits =
      !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
  if (!digits) return text.find_first_of(".eE") != std::string_view::npos ? kNumeric : kInvalidOid;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} ? kInt8 : kNumeric;
}

/// Keywords are no values, and escapes may be wrong.
bool is_merely_value(TokenKind token) {
  return is_literal(token) && token != TokenKind::kEscapeString &&
         token != TokenKind::kUnicodeString;
}

}  // namespace

Value Resolver::literal(const PgQuery__AConst* constant) {
  Value value;
  value.null = constant->isnull;
  if (constant->location < 0) return value;  // made by the grammar, not by the text
  value.position = static_cast<std::uint32_t>(constant->location);
  const TokenIndex::LiteralToken token = tokens_.literal_at(value.position);
  if (!token.found) {
    fail("a literal cannot be located", constant->location);
    return value;
  }
  const bool keyword = constant->isnull || constant->val_case == PG_QUERY__A__CONST__VAL_BOOLVAL;
  if (token.kind == TokenKind::kWord && !keyword) return value;  // a field name, as in EXTRACT
  Literal found;
  found.span = token.span;
  found.cast_span = token.span;
  found.token = class_of(constant, token.kind);
  found.merely_value = is_merely_value(token.kind);
  value.type = type_of(constant, tokens_.slice(token.span));
  value.literal = static_cast<std::int32_t>(out_.literals.size());
  out_.literals.push_back(found);
  return value;
}

Value Resolver::parameter(const PgQuery__ParamRef* ref) {
  Value value;
  value.position = static_cast<std::uint32_t>(ref->location);
  if (ref->number < 1 || ref->number > 65535) {
    fail("parameter number out of range", ref->location);
    return value;
  }
  Param found;
  found.number = static_cast<std::uint16_t>(ref->number);
  found.span = tokens_.literal_at(value.position).span;
  found.cast_span = found.span;
  value.param = static_cast<std::int32_t>(out_.params.size());
  out_.params.push_back(found);
  return value;
}

Oid Resolver::named_type(std::string_view schema, std::string_view name) {
  const Catalog* catalog = context_.catalog.get();
  const Type* type = nullptr;
  if (catalog != nullptr) {
    type = schema.empty() ? catalog->resolve_type(name, context_.search_path)
                          : catalog->type(schema, name);
  }
  if (type != nullptr) return type->oid;
  return schema.empty() || schema == "pg_catalog" ? builtin_type(name) : kInvalidOid;
}

/// kInvalidOid and an opaque statement for a type we do not know.
Oid Resolver::type_oid(const PgQuery__TypeName* name) {
  const ast::NodeList names = POSTERN_LIST(name, names);
  if (names.empty() || name->pct_type) {
    fail("type of a column used as a type", name->location);
    return kInvalidOid;
  }
  const std::string_view schema = names.size() > 1 ? ast::str(names[names.size() - 2]) : "";
  const std::string_view base = ast::str(names.back());
  Oid type = named_type(schema, base);
  if (type == kInvalidOid) {
    fail("unknown type " + std::string(base), name->location);
    return kInvalidOid;
  }
  if (is_reg_type(type)) out_.reads_catalog = true;
  if (name->n_array_bounds == 0) return type;
  const Type* element = context_.catalog ? context_.catalog->type(type) : nullptr;
  if (element != nullptr && element->array != kInvalidOid) return element->array;
  return builtin_array(type);
}

/// The values of the literals from `first` on are part of what the statement means.
void Resolver::keep_literals(std::size_t first) {
  for (std::size_t i = first; i < out_.literals.size(); ++i) out_.literals[i].merely_value = false;
}

/// A literal or parameter under exactly one cast without length or precision is still a plain
/// input. A second cast or a truncating one changes the value in ways not followed here.
void Resolver::cast_input(Value& value, const PgQuery__TypeCast* cast, Oid type) {
  const std::int32_t type_at = cast->type_name->location;
  const auto apply = [&](auto& input) {
    const bool plain = input.cast == kInvalidOid && cast->type_name->n_typmods == 0;
    input.cast = type;
    input.cast_span = tokens_.cast_around(input.cast_span, cast->location, type_at);
    if (!plain) value.literal = value.param = -1;
  };
  if (value.literal >= 0) {
    apply(out_.literals[static_cast<std::size_t>(value.literal)]);
  } else {
    apply(out_.params[static_cast<std::size_t>(value.param)]);
  }
}

Value Resolver::type_cast(const PgQuery__TypeCast* cast, const Level& level) {
  Value value = evaluate(cast->arg, level);
  const PgQuery__TypeName* name = cast->type_name;
  const Oid type = type_oid(name);
  if (value.literal >= 0 && (is_reg_type(type) || type == kNameType)) {
    out_.literals[static_cast<std::size_t>(value.literal)].merely_value = false;
  }
  const std::size_t first = out_.literals.size();
  for (const ast::Node* typmod : POSTERN_LIST(name, typmods)) consumed(typmod, level);
  keep_literals(first);
  add_cast(value, type);
  const bool explicit_cast = cast->location >= 0 || name->location >= 0;
  if (value.is_input()) {
    if (explicit_cast) cast_input(value, cast, type);  // else TRUE and FALSE, as the grammar has it
    value.null = false;
    value.type = type;
    return value;
  }
  consume(value);
  Value out;
  out.position = value.position;
  out.absorb(value);
  out.type = type;
  return out;
}

/// An input that meets a second column, or the same one in another way, belongs to neither: it
/// could not stand for both at once, so both columns are in an expression.
template <typename Input>
void Resolver::meet_input(Input& input, ColumnRef column, ValueRole role, Comparison comparison) {
  const bool fresh = input.comparison == Comparison::kNone && !input.column;
  const bool same = input.column == column && input.role == role && input.comparison == comparison;
  if (fresh || same) {
    input.role = role;
    input.comparison = comparison;
    input.column = column;
    return;
  }
  use_column(column, Use::kExpression, input.span.begin);
  if (input.column) use_column(*input.column, Use::kExpression, input.span.begin);
  input.role = ValueRole::kOther;
  input.comparison = Comparison::kOther;
  input.column.reset();
}

void Resolver::meet(const Value& input, ColumnRef column, ValueRole role, Comparison comparison) {
  if (input.literal >= 0) {
    meet_input(out_.literals[static_cast<std::size_t>(input.literal)], column, role, comparison);
  }
  if (input.param >= 0) {
    meet_input(out_.params[static_cast<std::size_t>(input.param)], column, role, comparison);
  }
}

}  // namespace postern::sql
