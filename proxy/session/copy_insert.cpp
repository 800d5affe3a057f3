#include "proxy/session/copy_insert.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "policy/sql_quote.hpp"
#include "protocol/extended.hpp"
#include "protocol/rows.hpp"
#include "proxy/session/error_shape.hpp"

namespace postern::proxy {
namespace {

using protocol::BackendType;
using protocol::Frame;

constexpr char kFieldWhere = 'W';
constexpr std::string_view kBadEncoding = "22021";
constexpr std::size_t kHeader = 5;  // type and length word

std::vector<std::string> names_of(const sql::CopyIn& form, const sql::Relation& relation) {
  std::vector<std::string> names;
  for (const std::int16_t attnum : form.columns) names.push_back(relation.column(attnum)->name);
  return names;
}

std::string target_of(const sql::Relation& relation, const std::vector<std::string>& names) {
  std::string out = policy::quote_relation(relation) + " (";
  for (std::size_t i = 0; i < names.size(); ++i) {
    out.append(i == 0 ? "" : ",").append(policy::quote_ident(names[i]));
  }
  return out + ")";
}

// "unnamed portal parameter $3 = ...", in the last line: the parameter, 0 where none is named.
std::size_t parameter_in(std::string_view where) {
  where.remove_prefix(where.rfind('\n') + 1);
  const auto at = where.find('$');
  if (at == std::string_view::npos) return 0;
  std::size_t number = 0;
  std::from_chars(where.data() + at + 1, where.data() + where.size(), number);
  return number;
}

}  // namespace

CopyInsert::CopyInsert(std::shared_ptr<Execution> execution, const sql::CopyIn& form,
                       const sql::Relation& relation, CopyTransaction transaction)
    : execution_(std::move(execution)),
      form_(form),
      names_(names_of(form, relation)),
      target_(target_of(relation, names_)),
      transaction_(transaction),
      reader_(form, relation.name, names_) {}

void CopyInsert::add(CopyRow row) {
  bytes_ += row.values.size();
  rows_.push_back(std::move(row));
}

bool CopyInsert::full() const {
  return rows_.size() >= kMaxRows || bytes_ >= kMaxBytes ||
         (rows_.size() + 1) * columns() > kMaxValues;
}

void CopyInsert::drop_rows() {
  rows_.clear();
  bytes_ = 0;
}

// COPY stores what it is given in identity columns too.
std::string CopyInsert::statement(std::size_t rows) const {
  std::string out = "INSERT INTO " + target_ + " OVERRIDING SYSTEM VALUE VALUES ";
  std::size_t number = 0;
  for (std::size_t row = 0; row < rows; ++row) {
    out.append(row == 0 ? "(" : ",(");
    for (std::size_t i = 0; i < columns(); ++i) {
      out.append(i == 0 ? "$" : ",$").append(std::to_string(++number));
    }
    out.push_back(')');
  }
  return out;
}

Status CopyInsert::encode_rows(std::size_t first, std::size_t count, Bytes& out) const {
  Bytes values;
  for (std::size_t i = first; i < first + count; ++i) values.append(rows_[i].values);
  Bytes formats;
  const std::int16_t format = binary() ? protocol::kBinaryFormat : protocol::kTextFormat;
  protocol::Bind bind;
  bind.parameter_formats = protocol::FormatList::pack({&format, 1}, formats);
  bind.values = protocol::ValueList::over(values, static_cast<std::uint16_t>(count * columns()));
  POSTERN_TRY(bind.encode(out));
  return protocol::Execute{"", 0}.encode(out);
}

void CopyInsert::begin_attempt() {
  failure_.reset();
  bound_ = executed_ = 0;
  inserted_ = 0;
}

Status CopyInsert::on_reply(const Frame& frame) {
  switch (frame.backend()) {
    case BackendType::kErrorResponse: {
      if (failure_) return ok();  // what follows from the first says nothing
      POSTERN_ASSIGN(const auto fields, protocol::ErrorFields::decode(frame.body));
      failure_ = protocol::OwnedErrorFields::copy(fields);
      return ok();
    }
    case BackendType::kDataRow: {
      POSTERN_ASSIGN(const auto row, protocol::DataRow::decode(frame.body));
      auto& values = told_.emplace_back();
      for (const protocol::Value value : row.values) values.emplace_back(value.value_or(""));
      return ok();
    }
    case BackendType::kBindComplete:
      ++bound_;
      return ok();
    case BackendType::kCommandComplete: {
      POSTERN_ASSIGN(const auto complete, protocol::CommandComplete::decode(frame.body));
      if (!complete.tag.starts_with("INSERT")) return ok();
      ++executed_;
      inserted_ += complete.rows();
      return ok();
    }
    default:
      return ok();
  }
}

Status CopyInsert::succeed() {
  return protocol::CommandComplete{"COPY " + std::to_string(total_)}.encode(answer_);
}

void CopyInsert::fail_with(const CopyFault& fault) {
  protocol::ErrorWriter writer(answer_, protocol::ErrorWriter::Kind::kError);
  writer.field(protocol::kFieldSeverity, "ERROR")
      .field(protocol::kFieldSeverityPlain, "ERROR")
      .field(protocol::kFieldSqlstate, fault.sqlstate)
      .field(protocol::kFieldMessage, fault.message)
      .field(protocol::kFieldHint, fault.hint)
      .field(kFieldWhere, fault.context);
  writer.finish();
}

// Rows were sent one by one where the failure counts: the one that was neither bound nor executed.
std::string CopyInsert::failure_context() const {
  if (executed_ >= rows_.size()) return {};
  const CopyRow& row = rows_[executed_];
  std::string context = reader_.place(row.line);
  // PostgreSQL looks at the encoding of a line before it looks at columns.
  if (bound_ > executed_ || failure_->get(protocol::kFieldSqlstate) == kBadEncoding) return context;
  const std::size_t number = parameter_in(failure_->get(kFieldWhere));
  if (number == 0 || number > columns()) return context;
  context.append(", column ").append(names_[number - 1]);
  if (binary()) return context;
  const auto values = protocol::ValueList::over(row.values, static_cast<std::uint16_t>(columns()));
  const protocol::Value value = values[number - 1];
  return context + (value ? ": \"" + shown_in_context(*value) + "\"" : ": null input");
}

void CopyInsert::fail_as_server(bool shaped) {
  const std::string context = failure_context();
  const bool while_bound = bound_ > executed_;
  std::string where;
  protocol::ErrorWriter writer(answer_, protocol::ErrorWriter::Kind::kError);
  for (const auto& [code, value] : failure_->fields) {
    // Positions are those of a statement the client never saw.
    if (code == protocol::kFieldPosition || code == kFieldWhere) {
      if (code == kFieldWhere && while_bound && !shaped) where = value;
      continue;
    }
    if (shaped && tells_of_rows(code)) continue;
    writer.field(code, value);
  }
  if (!context.empty()) where.append(where.empty() ? "" : "\n").append(context);
  writer.field(kFieldWhere, where);
  writer.finish();
}

Frame CopyInsert::shown(const Frame& frame) {
  const bool error = frame.backend() == BackendType::kErrorResponse;
  const bool done = frame.backend() == BackendType::kCommandComplete ||
                    frame.backend() == BackendType::kEmptyQueryResponse;
  if (answer_.empty() || (!error && !done)) return frame;
  taking_ = false;
  const bool fails = answer_.front() == static_cast<char>(BackendType::kErrorResponse);
  // A COMMIT that fails says so itself.
  if (fails != error) return frame;
  Frame out = frame;
  out.type = answer_.front();
  out.whole = answer_;
  out.body = out.whole.substr(kHeader);
  return out;
}

}  // namespace postern::proxy
