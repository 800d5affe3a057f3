// Private to sql/: libpg_query's JSON tree into its protobuf-c structs.
//
// Why not its protobuf output: it computes every node's packed size anew at every level, so its
// cost grows with the square of the depth, and needs several times the time of JSON on ordinary
// statements. A test holds both forms equal. One difference: JSON leaves negative integers out, so
// no integer's value may be taken from the tree where its sign could matter.
#pragma once

#include <string_view>

#include "sql/arena.hpp"
#include "sql/ast.hpp"

namespace postern::sql {

/// nullptr where the text is not the JSON of a tree of this library version. All memory is the
/// arena's. Thread-safe. Recursion is as deep as the tree.
PgQuery__ParseResult* read_tree(std::string_view json, Arena& arena);

}  // namespace postern::sql
