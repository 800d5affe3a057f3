// A proposal as commented configuration files. Pure.
#pragma once

#include <functional>
#include <string>

#include "schema/inspection.hpp"
#include "schema/proposal.hpp"

namespace postern::schema {

/// Names of the files that `init` writes, relative to its folder.
inline constexpr const char* kConfigFileName = "postern.toml";
inline constexpr const char* kUsersFileName = "users.toml";
inline constexpr const char* kPasswordFileName = "upstream.password";

struct ConfigText {
  const Inspection* inspection = nullptr;
  const Proposal* proposal = nullptr;
  bool password_known = false;             ///< kPasswordFileName is written, too
  std::function<std::string()> make_uuid;  ///< for the identities of proposed columns
};

/// postern.toml: valid as it stands, in observe mode; encryption is proposed in comments.
std::string config_text(const ConfigText& input);

/// users.toml: the login that inspected the database, with its own password where it is known, else
/// with `stub_password`.
std::string users_text(const ConfigText& input, std::string_view stub_password);

}  // namespace postern::schema
