// Where to connect and as whom, as libpq's parameters.
#pragma once

#include <map>
#include <string>

#include "base/result.hpp"
#include "base/secret.hpp"
#include "config/options.hpp"

namespace postern::schema {

/// Parameters by libpq's keywords ("host", "port", "user", "dbname", "sslmode", ...). What is not
/// set comes from libpq's environment variables (PGPASSWORD, PGSSLMODE, ...) and defaults.
class Conninfo {
 public:
  /// Reads a URI (postgres://user:password@host:port/database?option=value) or keyword=value text.
  /// kBadConnectionString without quoting the text, which may hold a password.
  static Result<Conninfo> parse(const std::string& text);

  /// The parameters of one node of a cluster, its TLS and its time limit.
  static Conninfo of_node(const config::ClusterOptions& cluster, const config::HostPort& node);

  Conninfo& set(std::string keyword, std::string value);
  Conninfo& set_password(Secret password);
  /// As set(), where the keyword has no value yet.
  Conninfo& set_default(const std::string& keyword, std::string value);

  /// Empty where not set. Never the password.
  [[nodiscard]] std::string get(const std::string& keyword) const;
  [[nodiscard]] const std::map<std::string, std::string>& parameters() const { return values_; }
  [[nodiscard]] const Secret& password() const { return password_; }

 private:
  std::map<std::string, std::string> values_;
  Secret password_;
};

}  // namespace postern::schema
