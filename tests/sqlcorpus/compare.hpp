// Facts against the server's view of the same statement.
#pragma once

#include <string>
#include <vector>

#include "sql/facts.hpp"
#include "tests/sqlcorpus/server.hpp"

namespace postern::sqlcorpus {

/// What the facts leave out or claim wrongly; empty where they agree. Facts may say more than the
/// server, never less. A relation that only a string of `text` names ('t'::regclass) is an object
/// the statement depends on, not one it reads; nor is one whose row type a function returns.
std::vector<std::string> disagreements(std::string_view text, const sql::Statement& facts,
                                       const ServerView& view, const sql::Catalog& catalog);

}  // namespace postern::sqlcorpus
