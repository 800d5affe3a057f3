// A TOML file as a small tree of ours: the TOML library stays behind this interface.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace postern::config {

struct Member;

/// One value. Which members are meaningful follows from `kind`.
struct Node {
  enum class Kind : std::uint8_t { kText, kInteger, kBoolean, kArray, kTable, kOther };

  Kind kind = Kind::kOther;     ///< kOther: float, date or time, which no key takes
  std::uint32_t line = 0;       ///< 1-based; of the key for members of a table
  std::string text;             ///< kText
  std::int64_t integer = 0;     ///< kInteger
  bool boolean = false;         ///< kBoolean
  std::vector<Node> items;      ///< kArray
  std::vector<Member> members;  ///< kTable, ordered by line

  [[nodiscard]] std::string_view kind_name() const;
};

/// One key of a table and its value.
struct Member {
  std::string name;
  Node node;
};

/// Overwrites every text of the tree: it may hold passwords.
void wipe_texts(Node& node) noexcept;

/// Parses TOML 1.0. PST-1002 "file:line: …" without any of the file's content, which may be secret.
Result<Node> parse_toml(std::string_view content, const std::string& file);

}  // namespace postern::config
