#include "policy/ruleset.hpp"

#include <array>

namespace postern::policy {
namespace {

constexpr std::array<std::pair<Profile, const char*>, 6> kProfiles = {{
    {Profile::kApp, "app"},
    {Profile::kAnalyst, "analyst"},
    {Profile::kMigrator, "migrator"},
    {Profile::kBackup, "backup"},
    {Profile::kAdmin, "admin"},
    {Profile::kTransparent, "transparent"},
}};

}  // namespace

const char* to_word(Profile profile) {
  for (const auto& [value, word] : kProfiles) {
    if (value == profile) return word;
  }
  return "app";
}

std::optional<Profile> profile_from_word(std::string_view word) {
  for (const auto& [value, text] : kProfiles) {
    if (word == text) return value;
  }
  return std::nullopt;
}

const ProtectedColumn* Ruleset::protected_column(ColumnRef ref) const {
  const auto it = column_index.find(ref);
  return it == column_index.end() ? nullptr : &columns[it->second.index];
}

}  // namespace postern::policy
