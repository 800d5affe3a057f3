// A connection of the [service] login to one database of one node, kept open and reopened.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "config/options.hpp"
#include "proxy/catalog/rows.hpp"
#include "proxy/runtime/database.hpp"

namespace postern::proxy {

/// Where a service connection goes.
struct ServicePlace {
  const Cluster* cluster = nullptr;
  std::size_t node = 0;  ///< index into Cluster::nodes()
  std::string database;  ///< its name on the server
};

/// Used on one worker's thread, one operation at a time; must outlive its operations. Sessions of
/// this login are read-only, run with search_path='' and UTF8, and are named 'postern'.
class ServiceConnection {
 public:
  /// Longest a query may take before the connection is given up.
  static constexpr std::chrono::seconds kQueryTimeout{60};

  /// The worker, the options and the cluster must outlive it.
  ServiceConnection(Worker* worker, const config::ServiceOptions* service, ServicePlace place);
  ServiceConnection(const ServiceConnection&) = delete;
  ServiceConnection& operator=(const ServiceConnection&) = delete;
  ~ServiceConnection();

  /// Goes elsewhere from now on: closes the present connection if it is at another place.
  void move_to(std::size_t node);
  void use_database(std::string database);
  [[nodiscard]] std::size_t node() const { return place_.node; }
  [[nodiscard]] const Cluster& cluster() const { return *place_.cluster; }
  /// Longest time for connecting, for logging in, and for each query from now on.
  void limit(std::chrono::milliseconds timeout) { timeout_ = timeout; }

  /// Opens the connection where there is none. kUnknownDatabase, kUpstreamQuery with the server's
  /// SQLSTATE and message where it refused the login, and those of open_server().
  Task<Status> open();
  /// Runs one read-only statement; opens first where needed, and again where the connection kept
  /// turns out to be dead. Errors: those of open() and plain_query(), kConnectTimeout.
  Task<Result<Rows>> query(std::string text);
  /// The same with one text parameter, $1.
  Task<Result<Rows>> query(std::string text, std::string parameter);
  /// As query(), but on the very connection of the queries before: kUpstreamLost where it is gone.
  Task<Result<Rows>> query_same(std::string text);
  Task<Result<Rows>> query_same(std::string text, std::string parameter);

  void close();
  [[nodiscard]] bool is_open() const { return open_ != nullptr; }
  /// What the server said of itself at login; null while closed.
  [[nodiscard]] const ServerFacts* facts() const;
  /// Grows with every connection opened: equal values, same backend process.
  [[nodiscard]] std::uint64_t generation() const { return generation_; }

 private:
  struct Open;

  [[nodiscard]] UpstreamTarget target() const;
  Task<Result<Rows>> run(std::string text, std::optional<std::string> parameter);
  Task<Result<Rows>> run_same(std::string text, std::optional<std::string> parameter);

  Worker* worker_;
  const config::ServiceOptions* service_;
  std::shared_ptr<const Secret> password_;
  ServicePlace place_;
  std::chrono::milliseconds timeout_ = kQueryTimeout;
  std::unique_ptr<Open> open_;
  std::uint64_t generation_ = 0;
};

/// The five characters at the start of a kUpstreamQuery error, "" for other errors.
std::string_view upstream_sqlstate(const Error& error);

}  // namespace postern::proxy
