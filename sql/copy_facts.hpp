// COPY ... FROM STDIN as far as somebody who reads its data has to know it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.hpp"

namespace postern::sql {

enum class CopyFormat : std::uint8_t { kText, kCsv, kBinary };
enum class CopyHeader : std::uint8_t { kNone, kSkip, kMatch };

/// Columns and form of the data, in the order in which they come.
struct CopyIn {
  /// Not more than what follows is asked for: neither WHERE, FREEZE, another encoding than UTF8,
  /// nor an option that is unknown or has no valid value.
  bool plain = true;
  Oid table = kInvalidOid;
  std::vector<std::int16_t> columns;
  CopyFormat format = CopyFormat::kText;
  CopyHeader header = CopyHeader::kNone;
  char delimiter = '\t';
  char quote = '"';
  char escape = '"';
  std::string null_text = "\\N";
  std::vector<bool> force_not_null;  ///< parallel to columns
  std::vector<bool> force_null;      ///< parallel to columns
};

}  // namespace postern::sql
