// Errors as values: a stable code from one table plus the particulars of this occurrence.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace postern {

enum class Severity : std::uint8_t { kError, kFatal };

/// A stable error code: the number shown as PST-xxxx. The constants are in base/codes/.
enum class Pst : std::uint16_t {};

namespace pst {
#define PST(name, number, sqlstate, severity, message, hint) inline constexpr Pst k##name{number};
#include "base/codes/internal.def"
#undef PST
}  // namespace pst

/// One row of base/error_codes.def. All views point to static storage.
struct PstInfo {
  Pst code;
  std::string_view name;
  std::string_view sqlstate;  ///< five characters
  Severity severity;
  std::string_view message;
  std::string_view hint;
};

/// The table row of a code; every constant has one.
const PstInfo& pst_info(Pst code);

/// "PST-1101".
std::string pst_label(Pst code);

/// Finds a row by label ("PST-1101", case-insensitive) or bare number ("1101").
std::optional<PstInfo> pst_find(std::string_view label);

/// An error that occurred. Never put plaintext of protected columns, parameters, keys or
/// passwords into `what`: it is sent to clients, logged and audited.
struct [[nodiscard]] Error {
  Pst code = pst::kInternal;
  std::string what;            ///< particulars, appended to the table's message after ": "
  std::string hint;            ///< replaces the table's hint where non-empty
  std::uint32_t position = 0;  ///< 1-based character position in the statement, 0 = none

  /// "message: what" as a user reads it, without code.
  [[nodiscard]] std::string message() const;
  /// The effective hint.
  [[nodiscard]] std::string_view effective_hint() const;
  /// One line for logs and terminals: "PST-1101 protocol violation: ... (hint)".
  [[nodiscard]] std::string line() const;
};

}  // namespace postern
