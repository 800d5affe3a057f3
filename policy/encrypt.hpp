// Private to policy/: what happens to protected columns in one understood statement of a principal
// that sees plaintext. Everything not positively served by a column's scheme is forbidden.
#pragma once

#include "policy/findings.hpp"

namespace postern::policy {

/// Every use of a protected column fits its scheme, its partner and the tenant in force; statements
/// and views that are not followed into protected columns are refused.
void check_column_uses(const Judged& judged);

/// Literals and parameters to be sealed, appended to `decision`.
void seal_values(const Judged& judged, Decision& decision);

/// Result columns to be decrypted.
void open_outputs(const Judged& judged, StatementDecision& out);

/// Whether any protected column (or a table that has one) takes part.
[[nodiscard]] bool touches_protected(const Judged& judged);

/// Protected column at a place, or nullptr.
[[nodiscard]] const ProtectedColumn* protected_at(const Judged& judged,
                                                  const std::optional<ColumnRef>& ref);
/// "schema.table.column".
std::string column_label(const ProtectedColumn& column);
/// The id of a column that protected_at() found.
[[nodiscard]] ColumnId id_of(const Judged& judged, ColumnRef ref);

}  // namespace postern::policy
