// COPY FROM STDIN into a table that the catalog does not show yet, as in the transaction that made
// it: the server tells which columns it has.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sql/catalog.hpp"
#include "sql/copy_facts.hpp"

namespace postern::proxy {

/// What the text of a COPY names. Nothing is looked up.
struct CopyNames {
  std::string table;                 ///< as written, qualified or not
  std::vector<std::string> columns;  ///< as PostgreSQL reads them; empty: no list
};
std::optional<CopyNames> copy_names(std::string_view text);

/// Asks for schema, name and column of each column that COPY fills, in order; as the session
/// resolves the name.
std::string copy_target_sql(const CopyNames& names);

/// The table and the form of the COPY, of rows that the server answered. nullopt: no such table or
/// column; `problem` says which.
struct CopyTarget {
  sql::Relation relation;
  sql::CopyIn form;
};
std::optional<CopyTarget> copy_target(const CopyNames& names, const sql::CopyIn& form,
                                      const std::vector<std::vector<std::string>>& rows,
                                      std::string& problem);

}  // namespace postern::proxy
