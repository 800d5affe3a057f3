#include "sql/token_index.hpp"

#include <algorithm>

namespace postern::sql {

namespace {

bool one_of(std::string_view word, std::initializer_list<std::string_view> keywords) {
  return std::any_of(keywords.begin(), keywords.end(),
                     [&](std::string_view k) { return is_keyword(word, k); });
}

}  // namespace

/// Index of the first token that starts at or after `offset`.
std::size_t TokenIndex::index_from(std::uint32_t offset) const {
  const auto at = std::lower_bound(list_.begin(), list_.end(), offset,
                                   [](const Token& t, std::uint32_t o) { return t.begin < o; });
  return static_cast<std::size_t>(at - list_.begin());
}

TokenIndex::LiteralToken TokenIndex::literal_at(std::uint32_t begin) const {
  std::size_t i = index_from(begin);
  if (i >= list_.size() || list_[i].begin != begin)
    return {{begin, begin}, TokenKind::kWord, false};
  std::size_t brackets = 0;
  while (text(i) == "-" || text(i) == "(") {  // the parser folds -(5) into one constant
    brackets += text(i) == "(" ? 1 : 0;
    ++i;
  }
  if (i >= list_.size()) return {{begin, begin}, TokenKind::kWord, false};
  const TokenKind kind = list_[i].kind;
  std::uint32_t end = list_[i].end;
  if (kind == TokenKind::kUnicodeString && one_of(text(i + 1), {"uescape"})) {
    end = i + 2 < list_.size() ? list_[i + 2].end : end;
  }
  for (; brackets > 0 && text(i + 1) == ")"; --brackets) end = list_[++i].end;
  return {{begin, end}, kind, brackets == 0};
}

/// From an opening bracket to one past its partner.
std::size_t TokenIndex::skip_brackets(std::size_t i) const {
  std::size_t depth = 0;
  for (; i < list_.size(); ++i) {
    const std::string_view t = text(i);
    if (t == "(" || t == "[") ++depth;
    if ((t == ")" || t == "]") && --depth == 0) return i + 1;
  }
  return i;
}

/// One past the last token of the type name that starts at token `i`.
std::size_t TokenIndex::type_end(std::size_t i) const {
  if (one_of(text(i), {"setof"})) ++i;
  if (one_of(text(i), {"national", "double"})) ++i;
  const bool timed = one_of(text(i), {"time", "timestamp"});
  const bool interval = one_of(text(i), {"interval"});
  ++i;
  while (text(i) == ".") i += 2;
  if (one_of(text(i), {"varying"})) ++i;
  if (text(i) == "(") i = skip_brackets(i);
  if (timed && one_of(text(i), {"with", "without"}) && one_of(text(i + 1), {"time"})) i += 3;
  if (interval) {
    while (one_of(text(i), {"year", "month", "day", "hour", "minute", "second", "to"})) ++i;
    if (text(i) == "(") i = skip_brackets(i);
  }
  if (one_of(text(i), {"array"})) ++i;
  while (text(i) == "[") i = skip_brackets(i);
  return i;
}

/// x::type; brackets around x alone are taken in, so that the span is balanced.
Span TokenIndex::postfix_cast(Span inner, std::size_t cast) const {
  std::size_t begin = index_from(inner.begin);
  for (std::size_t i = index_from(inner.end); i < cast; ++i) {
    if (text(i) != ")" || begin == 0 || text(begin - 1) != "(") return inner;
    --begin;
  }
  const std::size_t end = type_end(cast + 1);
  return {list_[begin].begin, list_[std::min(end, list_.size()) - 1].end};
}

Span TokenIndex::cast_around(Span inner, std::int32_t cast_at, std::int32_t type_at) const {
  if (cast_at >= 0) {
    const std::size_t cast = index_from(static_cast<std::uint32_t>(cast_at));
    if (text(cast) == "::") return postfix_cast(inner, cast);
    if (one_of(text(cast), {"cast"}) && text(cast + 1) == "(") {
      const std::size_t end = skip_brackets(cast + 1);
      return {list_[cast].begin, list_[std::min(end, list_.size()) - 1].end};
    }
  }
  if (type_at >= 0 && static_cast<std::uint32_t>(type_at) < inner.begin) {
    return {static_cast<std::uint32_t>(type_at), inner.end};
  }
  return inner;
}

Span TokenIndex::statement(std::uint32_t begin, std::uint32_t end) const {
  std::size_t first = index_from(begin);
  std::size_t last = index_from(end);
  while (first < last && text(first) == ";") ++first;
  while (last > first && text(last - 1) == ";") --last;
  if (first == last) return {begin, begin};
  return {list_[first].begin, list_[last - 1].end};
}

}  // namespace postern::sql
