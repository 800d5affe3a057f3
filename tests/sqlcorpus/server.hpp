// What a live PostgreSQL says about a statement: the oracle.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <libpq-fe.h>

#include "sql/catalog.hpp"

namespace postern::sqlcorpus {

struct ServerColumn {
  std::string name;
  Oid type = kInvalidOid;
  Oid table = kInvalidOid;  ///< the relation whose column it is, unchanged; 0: none
  int attnum = 0;
};

/// What PREPARE and the dependencies of a function with the statement as its body tell.
struct ServerView {
  std::vector<ServerColumn> columns;
  bool has_dependencies = false;             ///< it could be a function's body
  std::set<Oid> relations;                   ///< without those of the system
  std::set<std::pair<Oid, int>> attributes;  ///< relation and column
  std::set<Oid> routines;  ///< those of operators included; without those of the system
  bool has_plan = false;
  bool writes = false;  ///< its plan changes rows
  bool locks = false;   ///< its plan locks rows
};

class Server {
 public:
  /// Exits where it cannot connect.
  explicit Server(const std::string& conninfo);
  ~Server() { PQfinish(connection_); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// The catalog as proxy/keeper reads it. Exits where it cannot be read.
  std::shared_ptr<const sql::Catalog> catalog();
  /// nullopt where the server does not take the statement.
  std::optional<ServerView> view(const std::string& statement);

 private:
  using Result = std::unique_ptr<PGresult, decltype(&PQclear)>;
  Result run(const std::string& sql) { return {PQexec(connection_, sql.c_str()), &PQclear}; }
  bool succeeds(const std::string& sql);
  bool describe(const std::string& statement, ServerView& view);
  void dependencies(const std::string& statement, ServerView& view);
  void plan(const std::string& statement, ServerView& view);

  PGconn* connection_;
};

}  // namespace postern::sqlcorpus
