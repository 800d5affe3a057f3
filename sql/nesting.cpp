#include "sql/nesting.hpp"

#include <algorithm>
#include <array>
#include <vector>

namespace postern::sql {

namespace {

/// One open bracket, CASE, or the statement itself.
struct Level {
  bool is_case = false;
  std::size_t links = 1;          ///< joins, set operations: last until the level closes
  std::size_t operators = 0;      ///< since the last comma, AND or OR
  std::size_t open_betweens = 0;  ///< BETWEENs whose AND is still to come
};

enum class Role : std::uint8_t {
  kNone,
  kOpen,
  kClose,
  kCase,
  kEnd,
  kLink,
  kOperator,
  kBetween,
  kAnd,
  kOr,
  kComma,
  kSemicolon
};

Role role_of_word(std::string_view word) {
  struct Entry {
    std::string_view word;
    Role role;
  };
  static constexpr std::array<Entry, 27> kWords = {{
      {"case", Role::kCase},
      {"end", Role::kEnd},
      {"and", Role::kAnd},
      {"or", Role::kOr},
      {"between", Role::kBetween},
      {"join", Role::kLink},
      {"union", Role::kLink},
      {"except", Role::kLink},
      {"intersect", Role::kLink},
      {"not", Role::kOperator},
      {"is", Role::kOperator},
      {"isnull", Role::kOperator},
      {"notnull", Role::kOperator},
      {"like", Role::kOperator},
      {"ilike", Role::kOperator},
      {"similar", Role::kOperator},
      {"in", Role::kOperator},
      {"collate", Role::kOperator},
      {"at", Role::kOperator},
      {"overlaps", Role::kOperator},
      {"escape", Role::kOperator},
      {"operator", Role::kOperator},
      {"distinct", Role::kOperator},
      {"prior", Role::kOperator},
      {"array", Role::kOperator},
      {"explain", Role::kLink},
      {"symmetric", Role::kOperator},
  }};
  if (word.size() < 2 || word.size() > 9) return Role::kNone;
  for (const Entry& entry : kWords) {
    if (is_keyword(word, entry.word)) return entry.role;
  }
  return Role::kNone;
}

Role role_of(std::string_view text, TokenKind kind) {
  if (kind == TokenKind::kWord) return role_of_word(text);
  if (kind == TokenKind::kOperator) return Role::kOperator;
  if (kind != TokenKind::kSymbol) return Role::kNone;
  switch (text[0]) {
    case '(':
    case '[':
      return Role::kOpen;
    case ')':
    case ']':
      return Role::kClose;
    case ',':
      return Role::kComma;
    case ';':
      return Role::kSemicolon;
    default:
      return Role::kNone;
  }
}

class Counter {
 public:
  explicit Counter(NestingLimits limits) : limits_(limits) { levels_.emplace_back(); }

  const char* take(Role role) {
    apply(role);
    const Level& top = levels_.back();
    if (levels_.size() - 1 > limits_.depth) return "nesting too deep";
    if (closed_links_ + top.links + top.operators > limits_.chain) return "expression too long";
    return nullptr;
  }

 private:
  void apply(Role role);
  void open(bool is_case) {
    closed_links_ += levels_.back().links + levels_.back().operators;
    levels_.push_back({is_case});
  }
  void close() {
    if (levels_.size() == 1) return;  // a syntax error the parser will name
    levels_.pop_back();
    closed_links_ -= levels_.back().links + levels_.back().operators;
  }
  /// A comma, AND or OR ends the expression before it: what follows is a sibling.
  void reset(Level& top) {
    top.operators = 0;
    top.open_betweens = 0;
  }

  NestingLimits limits_;
  std::vector<Level> levels_;
  std::size_t closed_links_ = 0;  ///< of all levels below the top one
};

void Counter::apply(Role role) {
  Level& top = levels_.back();
  switch (role) {
    case Role::kOpen:
    case Role::kCase:
      return open(role == Role::kCase);
    case Role::kClose:
      while (levels_.size() > 1 && levels_.back().is_case) close();
      return close();
    case Role::kEnd:
      if (top.is_case) close();
      return;
    case Role::kLink:
      ++top.links;
      return;
    case Role::kBetween:
      ++top.open_betweens;
      ++top.operators;
      return;
    case Role::kOperator:
      ++top.operators;
      return;
    case Role::kAnd:
      if (top.open_betweens > 0) {  // belongs to BETWEEN: its right side may go on deepening
        --top.open_betweens;
        return;
      }
      return reset(top);
    case Role::kOr:
    case Role::kComma:
      return reset(top);
    case Role::kSemicolon:
      reset(top);
      top.links = 1;
      return;
    case Role::kNone:
      return;
  }
}

}  // namespace

NestingFault check_nesting(std::string_view sql, const Tokens& tokens, NestingLimits limits) {
  Counter counter(limits);
  bool after_dot = false;  // a.end, a.and: names, not keywords
  for (const Token& token : tokens.list) {
    const std::string_view text = token.text(sql);
    const bool name = after_dot && token.kind == TokenKind::kWord;
    after_dot = token.kind == TokenKind::kSymbol && text == ".";
    if (name) continue;
    if (const char* reason = counter.take(role_of(text, token.kind))) {
      return {reason, token.begin};
    }
  }
  return {};
}

}  // namespace postern::sql
