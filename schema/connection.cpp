#include "schema/connection.hpp"

#include <utility>

#include <libpq-fe.h>

#include "base/bytes.hpp"
#include "base/codes/tools.hpp"

namespace postern::schema {
namespace {

struct ClearResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using ResultPtr = std::unique_ptr<PGresult, ClearResult>;

std::string text_of(const char* text) {
  return text != nullptr ? text : "";
}

/// The first line without "FATAL:  " and line end.
std::string first_line(std::string text) {
  text.resize(std::min(text.find('\n'), text.size()));
  return text;
}

Error refused(const pg_conn* connection, const PGresult* result) {
  const std::string state = text_of(PQresultErrorField(result, PG_DIAG_SQLSTATE));
  std::string message = text_of(PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
  if (message.empty()) message = first_line(text_of(PQerrorMessage(connection)));
  return make_error(pst::kDatabaseRefused, state.empty() ? message : state + " " + message);
}

bool succeeded(const PGresult* result) {
  const ExecStatusType status = PQresultStatus(result);
  return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY;
}

Rows rows_of(const PGresult* result) {
  Rows rows(static_cast<std::size_t>(PQntuples(result)));
  for (int r = 0; r < PQntuples(result); ++r) {
    Row& row = rows[static_cast<std::size_t>(r)];
    for (int c = 0; c < PQnfields(result); ++c) {
      if (PQgetisnull(result, r, c) != 0) {
        row.emplace_back(std::nullopt);
      } else {
        const auto size = static_cast<std::size_t>(PQgetlength(result, r, c));
        row.emplace_back(std::string(PQgetvalue(result, r, c), size));
      }
    }
  }
  return rows;
}

void keep_notice(void* target, const PGresult* result) {
  auto* notices = static_cast<std::vector<std::string>*>(target);
  notices->push_back(text_of(PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY)));
}

/// libpq's parallel lists of keywords and values; the password is wiped with this object.
class Parameters {
 public:
  explicit Parameters(const Conninfo& info) : password_(info.password().clone()) {
    for (const auto& [keyword, value] : info.parameters()) add(keyword.c_str(), value.c_str());
    if (!password_.empty()) add("password", password_.reveal().data());
    if (info.get("application_name").empty()) add("application_name", "postern");
    if (info.get("connect_timeout").empty()) add("connect_timeout", "10");
    add("client_encoding", "UTF8");
    add(nullptr, nullptr);
  }
  [[nodiscard]] const char* const* keywords() const { return keywords_.data(); }
  [[nodiscard]] const char* const* values() const { return values_.data(); }

 private:
  void add(const char* keyword, const char* value) {
    keywords_.push_back(keyword);
    values_.push_back(value);
  }
  Secret password_;  // a std::string inside: its data() ends with NUL
  std::vector<const char*> keywords_;
  std::vector<const char*> values_;
};

}  // namespace

void Connection::Close::operator()(pg_conn* connection) const noexcept {
  PQfinish(connection);
}

Connection::Connection(pg_conn* connection, std::unique_ptr<Notices> notices)
    : notices_(std::move(notices)), connection_(connection) {}

Result<Connection> Connection::open(const Conninfo& info) {
  const Parameters parameters(info);
  Connection out(PQconnectdbParams(parameters.keywords(), parameters.values(), 0),
                 std::make_unique<Notices>());
  pg_conn* connection = out.connection_.get();
  if (connection == nullptr || PQstatus(connection) != CONNECTION_OK) {
    return make_error(pst::kDatabaseUnreachable, first_line(text_of(PQerrorMessage(connection))));
  }
  PQsetNoticeReceiver(connection, keep_notice, out.notices_.get());
  if (out.server_version() < kLeastServerVersion) {
    return make_error(pst::kServerTooOld, text_of(PQparameterStatus(connection, "server_version")));
  }
  POSTERN_TRY(out.run("SET search_path = ''; SET standard_conforming_strings = on"));
  return out;
}

Result<Rows> Connection::query(const std::string& sql,
                               std::span<const std::string_view> parameters) {
  std::vector<Secret> owned;
  owned.reserve(parameters.size());
  std::vector<const char*> values;
  for (const std::string_view parameter : parameters) {
    values.push_back(owned.emplace_back(Bytes(parameter)).reveal().data());
  }
  const ResultPtr result(PQexecParams(connection_.get(), sql.c_str(),
                                      static_cast<int>(values.size()), nullptr, values.data(),
                                      nullptr, nullptr, 0));
  if (!succeeded(result.get())) return refused(connection_.get(), result.get());
  return rows_of(result.get());
}

Status Connection::run(const std::string& script) {
  const ResultPtr result(PQexec(connection_.get(), script.c_str()));
  if (!succeeded(result.get())) return refused(connection_.get(), result.get());
  return ok();
}

Result<std::string> Connection::value(const std::string& sql,
                                      std::span<const std::string_view> parameters) {
  POSTERN_ASSIGN(const Rows rows, query(sql, parameters));
  if (rows.empty() || rows.front().empty()) return std::string();
  return rows.front().front().value_or("");
}

Result<bool> Connection::truth(const std::string& sql) {
  const auto rows = query(sql);
  if (!rows) return rows.error();
  return rows->size() == 1 && !rows->front().empty() && rows->front().front() == "t";
}

std::vector<std::string> Connection::take_notices() {
  return std::exchange(*notices_, {});
}

std::string Connection::host() const {
  return text_of(PQhost(connection_.get()));
}
std::string Connection::port() const {
  return text_of(PQport(connection_.get()));
}
std::string Connection::user() const {
  return text_of(PQuser(connection_.get()));
}
std::string Connection::database() const {
  return text_of(PQdb(connection_.get()));
}
Secret Connection::password() const {
  return Secret(Bytes(text_of(PQpass(connection_.get()))));
}
int Connection::server_version() const {
  return PQserverVersion(connection_.get());
}
bool Connection::uses_tls() const {
  return PQsslInUse(connection_.get()) != 0;
}

}  // namespace postern::schema
