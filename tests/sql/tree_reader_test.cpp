// The tree read from JSON against libpg_query's own protobuf of the same text, byte for byte.
#include "sql/tree_reader.hpp"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <pg_query.h>

using namespace postern::sql;

namespace {

std::string packed_by_us(const std::string& sql) {
  PgQueryParseResult parsed = pg_query_parse(sql.c_str());
  std::string out;
  if (parsed.error == nullptr) {
    Arena arena;
    const PgQuery__ParseResult* tree = read_tree(parsed.parse_tree, arena);
    REQUIRE(tree != nullptr);
    out.resize(pg_query__parse_result__get_packed_size(tree));
    pg_query__parse_result__pack(tree, reinterpret_cast<std::uint8_t*>(out.data()));
  }
  pg_query_free_parse_result(parsed);
  return out;
}

/// libpg_query's JSON leaves negative integers out (they read as 0). Nothing in sql/ takes a
/// number's value from the tree; here the other side is made equal.
void drop_negative_integers(ProtobufCMessage* message) {
  if (message == nullptr) return;
  if (message->descriptor == &pg_query__integer__descriptor) {
    auto* integer = reinterpret_cast<PgQuery__Integer*>(message);
    if (integer->ival < 0) integer->ival = 0;
  }
  auto* base = reinterpret_cast<char*>(message);
  for (unsigned i = 0; i < message->descriptor->n_fields; ++i) {
    const ProtobufCFieldDescriptor& field = message->descriptor->fields[i];
    if (field.type != PROTOBUF_C_TYPE_MESSAGE) continue;
    const bool chosen =
        (field.flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0 ||
        *reinterpret_cast<int*>(base + field.quantifier_offset) == static_cast<int>(field.id);
    if (!chosen) continue;
    if (field.label != PROTOBUF_C_LABEL_REPEATED) {
      drop_negative_integers(*reinterpret_cast<ProtobufCMessage**>(base + field.offset));
      continue;
    }
    const std::size_t count = *reinterpret_cast<std::size_t*>(base + field.quantifier_offset);
    auto** children = *reinterpret_cast<ProtobufCMessage***>(base + field.offset);
    for (std::size_t j = 0; j < count; ++j) drop_negative_integers(children[j]);
  }
}

std::string packed_by_library(const std::string& sql) {
  PgQueryProtobufParseResult parsed = pg_query_parse_protobuf(sql.c_str());
  std::string out;
  if (parsed.error == nullptr) {
    PgQuery__ParseResult* tree = pg_query__parse_result__unpack(
        nullptr, parsed.parse_tree.len, reinterpret_cast<std::uint8_t*>(parsed.parse_tree.data));
    drop_negative_integers(&tree->base);
    out.resize(pg_query__parse_result__get_packed_size(tree));
    pg_query__parse_result__pack(tree, reinterpret_cast<std::uint8_t*>(out.data()));
    pg_query__parse_result__free_unpacked(tree, nullptr);
  }
  pg_query_free_protobuf_parse_result(parsed);
  return out;
}

}  // namespace

TEST_CASE("JSON and protobuf give the same tree over the statement corpus") {
  std::size_t count = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(POSTERN_SOURCE_DIR "/tests/sql/data")) {
    std::ifstream in(entry.path());
    for (std::string line; std::getline(in, line);) {
      if (!line.starts_with("## ")) continue;
      CAPTURE(line);
      const std::string expected = packed_by_library(line.substr(3));
      CHECK(packed_by_us(line.substr(3)) == expected);
      if (!expected.empty()) ++count;
    }
  }
  CHECK(count > 200);
}

TEST_CASE("strings with every kind of escape") {
  std::string controls;
  for (char c = 1; c < 32; ++c) controls += c;
  for (const std::string& body : std::vector<std::string>{
           "\"", "\\", "/", "a\nb\tc\rd", controls, "\x7f", "é€😀", "", "\\u0041", "}{][,:"}) {
    CAPTURE(body);
    const std::string sql = "SELECT $q$" + body + "$q$ AS \"x\"\"y\"";
    CHECK(packed_by_us(sql) == packed_by_library(sql));
  }
}

TEST_CASE("numbers at their limits") {
  for (const char* sql : {"SELECT 2147483647, -2147483647, 2147483648, 1e400, 0, .5",
                          "FETCH BACKWARD ALL FROM c", "SELECT $65535", "MOVE 9 IN c"}) {
    CAPTURE(sql);
    CHECK(packed_by_us(sql) == packed_by_library(sql));
  }
}

TEST_CASE("text that is not a tree is refused, cut anywhere") {
  PgQueryParseResult parsed = pg_query_parse("SELECT a, 'b\n' FROM c WHERE d = 1");
  const std::string json = parsed.parse_tree;
  pg_query_free_parse_result(parsed);
  for (std::size_t length = 0; length < json.size(); ++length) {
    Arena arena;
    CHECK(read_tree(json.substr(0, length), arena) == nullptr);
  }
  for (const char* wrong : {R"({"version":1,"nosuch":1})", R"({"version":"x"})", R"({"stmts":1})",
                            R"({"version":1}x)", R"({"stmts":[{"stmt":{"X":{}}}]})"}) {
    Arena arena;
    CHECK(read_tree(wrong, arena) == nullptr);
  }
}
