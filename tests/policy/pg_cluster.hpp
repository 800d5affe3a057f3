// A throw-away PostgreSQL cluster and psql sessions on it, for tests that take the server as
// oracle.
#pragma once

#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace postern::test {

/// Made by initdb in a new folder under /tmp, listening on a socket there only; stopped and removed
/// by the destructor. Started as `nobody` where the test runs as root, which PostgreSQL refuses.
class PgCluster {
 public:
  PgCluster();
  ~PgCluster();
  PgCluster(const PgCluster&) = delete;
  PgCluster& operator=(const PgCluster&) = delete;

  [[nodiscard]] bool running() const { return running_; }
  [[nodiscard]] const std::string& folder() const { return folder_; }

 private:
  std::string folder_;
  bool running_ = false;
};

/// One psql process, one server session. Rows are separated by 0x1E, columns by 0x1F.
class Psql {
 public:
  Psql(const PgCluster& cluster, const std::string& user, const std::string& database);
  ~Psql();
  Psql(const Psql&) = delete;
  Psql& operator=(const Psql&) = delete;

  /// What psql printed, errors ("ERROR:  SQLSTATE: ...") included, without the last line break.
  std::string run(std::string_view sql);
  /// Rows of one query. Empty where it failed.
  std::vector<std::vector<std::string>> rows(std::string_view sql);

 private:
  int to_ = -1;
  int from_ = -1;
  pid_t child_ = -1;
};

}  // namespace postern::test
