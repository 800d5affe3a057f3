#include "sql/analyzer.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "sql/lexer.hpp"
#include "sql/nesting.hpp"
#include "sql/normalize.hpp"
#include "sql/parse_tree.hpp"
#include "sql/resolver.hpp"

namespace postern::sql {

namespace {

Statement opaque_text(std::string_view text, std::string reason, std::size_t position) {
  Statement statement;
  statement.kind = StatementKind::kOther;
  statement.span = {0, static_cast<std::uint32_t>(text.size())};
  statement.session = SessionEffect::kUnknown;
  statement.opaque = Opaque{std::move(reason), static_cast<std::uint32_t>(position)};
  return statement;
}

/// What makes text unfit for the parser, before any token is looked at.
std::optional<Statement> unfit_bytes(std::string_view text, const AnalyzerLimits& limits) {
  if (text.size() > limits.text_bytes) {
    return opaque_text(text, "statement text is too long", 0);
  }
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    return opaque_text(text, "NUL byte in statement text", nul);
  }
  if (!is_utf8(text)) return opaque_text(text, "statement text is not valid UTF-8", 0);
  return std::nullopt;
}

std::optional<Statement> unfit_tokens(std::string_view text, const Tokens& tokens,
                                      const AnalyzerLimits& limits) {
  if (tokens.error != nullptr) return opaque_text(text, tokens.error, tokens.error_at);
  const NestingFault fault = check_nesting(text, tokens, {limits.depth, limits.chain});
  if (fault.reason != nullptr) return opaque_text(text, fault.reason, fault.position);
  return std::nullopt;
}

void resolve_statements(const PgQuery__ParseResult* root, const TokenIndex& index,
                        const AnalysisContext& context, Facts& facts) {
  for (std::size_t i = 0; i < root->n_stmts; ++i) {
    const PgQuery__RawStmt* raw = root->stmts[i];
    const auto begin = static_cast<std::uint32_t>(raw->stmt_location);
    const std::uint32_t end = raw->stmt_len > 0 ? begin + static_cast<std::uint32_t>(raw->stmt_len)
                                                : std::uint32_t{0xffffffff};
    Statement& statement = facts.statements.emplace_back();
    statement.span = index.statement(begin, end);
    Resolver(context, index, statement).statement(raw->stmt);
    if (statement.opaque) statement.session = statement.session | SessionEffect::kUnknown;
  }
}

/// libpg_query takes a comment for a token where it looks ahead (NOT /**/ IN), which PostgreSQL
/// does not. Offsets stay; line ends go too, for they would join strings that a comment keeps
/// apart.
std::string without_comments(std::string_view text, const Tokens& tokens) {
  std::string blank(text);
  if (text.find("--") == std::string_view::npos && text.find("/*") == std::string_view::npos) {
    return blank;
  }
  std::size_t at = 0;
  for (const Token& token : tokens.list) {
    std::fill(blank.begin() + static_cast<std::ptrdiff_t>(at), blank.begin() + token.begin, ' ');
    at = token.end;
  }
  std::fill(blank.begin() + static_cast<std::ptrdiff_t>(at), blank.end(), ' ');
  return blank;
}

void parse_and_resolve(std::string_view text, const Tokens& tokens, const AnalysisContext& context,
                       Facts& facts) {
  const ParseTree tree{without_comments(text, tokens)};
  if (tree.root() == nullptr) {
    facts.statements.push_back(opaque_text(text, tree.error(), tree.error_at()));
    return;
  }
  resolve_statements(tree.root(), TokenIndex(text, tokens), context, facts);
}

}  // namespace

std::shared_ptr<const Facts> analyze(std::string_view text, const AnalysisContext& context,
                                     const AnalyzerLimits& limits) {
  auto facts = std::make_shared<Facts>();
  facts->catalog_epoch = context.catalog ? context.catalog->epoch() : 0;
  if (auto unfit = unfit_bytes(text, limits)) {
    facts->statements.push_back(std::move(*unfit));
    const NormalizedText cut = normalize({}, Tokens{{}, "unread", 0});
    facts->normalized = cut.text;
    facts->fingerprint = cut.fingerprint;
    return facts;
  }
  const Tokens tokens = tokenize(text, limits.tokens);
  NormalizedText normalized = normalize(text, tokens);
  facts->normalized = std::move(normalized.text);
  facts->fingerprint = std::move(normalized.fingerprint);
  if (auto unfit = unfit_tokens(text, tokens, limits)) {
    facts->statements.push_back(std::move(*unfit));
  } else {
    parse_and_resolve(text, tokens, context, *facts);
  }
  if (facts->statements.empty()) facts->statements.emplace_back();
  return facts;
}

}  // namespace postern::sql
