// The lexer against PostgreSQL's own scanner (pg_query_scan) over a corpus, and its limits.
#include "sql/lexer.hpp"

#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <pg_query.h>
#include <pg_query/pg_query.pb-c.h>

using namespace postern::sql;

namespace {

using Extent = std::pair<std::uint32_t, std::uint32_t>;

/// Token extents as PostgreSQL's scanner sees them, comments left out; nullopt on its error.
std::optional<std::vector<Extent>> reference(const std::string& sql) {
  PgQueryScanResult scanned = pg_query_scan(sql.c_str());
  std::optional<std::vector<Extent>> out;
  if (scanned.error == nullptr) {
    out.emplace();
    auto* tokens = pg_query__scan_result__unpack(
        nullptr, scanned.pbuf.len, reinterpret_cast<std::uint8_t*>(scanned.pbuf.data));
    for (std::size_t i = 0; i < tokens->n_tokens; ++i) {
      const PgQuery__ScanToken* token = tokens->tokens[i];
      if (token->token == PG_QUERY__TOKEN__SQL_COMMENT ||
          token->token == PG_QUERY__TOKEN__C_COMMENT) {
        continue;
      }
      out->emplace_back(token->start, token->end);
    }
    pg_query__scan_result__free_unpacked(tokens, nullptr);
  }
  pg_query_free_scan_result(scanned);
  return out;
}

/// pg_query_scan tells the end of U& tokens and of continued strings wrongly (it takes the length
/// of the last piece it matched); their ends are checked by where the next token begins.
bool end_is_reliable(std::string_view text) {
  return !text.starts_with("U&") && !text.starts_with("u&") &&
         text.find_first_of("\n\r") == std::string_view::npos;
}

std::vector<Extent> ours(const std::string& sql, const Tokens& tokens,
                         const std::vector<Extent>& expected) {
  std::vector<Extent> out;
  for (const Token& token : tokens.list) {
    const bool compare = out.size() >= expected.size() || end_is_reliable(token.text(sql));
    out.emplace_back(token.begin, compare ? token.end : expected[out.size()].second);
  }
  return out;
}

std::string spell(const std::vector<Extent>& extents) {
  std::string out;
  for (const auto& [begin, end] : extents) {
    out += " " + std::to_string(begin) + "-" + std::to_string(end);
  }
  return out;
}

/// Characters that no token starts with: PostgreSQL's scanner passes them on, its grammar refuses
/// them; we refuse at once.
bool refused_character(const Tokens& tokens) {
  return tokens.error != nullptr && (std::string(tokens.error) == "unexpected character" ||
                                     std::string(tokens.error) == "stray $");
}

void check_same(const std::string& sql) {
  CAPTURE(sql);
  const Tokens tokens = tokenize(sql, 100'000);
  auto expected = reference(sql);
  if (!expected) {  // \\U in E'' must be followed by digits: decoding is the parser's business
    CHECK((tokens.error != nullptr || sql.find("\\U") != std::string::npos));
    return;
  }
  if (refused_character(tokens)) {
    expected->resize(std::min(expected->size(), tokens.list.size()));
  } else {
    CHECK(tokens.error == nullptr);
  }
  CHECK(spell(ours(sql, tokens, *expected)) == spell(*expected));
}

const std::vector<std::string> kHard = {
    "SELECT 'it''s', E'a\\'b\\\\', U&'\\0041' UESCAPE '!', B'01', x'1F', N'n'",
    "SELECT 'a'\n'b', 'c' \n\t\n 'd'",
    "SELECT 'a' 'b'",
    "SELECT e'a'\n'b\\'c'",
    "SELECT $$a$$, $t$ $$ $t$, $é$x$é$, a$b, $1, $12",
    "SELECT 1.5, .5, 1., 1e5, 1.5e-3, 1..2, 1.5.6",
    "SELECT a[1:2], a::int, f(x := 1), f(x => 1), x..y",
    "SELECT a@-b, a*-b, a+-b, a-- comment\n, a/* c */b, a<>b, a!=b, a<=b, a>=b, a=-1",
    "SELECT /* a /* b */ c */ 1 --x\r+2",
    "SELECT \"a\"\"b\", U&\"d\\0061t\", \"Select\"",
    "SELECT a||b, a->>'x', a#>b, a?|b, @@x, ~*y, a %- 1, a <-> b, - -1",
    "SELECT ünïcödé, _x, x_1$",
    "SELECT '",
    "SELECT \"",
    "SELECT /*",
    "SELECT $a$",
    "SELECT \"\"",
    "SELECT 1a",
    "SELECT 1e",
    "SELECT $1a",
    "SELECT E'a\\",
    "",
    "   ",
    "-- only",
    ";;",
    "a.b.c.*",
    "\"a\".\"b\"",
    "SELECT $$ $ $$",
    "b'1'\n'0' x'1'\n'2'",
    "SELECT n'x', N 'x', e 'x'",
    "SELECT 1::\"char\", '{}'::int[]",
    "SELECT a/**/b, a--\nb, +-/**/1, */*x*/2",
    "SELECT 0x1F, 1_000",
};

}  // namespace

TEST_CASE("hard texts split as PostgreSQL splits them") {
  for (const std::string& sql : kHard) check_same(sql);
}

TEST_CASE("the statement corpus splits as PostgreSQL splits it") {
  for (const auto& entry :
       std::filesystem::directory_iterator(POSTERN_SOURCE_DIR "/tests/sql/data")) {
    std::ifstream in(entry.path());
    for (std::string line; std::getline(in, line);) {
      if (line.starts_with("## ")) check_same(line.substr(3));
    }
  }
}

TEST_CASE("random texts made of dangerous pieces split as PostgreSQL splits them") {
  const std::vector<std::string> pieces = {
      "'",  "''", "\\", "\"", "$$", "$a$", "$", "/*", "*/",   "--", "\n", " ",  "E'", "U&'",
      "b'", "x'", "N'", "a",  "1",  ".",   "e", "+",  "-",    "@",  "<",  "::", ":=", ";",
      "(",  "]",  "é",  "$1", "=",  "!",   "*", "/",  "U&\"", "\t", "\r", "0"};
  std::mt19937 random(20'240'601);
  for (int round = 0; round < 20'000; ++round) {
    std::string sql;
    const std::size_t length = 1 + random() % 12;
    for (std::size_t i = 0; i < length; ++i) sql += pieces[random() % pieces.size()];
    check_same(sql);
  }
}

TEST_CASE("token kinds") {
  const auto kinds = [](std::string_view sql) {
    std::vector<TokenKind> out;
    for (const Token& token : tokenize(sql, 100).list) out.push_back(token.kind);
    return out;
  };
  using K = TokenKind;
  CHECK(kinds("a \"b\" 'c' E'd' U&'e' $$f$$ B'0'") ==
        std::vector<K>{K::kWord, K::kQuotedWord, K::kString, K::kEscapeString, K::kUnicodeString,
                       K::kDollarString, K::kBitString});
  CHECK(kinds("1 1.0 $1 + ( :: .") == std::vector<K>{K::kInteger, K::kFloat, K::kParam,
                                                     K::kOperator, K::kSymbol, K::kOperator,
                                                     K::kSymbol});
}

TEST_CASE("a string goes on behind a comment, as in PostgreSQL; libpg_query refuses that") {
  const std::string sql = "SELECT 'c' -- c\n 'd'";
  CHECK(tokenize(sql, 10).list.size() == 2);
  const PgQueryParseResult parsed = pg_query_parse(sql.c_str());
  CHECK(parsed.error != nullptr);
  pg_query_free_parse_result(parsed);
}

TEST_CASE("token limit") {
  CHECK(tokenize("a b c", 3).error == nullptr);
  const Tokens over = tokenize("a b c d", 3);
  REQUIRE(over.error != nullptr);
  CHECK(std::string(over.error) == "too many tokens");
  CHECK(over.error_at == 6);
  CHECK(over.list.size() == 3);
}
