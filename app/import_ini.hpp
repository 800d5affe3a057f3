// Reads PgBouncer's files: pgbouncer.ini with its includes, and userlist.txt.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/secret.hpp"

namespace postern::app {

/// One `key = value` with where it stands.
struct IniEntry {
  std::string section;  ///< lower case
  std::string key;      ///< names of [databases] and [users] unquoted
  std::string value;    ///< without blanks around it
  std::string where;    ///< "file:line"
};

inline constexpr std::size_t kMaxIniBytes = 4u << 20;  ///< of one file
inline constexpr int kMaxIniDepth = 10;                ///< of %include, as in PgBouncer

/// Entries in order. kImportFile names file and line of what is not understood, or a file that
/// cannot be read.
Result<std::vector<IniEntry>> read_ini(const std::string& file);

/// `host=a dbname='b c'`: libpq's notation, in which PgBouncer doubles a quote inside quotes.
/// kImportFile names `where`.
Result<std::vector<std::pair<std::string, std::string>>> read_connection(std::string_view text,
                                                                         const std::string& where);

/// A line of userlist.txt.
struct ListedUser {
  std::string name;
  Secret secret;  ///< password, md5 hash or SCRAM verifier
};

/// kImportFile as above; never quotes what the file holds.
Result<std::vector<ListedUser>> read_userlist(const std::string& file);

}  // namespace postern::app
