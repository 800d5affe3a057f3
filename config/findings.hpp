// Collects mistakes found across keys, with their places.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/codes/config.hpp"
#include "base/error.hpp"
#include "config/options.hpp"

namespace postern::config {

/// Path of an entry of an array of tables.
inline std::string item(std::string_view list, std::size_t i) {
  return std::string(list) + "[" + std::to_string(i) + "]";
}

class Findings {
 public:
  explicit Findings(const Config& config) : config_(config) {}

  /// `path` is the key to blame; where no file wrote it, its section is named, else the main file.
  void add(Pst code, const std::string& path, std::string_view reason);
  /// The frequent case.
  void conflict(const std::string& path, std::string_view reason) {
    add(pst::kConfigConflict, path, reason);
  }
  void missing(const std::string& path, std::string_view reason) {
    add(pst::kConfigMissingKey, path, reason);
  }
  /// True where a file wrote this key or section.
  [[nodiscard]] bool written(const std::string& path) const {
    return config_.origins.contains(path);
  }
  [[nodiscard]] const Config& config() const { return config_; }
  std::vector<Error> take() { return std::move(errors_); }

 private:
  const Config& config_;
  std::vector<Error> errors_;
};

// The parts of validate().
void validate_network(Findings& findings);     // validate_network.cpp
void validate_logins(Findings& findings);      // validate_auth.cpp
void validate_identity(Findings& findings);    // validate_identity.cpp
void validate_protection(Findings& findings);  // validate_protection.cpp
/// Called by it where tenants have schemas.
void validate_schema_tenants(Findings& findings);  // validate_schemas.cpp
void validate_policy(Findings& findings);          // validate_policy.cpp
void validate_services(Findings& findings);        // validate.cpp

}  // namespace postern::config
