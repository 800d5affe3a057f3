// Statements out of psql scripts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace postern::sqlcorpus {

/// The statements of a script of psql, without semicolons: backslash commands and COPY data left
/// out; semicolons in brackets and in BEGIN ATOMIC ... END belong to their statement.
std::vector<std::string> statements_of(std::string_view script);

}  // namespace postern::sqlcorpus
