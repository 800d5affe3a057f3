#include <algorithm>
#include <map>

#include "base/codes/gate.hpp"
#include "policy/encrypt.hpp"

namespace postern::policy {
namespace {

using sql::Comparison;
using sql::TokenClass;
using sql::ValueRole;
using types::TypeFamily;

void not_sealable(const Judged& j, const ProtectedColumn& column, const std::string& why,
                  std::uint32_t position) {
  j.findings.forbid(pst::kPlaintextNotSealable, column_label(column) + ": " + why, "encrypt.value",
                    position);
}

/// Directly stored or compared for equality, the two roles in which a sealed value can stand.
template <typename Input>
bool direct(const Input& input) {
  if (input.role == ValueRole::kStored) return true;
  return input.role == ValueRole::kOperand && input.comparison != Comparison::kNone &&
         input.comparison != Comparison::kOther;
}

std::optional<TypeFamily> family_of(Oid type) {
  const auto logical = types::from_oid(type, -1);
  return logical ? std::optional(types::type_family(*logical)) : std::nullopt;
}

/// The cast goes with the plaintext, so it must be one that the sealed value has by its column.
bool cast_fits(const Judged& j, const ProtectedColumn& column, Oid cast, bool array) {
  if (cast == kInvalidOid) return true;
  if (array) {
    const sql::Type* type = j.catalog().type(cast);
    if (type == nullptr || type->element == kInvalidOid) return false;
    cast = type->element;
  }
  const auto family = family_of(cast);
  return family && *family == types::type_family(column.type);
}

/// PostgreSQL would convert other tokens by assignment casts (00123 stored in text is '123').
bool token_fits(TokenClass token, TypeFamily family) {
  switch (token) {
    case TokenClass::kString:
    case TokenClass::kEscapeString:
    case TokenClass::kUnicodeString:
    case TokenClass::kDollarString:
      return true;
    case TokenClass::kInteger:
      return family == TypeFamily::kInteger;
    default:
      return false;
  }
}

void seal_literal(const Judged& j, const sql::Literal& literal, Decision& decision) {
  const ProtectedColumn* column = protected_at(j, literal.column);
  if (column == nullptr || literal.token == TokenClass::kNull) return;
  const std::uint32_t at = literal.span.begin;
  if (!direct(literal)) return not_sealable(j, *column, "not directly stored or compared", at);
  if (literal.comparison == Comparison::kEqualAny) {
    return not_sealable(j, *column, "an array literal; write IN (...) or bind an array", at);
  }
  if (!token_fits(literal.token, types::type_family(column->type))) {
    return not_sealable(j, *column, "a literal of another type; write it as a string", at);
  }
  if (!cast_fits(j, *column, literal.cast, false)) {
    return not_sealable(j, *column, "a cast to another type", at);
  }
  decision.literals.push_back({literal.cast_span, literal.span, literal.token,
                               id_of(j, *literal.column), literal.role == ValueRole::kOperand});
}

bool has_cast(const sql::Param& param) {
  return !(param.cast_span == param.span);
}

/// All occurrences of one parameter: one value is bound, so they must ask the same of it.
void seal_param(const Judged& j, const std::vector<const sql::Param*>& occurrences,
                Decision& decision) {
  const auto first = std::find_if(occurrences.begin(), occurrences.end(), [&](const auto* p) {
    return protected_at(j, p->column) != nullptr;
  });
  if (first == occurrences.end()) return;
  const ProtectedColumn& column = *protected_at(j, (*first)->column);
  ParamOp op;
  op.number = (*first)->number;
  op.column = id_of(j, *(*first)->column);
  op.operand = true;
  op.array = (*first)->comparison == Comparison::kEqualAny;
  for (const sql::Param* param : occurrences) {
    const bool array = param->comparison == Comparison::kEqualAny;
    const ProtectedColumn* mine = protected_at(j, param->column);
    if (mine == nullptr || id_of(j, *param->column) != op.column || array != op.array) {
      j.findings.forbid(pst::kAmbiguousParameter,
                        "$" + std::to_string(op.number) + " and " + column_label(column),
                        "encrypt.param", param->span.begin);
      return;
    }
    if (!direct(*param)) {
      return not_sealable(j, column, "not directly stored or compared", param->span.begin);
    }
    if (!cast_fits(j, column, param->cast, array)) {
      return not_sealable(j, column, "a cast to another type", param->span.begin);
    }
    if (param->role == ValueRole::kStored) op.operand = false;
    if (!has_cast(*param)) continue;
    if (op.cast_span == sql::Span{})
      op.cast_span = param->cast_span;
    else
      op.further_casts.push_back(param->cast_span);
  }
  decision.params.push_back(std::move(op));
}

}  // namespace

void seal_values(const Judged& j, Decision& decision) {
  for (const sql::Literal& literal : j.statement.literals) seal_literal(j, literal, decision);
  std::map<std::uint16_t, std::vector<const sql::Param*>> by_number;
  for (const sql::Param& param : j.statement.params) by_number[param.number].push_back(&param);
  for (const auto& [number, occurrences] : by_number) seal_param(j, occurrences, decision);
}

void open_outputs(const Judged& j, StatementDecision& out) {
  const auto& outputs = j.statement.outputs;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (protected_at(j, outputs[i].source) == nullptr) continue;
    out.outputs.push_back(
        {static_cast<std::uint16_t>(i), OutputAction::kDecrypt, id_of(j, *outputs[i].source)});
  }
  // A column that leaves, but not as one output of its own, would leave as ciphertext.
  std::size_t projected = 0;
  const sql::ColumnUse* last = nullptr;
  for (const sql::ColumnUse& use : j.statement.uses) {
    if (use.use != sql::Use::kProjected || protected_at(j, use.column) == nullptr) continue;
    ++projected;
    last = &use;
  }
  if (projected <= out.outputs.size()) return;
  j.findings.forbid(pst::kAmbiguousOutput, column_label(*protected_at(j, last->column)),
                    "encrypt.output", last->position);
}

}  // namespace postern::policy
