// The value of a literal token.
#pragma once

#include <string_view>

#include "base/result.hpp"
#include "base/secret.hpp"
#include "sql/facts.hpp"

namespace postern::proxy {

/// The bytes a literal stands for, as PostgreSQL reads it with standard_conforming_strings=on
/// (documentation section 4.1.2). kLiteralNotUnderstood for forms that are not decoded here:
/// U&'...', bit strings, string continuation over lines, NULL and booleans.
Result<Secret> literal_text(std::string_view token, sql::TokenClass token_class);

}  // namespace postern::proxy
