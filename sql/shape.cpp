#include "sql/shape.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include "base/bytes.hpp"

namespace postern::sql {

namespace {

constexpr char kBlank = ' ';
constexpr char kCut = '\x01';  ///< before the letter of a literal's kind

/// An integer is of the first type that it fits: int4, int8, numeric.
char letter_of_integer(std::string_view digits) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{}) return 'n';
  return value <= std::numeric_limits<std::int32_t>::max() ? 'i' : 'l';
}

/// '\0' where the bytes themselves count. Escapes in E'' and U&'' can be wrong, so their text
/// decides whether the statement can be parsed.
char letter_of(const Token& token, std::string_view text) {
  switch (token.kind) {
    case TokenKind::kString:
      return 's';
    case TokenKind::kDollarString:
      return 'd';
    case TokenKind::kBitString:
      return 'b';
    case TokenKind::kInteger:
      return letter_of_integer(token.text(text));
    case TokenKind::kFloat:
      return 'f';
    default:
      return '\0';
  }
}

bool reusable(StatementKind kind) {
  switch (kind) {
    case StatementKind::kSelect:
    case StatementKind::kInsert:
    case StatementKind::kUpdate:
    case StatementKind::kDelete:
    case StatementKind::kMerge:
    case StatementKind::kBegin:
    case StatementKind::kCommit:
    case StatementKind::kRollback:
    case StatementKind::kSavepoint:
    case StatementKind::kReleaseSavepoint:
    case StatementKind::kRollbackToSavepoint:
      return true;
    default:
      return false;
  }
}

bool reusable(const Facts& facts) {
  return std::all_of(facts.statements.begin(), facts.statements.end(),
                     [](const Statement& s) { return s.understood() && reusable(s.kind); });
}

/// Is the literal token at `begin` one whose value the facts leave open?
bool is_value(const Facts& facts, const Token& token) {
  return std::any_of(facts.statements.begin(), facts.statements.end(), [&](const Statement& s) {
    auto at = std::upper_bound(s.literals.begin(), s.literals.end(), token.begin,
                               [](std::uint32_t o, const Literal& l) { return o < l.span.begin; });
    bool found = false;
    const std::uint32_t begin = at == s.literals.begin() ? 0 : (at - 1)->span.begin;
    while (at != s.literals.begin() && (at - 1)->span.begin == begin) {  // may be listed twice
      --at;  // its span may begin with a sign or a bracket
      if (token.end > at->span.end || !at->merely_value) return false;
      found = true;
    }
    return found;
  });
}

/// Blanks are one byte in most texts; anything else between tokens is worth a template of its own.
bool has_comment(std::string_view text, const Tokens& tokens) {
  std::size_t at = 0;
  const auto comment = [&](std::size_t end) {
    const std::string_view gap = text.substr(at, end - at);
    return gap.find("--") != std::string_view::npos || gap.find("/*") != std::string_view::npos;
  };
  for (const Token& token : tokens.list) {
    if (comment(token.begin)) return true;
    at = token.end;
  }
  return comment(text.size());
}

/// Where an offset of the first text lies in the other: at the same token's begin or end.
class Move {
 public:
  Move(const std::vector<Span>& from, const std::vector<Token>& to) : from_(from), to_(to) {}

  void apply(std::uint32_t& offset) {
    const auto at = std::lower_bound(from_.begin(), from_.end(), offset,
                                     [](Span s, std::uint32_t o) { return s.begin < o; });
    const auto index = static_cast<std::size_t>(at - from_.begin());
    if (at != from_.end() && at->begin == offset) {
      offset = to_[index].begin;
    } else if (index > 0 && from_[index - 1].end == offset) {
      offset = to_[index - 1].end;
    } else if (offset != 0) {  // 0 may also stand for "not known"
      possible_ = false;
    }
  }
  void apply(Span& span) {
    apply(span.begin);
    apply(span.end);
  }
  void apply(Statement& s) {
    apply(s.span);
    for (Literal& literal : s.literals) apply(literal.span), apply(literal.cast_span);
    for (Param& param : s.params) apply(param.span), apply(param.cast_span);
    for (ColumnUse& use : s.uses) apply(use.position);
  }
  [[nodiscard]] bool possible() const { return possible_; }

 private:
  const std::vector<Span>& from_;
  const std::vector<Token>& to_;
  bool possible_ = true;
};

}  // namespace

std::optional<Shape> shape_of(std::string_view text, std::size_t max_tokens) {
  if (text.find('\0') != std::string_view::npos || !is_utf8(text)) return std::nullopt;
  Shape shape;
  shape.tokens = tokenize(text, max_tokens);
  if (shape.tokens.error != nullptr || shape.tokens.list.empty()) return std::nullopt;
  shape.key.reserve(text.size());
  std::uint32_t last_end = 0;
  for (const Token& token : shape.tokens.list) {
    if (token.begin > last_end) shape.key.push_back(kBlank);
    last_end = token.end;
    if (const char letter = letter_of(token, text); letter != '\0') {
      shape.key.push_back(kCut);
      shape.key.push_back(letter);
    } else {
      shape.key.append(token.text(text));
    }
  }
  return shape;
}

std::optional<FactsTemplate> FactsTemplate::make(std::string_view text, const Shape& shape,
                                                 std::shared_ptr<const Facts> facts) {
  if (!reusable(*facts)) return std::nullopt;
  FactsTemplate made;
  bool varies = has_comment(text, shape.tokens);
  for (const Token& token : shape.tokens.list) {
    const auto index = static_cast<std::uint32_t>(made.tokens_.size());
    made.tokens_.push_back({token.begin, token.end});
    if (letter_of(token, text) == '\0') continue;
    if (is_value(*facts, token)) {
      varies = true;
    } else {
      made.fixed_.push_back({index, std::string(token.text(text))});
    }
  }
  if (!varies) return std::nullopt;
  Move onto_itself(made.tokens_, shape.tokens.list);
  for (Statement statement : facts->statements) onto_itself.apply(statement);
  if (!onto_itself.possible()) return std::nullopt;
  made.facts_ = std::move(facts);
  return made;
}

std::shared_ptr<const Facts> FactsTemplate::facts_for(std::string_view text,
                                                      const Shape& shape) const {
  for (const Fixed& fixed : fixed_) {
    if (shape.tokens.list[fixed.token].text(text) != fixed.text) return nullptr;
  }
  auto moved = std::make_shared<Facts>(*facts_);
  Move move(tokens_, shape.tokens.list);
  for (Statement& statement : moved->statements) move.apply(statement);
  return moved;
}

std::size_t FactsTemplate::footprint() const {
  std::size_t bytes = sizeof(*this) + tokens_.size() * sizeof(Span) + sql::footprint(*facts_);
  for (const Fixed& fixed : fixed_) bytes += sizeof(fixed) + fixed.text.size();
  return bytes;
}

}  // namespace postern::sql
