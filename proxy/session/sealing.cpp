#include "proxy/session/sealing.hpp"

#include <algorithm>
#include <utility>

#include "base/codes/crypto.hpp"
#include "base/codes/session.hpp"
#include "base/codes/types.hpp"
#include "policy/arming.hpp"
#include "proxy/session/acting.hpp"
#include "proxy/session/bytea.hpp"
#include "proxy/session/literal_text.hpp"
#include "types/value.hpp"

namespace postern::proxy {
namespace {

using policy::LiteralOp;
using policy::ParamOp;

struct Sealing {
  policy::ColumnId column;
  bool operand = false;
  Oid declared = kInvalidOid;  ///< type a binary value was sent as, where the client said
};

// Integers of every width share their canonical form, so a binary value is read as the client
// declared it; storing one that the column cannot hold is PostgreSQL's own range error.
Result<Secret> parse_value(const Session& session, const types::LogicalType& column,
                           const Sealing& how, const types::Input& input) {
  const types::LogicalType type = how.operand ? types::operand_type(column) : column;
  const bool integer = types::type_family(column) == types::TypeFamily::kInteger;
  if (!integer || input.format != types::Format::kBinary || how.declared == kInvalidOid) {
    return types::parse(input, type, session.render);
  }
  POSTERN_ASSIGN(const types::LogicalType declared, types::from_oid(how.declared, -1));
  POSTERN_ASSIGN(Secret canonical, types::parse(input, declared, session.render));
  if (!how.operand) {
    Bytes unused;
    const types::Output output{types::Format::kText, session.render};
    const Status fits = types::render(canonical.reveal(), column, output, unused);
    wipe(unused);
    if (!fits) return make_error(pst::kNumberOutOfRange);
  }
  return canonical;
}

Result<Bytes> seal(Session* session, const AnalysedText& analysed, const Sealing& how,
                   const types::Input& input) {
  const policy::Ruleset& rules = *analysed.protection->rules;
  const policy::ProtectedColumn& column = rules.columns.at(how.column.index);
  POSTERN_ASSIGN(const Secret canonical, parse_value(*session, column.type, how, input));
  if (canonical.size() > session->config().limits.encrypted_value_bytes.bytes) {
    return make_error(pst::kPlaintextTooLarge, column.table + "." + column.column);
  }
  KeyService* keys = session->runtime().keys.get();
  POSTERN_ASSIGN(crypto::ColumnCipher * cipher,
                 session->context->ciphers.get(keys, rules, how.column));
  POSTERN_ASSIGN(Bytes sealed, cipher->encrypt(session->identity.tenant, canonical.reveal()));
  session->runtime().metrics.values_encrypted.add();
  return sealed;
}

std::uint32_t character_position(std::string_view text, std::uint32_t byte) {
  const auto begin = text.begin();
  return 1 + static_cast<std::uint32_t>(std::count_if(begin, begin + byte, [](char c) {
           return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
         }));
}

std::string_view slice(std::string_view text, sql::Span span) {
  return text.substr(span.begin, span.end - span.begin);
}

Result<std::string> sealed_literal(Session* session, const AnalysedText& analysed,
                                   const LiteralOp& op) {
  POSTERN_ASSIGN(const Secret plain, literal_text(slice(analysed.text, op.token), op.token_class));
  const types::Input input{types::Format::kText, plain.reveal()};
  POSTERN_ASSIGN(const Bytes sealed,
                 seal(session, analysed, {op.column, op.operand, kInvalidOid}, input));
  return "'" + bytea_text(sealed) + "'::pg_catalog.bytea";
}

std::uint16_t highest_parameter(const AnalysedText& analysed, std::size_t declared) {
  std::uint16_t highest = static_cast<std::uint16_t>(declared);
  for (const sql::Statement& statement : analysed.facts->statements) {
    for (const sql::Param& param : statement.params) highest = std::max(highest, param.number);
  }
  return highest;
}

const ParamOp* op_of(const AnalysedText& analysed, std::size_t number) {
  const auto& ops = analysed.decision->params;
  const auto it =
      std::find_if(ops.begin(), ops.end(), [&](const ParamOp& op) { return op.number == number; });
  return it == ops.end() ? nullptr : &*it;
}

// Values and formats of a rewritten Bind while it is put together.
struct Values {
  Bytes storage;
  std::vector<std::int16_t> formats;

  void add(std::int16_t format, protocol::Value value) {
    protocol::ValueList::append(storage, value);
    formats.push_back(format);
  }
};

Status add_client_value(Session* session, const PreparedStatement& statement,
                        const protocol::Bind& bind, Values& out) {
  const AnalysedText& analysed = *statement.analysed;
  std::size_t number = 0;
  for (const protocol::Value value : bind.values) {
    const std::int16_t format = protocol::format_of(bind.parameter_formats, number);
    ++number;
    const ParamOp* op = op_of(analysed, number);
    if (op == nullptr || !value) {
      out.add(format, value);
      continue;
    }
    if (op->array) return make_error(pst::kEncryptedArray);
    const types::Input input{static_cast<types::Format>(format), *value};
    const Oid declared =
        number <= statement.client_types.size() ? statement.client_types[number - 1] : kInvalidOid;
    const Sealing how{op->column, op->operand, declared};
    POSTERN_ASSIGN(const Bytes sealed, seal(session, analysed, how, input));
    out.add(protocol::kBinaryFormat, ByteView(sealed));
  }
  return ok();
}

// Binary integers come as the client declared them, which need not be the column's own width.
Status check_binary_types(const PreparedStatement& statement, const protocol::Bind& bind) {
  for (const ParamOp& op : statement.analysed->decision->params) {
    if (op.number == 0 || op.number > bind.values.size()) return make_error(pst::kParameterCount);
    const std::size_t i = op.number - 1u;
    const bool binary = protocol::format_of(bind.parameter_formats, i) == protocol::kBinaryFormat;
    if (!binary || i >= statement.client_types.size()) continue;
    const Oid declared = statement.client_types[i];
    const auto& column = statement.analysed->protection->rules->columns.at(op.column.index);
    if (declared == kInvalidOid) continue;
    const auto type = types::from_oid(declared, -1);
    if (!type || types::type_family(*type) != types::type_family(column.type)) {
      return make_error(pst::kParameterType, column.table + "." + column.column);
    }
  }
  return ok();
}

}  // namespace

Result<std::vector<Splice>> seal_literals(Session* session, const AnalysedText& analysed) {
  std::vector<Splice> splices;
  if (analysed.decision == nullptr) return splices;
  for (const LiteralOp& op : analysed.decision->literals) {
    auto text = sealed_literal(session, analysed, op);
    if (!text) {
      Error error = std::move(text).error();
      error.position = character_position(analysed.text, op.token.begin);
      return error;
    }
    splices.push_back({op.span, std::move(*text)});
  }
  return splices;
}

Status hide_literals(PreparedStatement* statement) {
  const AnalysedText& analysed = *statement->analysed;
  statement->server_text = analysed.text;
  statement->server_types = statement->client_types;
  if (shows_tenant(analysed)) statement->server_text = policy::kShowTenantSql;
  if (analysed.decision == nullptr) return ok();
  std::vector<Splice> splices;
  std::uint16_t next = highest_parameter(analysed, statement->client_types.size());
  constexpr std::size_t kMostParameters = 65'535;
  if (next + analysed.decision->literals.size() > kMostParameters) {
    return make_error(pst::kTooManyParameters);
  }
  for (const LiteralOp& op : analysed.decision->literals) {
    POSTERN_ASSIGN(Secret text, literal_text(slice(analysed.text, op.token), op.token_class));
    ++next;
    splices.push_back({op.span, "$" + std::to_string(next)});
    statement->hidden.push_back({next, op.column, op.operand, std::move(text)});
  }
  for (const ParamOp& op : analysed.decision->params) {
    const std::string bare = "$" + std::to_string(op.number);
    if (op.cast_span.begin != op.cast_span.end) splices.push_back({op.cast_span, bare});
    for (const sql::Span span : op.further_casts) splices.push_back({span, bare});
  }
  std::sort(splices.begin(), splices.end(),
            [](const Splice& a, const Splice& b) { return a.span.begin < b.span.begin; });
  statement->server_types.resize(std::max<std::size_t>(next, statement->server_types.size()));
  for (const ParamOp& op : analysed.decision->params) {
    if (op.number == 0 || op.number > statement->server_types.size()) {
      return make_error(pst::kTooManyParameters);
    }
    statement->server_types[op.number - 1u] = kByteaOid;
  }
  for (const HiddenParam& param : statement->hidden) {
    statement->server_types.at(param.number - 1u) = kByteaOid;
  }
  if (!splices.empty()) {
    statement->spliced.emplace(analysed.text, std::move(splices));
    statement->server_text = statement->spliced->text();
  }
  return ok();
}

bool seals_parameters(const PreparedStatement& statement) {
  const AnalysedText& analysed = *statement.analysed;
  return analysed.decision != nullptr &&
         (!analysed.decision->params.empty() || !statement.hidden.empty());
}

Status seal_bind(Session* session, const PreparedStatement& statement, const protocol::Bind& bind,
                 Bytes& out) {
  POSTERN_TRY(protocol::check_formats(bind.parameter_formats, bind.values.size()));
  POSTERN_TRY(check_binary_types(statement, bind));
  Values values;
  POSTERN_TRY(add_client_value(session, statement, bind, values));
  for (const HiddenParam& param : statement.hidden) {
    if (param.number != values.formats.size() + 1) return make_error(pst::kParameterCount);
    const types::Input input{types::Format::kText, param.text.reveal()};
    POSTERN_ASSIGN(const Bytes sealed, seal(session, *statement.analysed,
                                            {param.column, param.operand, kInvalidOid}, input));
    values.add(protocol::kBinaryFormat, ByteView(sealed));
  }
  Bytes formats;
  protocol::Bind rewritten = bind;
  rewritten.statement = statement.server_name;
  rewritten.parameter_formats = protocol::FormatList::pack(values.formats, formats);
  rewritten.values =
      protocol::ValueList::over(values.storage, static_cast<std::uint16_t>(values.formats.size()));
  const Status encoded = rewritten.encode(out);
  return encoded;
}

}  // namespace postern::proxy
