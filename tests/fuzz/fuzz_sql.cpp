// Text that may be SQL: tokens, nesting, the normalised form, hints about session state, values of
// literals. All of them see texts of clients before anybody else does.
#include "proxy/session/literal_text.hpp"
#include "proxy/session/state_scan.hpp"
#include "sql/lexer.hpp"
#include "sql/nesting.hpp"
#include "sql/normalize.hpp"
#include "tests/fuzz/support.hpp"

using namespace postern;

namespace {

constexpr std::size_t kMaxTokens = 50'000;

void check_tokens(ByteView text, const sql::Tokens& tokens) {
  std::uint32_t last = 0;
  for (const sql::Token& token : tokens.list) {
    POSTERN_CHECK(token.begin >= last && token.begin < token.end && token.end <= text.size());
    last = token.end;
  }
  POSTERN_CHECK(tokens.error == nullptr || tokens.error_at <= text.size());
}

sql::TokenClass class_of(sql::TokenKind kind) {
  switch (kind) {
    case sql::TokenKind::kEscapeString:
      return sql::TokenClass::kEscapeString;
    case sql::TokenKind::kUnicodeString:
      return sql::TokenClass::kUnicodeString;
    case sql::TokenKind::kDollarString:
      return sql::TokenClass::kDollarString;
    case sql::TokenKind::kBitString:
      return sql::TokenClass::kBitString;
    case sql::TokenKind::kInteger:
      return sql::TokenClass::kInteger;
    case sql::TokenKind::kFloat:
      return sql::TokenClass::kFloat;
    default:
      return sql::TokenClass::kString;
  }
}

/// No literal is left in what audit and reports may show.
void check_normalized(ByteView text, const sql::Tokens& tokens) {
  const sql::NormalizedText normalized = sql::normalize(text, tokens);
  POSTERN_CHECK(normalized.fingerprint.size() == 16);
  for (const sql::Token& token : sql::tokenize(normalized.text, kMaxTokens).list) {
    POSTERN_CHECK(!sql::is_literal(token.kind));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView text = fuzz::view(data, size);
  const sql::Tokens tokens = sql::tokenize(text, kMaxTokens);
  check_tokens(text, tokens);
  const sql::NestingFault fault = sql::check_nesting(text, tokens, {});
  POSTERN_CHECK(fault.reason == nullptr || fault.position <= text.size());
  check_normalized(text, tokens);
  for (const sql::Token& token : tokens.list) {
    if (!sql::is_literal(token.kind)) continue;
    const auto value = proxy::literal_text(token.text(text), class_of(token.kind));
    POSTERN_CHECK(!value || value->size() <= 4 * (token.end - token.begin));
  }
  const proxy::StateScan scan = proxy::scan_state(text);
  POSTERN_CHECK(scan.custom.size() <= text.size());
  return 0;
}
