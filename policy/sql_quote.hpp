// Names and texts as they stand in generated SQL. Always quoted, so that no keyword list is needed.
#pragma once

#include <string>
#include <string_view>

#include "sql/catalog.hpp"

namespace postern::policy {

/// "name", inner quotes doubled.
std::string quote_ident(std::string_view name);
/// "schema"."name".
std::string quote_relation(const sql::Relation& relation);
/// 'text', valid under standard_conforming_strings = on, which every generated text sets.
std::string quote_literal(std::string_view text);

}  // namespace postern::policy
