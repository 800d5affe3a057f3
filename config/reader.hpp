// Walks a parsed file along the key table and fills the options structs.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "config/key.hpp"
#include "config/load.hpp"
#include "config/toml_document.hpp"

namespace postern::config {

/// An include as written.
struct Include {
  FilePath path;
  Where where;
};

/// Reads one tree after the other into the same structs. Mistakes are collected, not returned: the
/// values they concern keep their defaults.
class Reader {
 public:
  /// All three outlive the Reader.
  Reader(Origins& origins, std::vector<Error>& errors, const Environment& environment)
      : origins_(origins), errors_(errors), environment_(environment) {}

  /// Reads a whole file. `file` is the name for messages and the base of relative paths.
  void read_file(const Node& root, const KeyRows& rows, const std::string& file);

  /// After the last file: names every required key that no file gave.
  void check_required();

  /// Includes met since the last call.
  std::vector<Include> take_includes();

 private:
  void read_table(const Node& table, const KeyRows& rows, const std::string& path);
  void read_member(const std::string& name, const Node& node, const KeyRows& rows,
                   const std::string& path);
  void unknown_key(const std::string& name, const Node& node, const KeyRows& rows,
                   const std::string& path);
  void check_secrets(const KeyRows& rows, const std::string& path);
  /// Remembers the origin; false and an error where another file has set it already.
  bool claim(const std::string& path, const Node& node);

  void read(const KeyRow& row, const TableKey& key, const Node& node, const std::string& path);
  void read(const KeyRow& row, const NamedKey& key, const Node& node, const std::string& path);
  void read(const KeyRow& row, const ListKey& key, const Node& node, const std::string& path);
  void read(const KeyRow& row, const IncludeKey& key, const Node& node, const std::string& path);
  /// Every key that holds a value rather than a section.
  template <typename Key>
  void read(const KeyRow& row, const Key& key, const Node& node, const std::string& path);

  void fail(Pst code, const Node& node, const std::string& path, std::string reason);

  Origins& origins_;
  std::vector<Error>& errors_;
  const Environment& environment_;
  std::string file_;
  std::vector<Include> includes_;
  std::map<std::string, std::vector<std::string>> required_;  ///< by section path
};

}  // namespace postern::config
