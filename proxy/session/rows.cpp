#include "proxy/session/rows.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "base/codes/crypto.hpp"
#include "base/codes/session.hpp"
#include "protocol/extended.hpp"
#include "proxy/session/bytea.hpp"
#include "types/value.hpp"

namespace postern::proxy {
namespace {

using policy::OutputAction;
using policy::OutputOp;
using policy::ProtectedColumn;

const OutputOp* op_of(const std::vector<OutputOp>& ops, std::size_t output) {
  const auto it = std::lower_bound(
      ops.begin(), ops.end(), output,
      [](const OutputOp& op, std::size_t position) { return op.output < position; });
  return it != ops.end() && it->output == output ? &*it : nullptr;
}

Error check_failed(const protocol::Field& field, const char* why) {
  return make_error(pst::kColumnCheckFailed, "\"" + std::string(field.name) + "\": " + why);
}

constexpr Oid kFloat4Oid = 700;
constexpr Oid kInt4Oid = 23;

bool hides_number(const OutputOp* op) {
  return op != nullptr &&
         (op->action == OutputAction::kNoRows || op->action == OutputAction::kNoPages);
}

// A number of a whole table comes where one is hidden, and nowhere else.
Status check_number(const protocol::Field& field, const OutputOp* op,
                    const policy::Ruleset& rules) {
  const auto number =
      policy::number_of_whole_table(*rules.catalog, {field.table_oid, field.attnum});
  if (!hides_number(op)) {
    return number ? Status(check_failed(field, "a number of a whole table where none was expected"))
                  : ok();
  }
  const Oid type = op->action == OutputAction::kNoRows ? kFloat4Oid : kInt4Oid;
  const bool other = field.type_oid != type || (field.table_oid != 0 && number != op->action);
  return other ? Status(check_failed(field, "not the number of a table that it should be")) : ok();
}

// The column as the client may see it: logical type where it is decrypted.
Result<protocol::Field> checked(const protocol::Field& field, const OutputOp* op,
                                const AnalysedText& analysed, bool hides_numbers) {
  const policy::Ruleset& rules = *analysed.protection->rules;
  if (hides_numbers) POSTERN_TRY(check_number(field, op, rules));
  const ProtectedColumn* source = rules.protected_column({field.table_oid, field.attnum});
  if (op == nullptr || hides_number(op)) {
    const bool shows_ciphertext = !analysed.decrypts;
    if (source == nullptr || shows_ciphertext) return field;
    return check_failed(field, "an encrypted column where none was expected");
  }
  if (op->action != OutputAction::kDecrypt) return field;
  const ProtectedColumn& column = rules.columns.at(op->column.index);
  if (field.type_oid != column.stored_type && field.type_oid != kByteaOid) {
    return check_failed(field, "not of the stored type of its column");
  }
  protocol::Field shown = field;
  shown.type_oid = types::type_oid(column.type);
  shown.typlen = types::type_length(column.type);
  shown.typmod = types::type_typmod(column.type);
  return shown;
}

Result<Bytes> container_of(ByteView value, std::int16_t format) {
  if (format == protocol::kBinaryFormat) return Bytes(value);
  auto bytes = parse_bytea_text(value);
  if (!bytes) return make_error(pst::kNotAContainer);
  return std::move(*bytes);
}

Result<Secret> open_container(Session* session, const policy::Ruleset& rules,
                              policy::ColumnId column, ByteView container) {
  KeyService* keys = session->runtime().keys.get();
  for (int attempt = 0;; ++attempt) {
    POSTERN_ASSIGN(crypto::ColumnCipher * cipher,
                   session->context->ciphers.get(keys, rules, column));
    TenantId tenant = session->identity.tenant;
    Result<Secret> plain = make_error(pst::kInternal);
    if (tenant.is_none()) {
      const Result<TenantId> owner = cipher->owner(container);
      plain = owner ? cipher->decrypt(*owner, container) : Result<Secret>(owner.error());
    } else {
      plain = cipher->decrypt(tenant, container);
    }
    // Another instance may have made a key since: look once, then believe it.
    const bool retry =
        !plain && plain.error().code == pst::kUnknownKeyId && attempt == 0 && keys->reload();
    if (!retry) return plain;
  }
}

std::int16_t format_of(const Execution& execution, const OutputOp& op) {
  const auto formats = std::span<const std::int16_t>(execution.result_formats);
  return formats.empty()       ? protocol::kTextFormat
         : formats.size() == 1 ? formats.front()
                               : formats[op.output];
}

// What PostgreSQL answers of a table that was never analysed.
ByteView never_analysed(const Execution& execution, const OutputOp& op) {
  using namespace std::string_view_literals;
  const bool text = format_of(execution, op) == protocol::kTextFormat;
  if (op.action == OutputAction::kNoRows) return text ? "-1"sv : "\xbf\x80\0\0"sv;
  return text ? "0"sv : "\0\0\0\0"sv;
}

Status append_plain(Session* session, const Execution& execution, const OutputOp& op,
                    ByteView value, Bytes& out) {
  const policy::Ruleset& rules = *execution.analysed->protection->rules;
  const std::int16_t format = format_of(execution, op);
  POSTERN_ASSIGN(const Bytes container, container_of(value, format));
  POSTERN_ASSIGN(const Secret plain, open_container(session, rules, op.column, container));
  const auto& type = rules.columns.at(op.column.index).type;
  const types::Output output{static_cast<types::Format>(format), session->render};
  POSTERN_TRY(types::render(plain.reveal(), type, output, out));
  session->runtime().metrics.values_decrypted.add();
  return ok();
}

}  // namespace

bool checks_columns(const AnalysedText& analysed, std::size_t index) {
  if (analysed.protection == nullptr || analysed.protection->rules == nullptr) return false;
  const policy::StatementDecision* decision = analysed.decided(index);
  return !analysed.protection->rules->columns.empty() ||
         (decision != nullptr && decision->hides_numbers);
}

Result<bool> describe_rows(const AnalysedText& analysed, std::size_t index, ByteView body,
                           Bytes& out) {
  const policy::StatementDecision* decision = analysed.decided(index);
  if (!checks_columns(analysed, index)) return false;
  const bool hides_numbers = decision != nullptr && decision->hides_numbers;
  static const std::vector<OutputOp> kNone;
  const auto& ops = decision != nullptr ? decision->outputs : kNone;
  POSTERN_ASSIGN(const auto description, protocol::RowDescription::decode(body));
  if (!ops.empty() && ops.back().output >= description.size()) {
    return make_error(pst::kColumnCheckFailed, "fewer columns than expected");
  }
  Bytes message;
  protocol::RowDescriptionWriter writer(message, static_cast<std::uint16_t>(description.size()));
  std::size_t i = 0;
  for (const protocol::Field field : description) {
    POSTERN_ASSIGN(const auto shown, checked(field, op_of(ops, i++), analysed, hides_numbers));
    writer.field(shown);
  }
  POSTERN_TRY(writer.finish());
  if (ops.empty()) return false;
  out.append(message);
  return true;
}

Result<bool> describe_parameters(const PreparedStatement& statement, ByteView body, Bytes& out) {
  const AnalysedText& analysed = *statement.analysed;
  if (analysed.decision == nullptr ||
      (analysed.decision->params.empty() && statement.hidden.empty())) {
    return false;
  }
  POSTERN_ASSIGN(const auto description, protocol::ParameterDescription::decode(body));
  if (description.types.size() < statement.hidden.size()) {
    return make_error(pst::kColumnCheckFailed, "fewer parameters than expected");
  }
  std::vector<Oid> types;
  for (std::size_t i = 0; i < description.types.size() - statement.hidden.size(); ++i) {
    types.push_back(description.types[i]);
  }
  for (const policy::ParamOp& op : analysed.decision->params) {
    if (op.number == 0 || op.number > types.size()) continue;
    const Oid declared =
        op.number <= statement.client_types.size() ? statement.client_types[op.number - 1] : 0;
    const auto& column = analysed.protection->rules->columns.at(op.column.index);
    types[op.number - 1] = declared != kInvalidOid ? declared : types::type_oid(column.type);
  }
  Bytes storage;
  const protocol::ParameterDescription shown{protocol::OidList::pack(types, storage)};
  POSTERN_TRY(shown.encode(out));
  return true;
}

Status rewrite_row(Session* session, const Execution& execution, ByteView body, Bytes& out) {
  POSTERN_ASSIGN(const auto row, protocol::DataRow::decode(body));
  protocol::DataRowWriter writer(out, static_cast<std::uint16_t>(row.values.size()));
  Bytes plain;
  std::size_t i = 0;
  for (const protocol::Value value : row.values) {
    const OutputOp* op = op_of(execution.outputs, i++);
    if (value && hides_number(op)) {
      writer.value(never_analysed(execution, *op));
      continue;
    }
    if (op == nullptr || op->action != OutputAction::kDecrypt || !value) {
      writer.value(value);
      continue;
    }
    plain.clear();
    const Status opened = append_plain(session, execution, *op, *value, plain);
    if (!opened) {
      wipe(plain);
      session->runtime().metrics.decrypt_failures.add();
      return opened;
    }
    writer.value(ByteView(plain));
  }
  wipe(plain);
  return writer.finish();
}

}  // namespace postern::proxy
