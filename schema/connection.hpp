// A blocking connection to a server, over libpq, for commands that run to their end.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/secret.hpp"
#include "schema/conninfo.hpp"

struct pg_conn;

namespace postern::schema {

/// Values in PostgreSQL's text format; nullopt is NULL.
using Row = std::vector<std::optional<std::string>>;
using Rows = std::vector<Row>;

/// Move-only, one thread at a time. Its session has an empty search_path, standard strings and
/// client encoding UTF8.
class Connection {
 public:
  /// kDatabaseUnreachable with the server's or libpq's reason; kServerTooOld below version 15.
  static Result<Connection> open(const Conninfo& info);

  /// One statement; parameters are text, bound apart, and wiped afterwards. kDatabaseRefused with
  /// SQLSTATE and message (never its DETAIL, which may quote rows).
  Result<Rows> query(const std::string& sql, std::span<const std::string_view> parameters = {});
  /// Several statements in one text; results are dropped.
  Status run(const std::string& script);
  /// The first value of the first row, empty for none or NULL.
  Result<std::string> value(const std::string& sql,
                            std::span<const std::string_view> parameters = {});

  /// Whether that value is true.
  Result<bool> truth(const std::string& sql);

  /// Warnings and notices since the last call.
  std::vector<std::string> take_notices();

  [[nodiscard]] std::string host() const;
  [[nodiscard]] std::string port() const;
  [[nodiscard]] std::string user() const;
  [[nodiscard]] std::string database() const;
  /// The password used, wherever libpq found it; empty for none.
  [[nodiscard]] Secret password() const;
  /// 150020 for 15.20.
  [[nodiscard]] int server_version() const;
  [[nodiscard]] bool uses_tls() const;

 private:
  struct Close {
    void operator()(pg_conn* connection) const noexcept;
  };
  using Notices = std::vector<std::string>;
  Connection(pg_conn* connection, std::unique_ptr<Notices> notices);

  std::unique_ptr<Notices> notices_;  ///< outlives the connection that writes into it
  std::unique_ptr<pg_conn, Close> connection_;
};

/// The oldest server Postern works with, as server_version() writes it.
inline constexpr int kLeastServerVersion = 150000;

}  // namespace postern::schema
