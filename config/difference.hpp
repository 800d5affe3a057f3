// What two configurations say differently, along the key table: for reloads and their report.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "config/key.hpp"
#include "config/options.hpp"

namespace postern::config {

/// One key, section or file whose value is another now.
struct KeyChange {
  std::string key;     ///< dotted path: "limits.max_clients", "database.app", "column[0].mask"
  std::string before;  ///< as the file would write it; of secrets and files only that it changed
  std::string after;
  Reload reload = Reload::kYes;
  /// "key: before -> after", with what it needs.
  [[nodiscard]] std::string text() const;
};

/// Sections that have a name: clusters, databases, users.
struct NameChanges {
  std::set<std::string> added;
  std::set<std::string> removed;
  std::set<std::string> changed;
  [[nodiscard]] bool empty() const { return added.empty() && removed.empty() && changed.empty(); }
};

struct Difference {
  std::vector<KeyChange> keys;  ///< ordered by path; keys inside an added section are not listed
  NameChanges clusters;
  NameChanges databases;
  NameChanges users;

  [[nodiscard]] bool empty() const { return keys.empty(); }
  /// True where a key changed that is `prefix` or lies below it ("tenant", "column").
  [[nodiscard]] bool touches(std::string_view prefix) const;
};

/// Digests of the files whose content a reload takes over (certificates, authorities), by key path.
using FileMarks = std::map<std::string, std::string, std::less<>>;

/// Marks of the files that `config` names at present; a file that cannot be read has none. Reads
/// files.
FileMarks file_marks(const Config& config);

/// Compares value by value; secrets by content, which no text of the result shows. `before_files`
/// and `after_files` add files whose content changed under an unchanged path.
Difference difference(const Config& before, const Config& after, const FileMarks& before_files,
                      const FileMarks& after_files);

/// Gives `next` the values of `present` wherever a change needs a restart, so that the process
/// goes on with what it was started with.
void keep_restart_keys(Config& next, const Config& present);

}  // namespace postern::config
