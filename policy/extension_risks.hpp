// Private to policy/: extensions whose functions reach around row security. One list for the gate,
// which refuses the functions, and for lint (L46), which reports the extensions.
#pragma once

#include <span>
#include <string_view>

#include "sql/catalog.hpp"

namespace postern::policy {

enum class ExtensionRisk : std::uint8_t {
  kNone,
  kFreeable,  ///< tells of sizes, pages or other sessions; allow_functions may permit it
  kNever,     ///< files, other servers, SQL in strings, rows past their policies
};

/// What calling the routine risks, by the extension it is a member of; written in C and of no
/// extension, by its name. An application's own functions are never meant, whatever their names.
ExtensionRisk extension_risk(const sql::Routine& routine);

/// Extensions that lint reports.
std::span<const std::string_view> reported_extensions();

}  // namespace postern::policy
