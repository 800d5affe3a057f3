#include "proxy/identity/claims.hpp"

#include <algorithm>
#include <vector>

#include "base/bytes.hpp"
#include "base/codes/session.hpp"
#include "sql/lexer.hpp"

namespace postern::proxy {
namespace {

constexpr std::size_t kMaxTokens = 50'000;

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// The inside of every outermost block comment of a gap between tokens.
void collect_comments(std::string_view gap, std::vector<std::string_view>& out) {
  std::size_t depth = 0;
  std::size_t begin = 0;
  for (std::size_t i = 0; i + 1 < gap.size(); ++i) {
    if (depth == 0 && gap.substr(i, 2) == "--") {
      i = std::min(gap.find_first_of("\n\r", i), gap.size());
    } else if (gap.substr(i, 2) == "/*") {
      if (depth++ == 0) begin = i + 2;
      ++i;
    } else if (depth > 0 && gap.substr(i, 2) == "*/") {
      if (--depth == 0) out.push_back(gap.substr(begin, i - begin));
      ++i;
    }
  }
}

// Percent-decoded (RFC 3986 section 2.1); nullopt where it is not well formed.
std::optional<std::string> url_decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    std::string digits(text.substr(i + 1, 2));
    for (char& c : digits) {
      if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
    }
    const auto byte = from_hex(digits);
    if (digits.size() != 2 || !byte) return std::nullopt;
    out += *byte;
    i += 2;
  }
  return out;
}

/// One pair taken off the front of a comment.
struct Pair {
  std::string key;
  std::string value;
};

std::optional<Pair> take_pair(std::string_view& rest) {
  const std::size_t equals = rest.find('=');
  if (equals == std::string_view::npos) return std::nullopt;
  const auto key = url_decode(trim(rest.substr(0, equals)));
  rest = trim(rest.substr(equals + 1));
  if (!key || key->empty() || rest.empty() || rest.front() != '\'') return std::nullopt;
  std::string raw;
  std::size_t i = 1;
  for (; i < rest.size() && rest[i] != '\''; ++i) {
    if (rest[i] == '\\' && i + 1 < rest.size()) ++i;
    raw.push_back(rest[i]);
  }
  const auto value = url_decode(raw);
  if (i >= rest.size() || !value) return std::nullopt;
  rest = trim(rest.substr(i + 1));
  return Pair{*key, *value};
}

// nullopt: not a comment of pairs.
std::optional<std::vector<Pair>> read_pairs(std::string_view comment) {
  std::vector<Pair> pairs;
  std::string_view rest = trim(comment);
  for (;;) {
    auto pair = take_pair(rest);
    if (!pair) return std::nullopt;
    pairs.push_back(std::move(*pair));
    if (rest.empty()) return pairs;
    if (rest.front() != ',') return std::nullopt;
    rest = trim(rest.substr(1));
  }
}

bool seems_to_claim(std::string_view comment) {
  for (const std::string_view name : {kTenantClaim, kSubjectClaim, kPurposeClaim}) {
    for (std::size_t at = comment.find(name); at != std::string_view::npos;
         at = comment.find(name, at + 1)) {
      const std::string_view behind = trim(comment.substr(at + name.size()));
      if (behind.starts_with('=')) return true;
    }
  }
  return false;
}

Result<Claims> claims_of(std::string_view comment) {
  Claims claims;
  const auto pairs = read_pairs(comment);
  if (!pairs) {
    if (seems_to_claim(comment)) return make_error(pst::kBadClaim, "a comment is not key='value'");
    return claims;
  }
  for (const Pair& pair : *pairs) {
    Claims one;
    std::optional<std::string>* slot = one.find(pair.key);
    if (slot == nullptr) continue;
    *slot = pair.value;
    POSTERN_TRY(merge_claims(claims, one));
  }
  return claims;
}

Status merge_one(std::optional<std::string>& into, const std::optional<std::string>& more) {
  if (!more) return ok();
  if (into && *into != *more) return make_error(pst::kClaimsDisagree);
  into = more;
  return ok();
}

}  // namespace

std::optional<std::string>* Claims::find(std::string_view name) {
  if (name == kTenantClaim) return &tenant;
  if (name == kSubjectClaim) return &subject;
  if (name == kPurposeClaim) return &purpose;
  return nullptr;
}

std::string_view claim_of_setting(std::string_view setting) {
  if (!setting.starts_with(kClaimPrefix)) return {};
  const std::string_view name = setting.substr(kClaimPrefix.size());
  const bool known = name == kTenantClaim || name == kSubjectClaim || name == kPurposeClaim;
  return known ? name : std::string_view();
}

Status check_claim(std::string_view value) {
  const bool good = value.size() <= kMaxClaimBytes && is_utf8(value) &&
                    value.find('\0') == std::string_view::npos;
  return good ? ok() : Status(make_error(pst::kBadClaim));
}

Status merge_claims(Claims& into, const Claims& more) {
  POSTERN_TRY(merge_one(into.tenant, more.tenant));
  POSTERN_TRY(merge_one(into.subject, more.subject));
  return merge_one(into.purpose, more.purpose);
}

Result<Claims> read_comments(std::string_view sql) {
  Claims claims;
  if (sql.find("/*") == std::string_view::npos) return claims;
  const sql::Tokens tokens = sql::tokenize(sql, kMaxTokens);
  if (tokens.error != nullptr) return claims;
  std::vector<std::string_view> comments;
  std::size_t from = 0;
  for (const sql::Token& token : tokens.list) {
    collect_comments(sql.substr(from, token.begin - from), comments);
    from = token.end;
  }
  collect_comments(sql.substr(from), comments);
  for (const std::string_view comment : comments) {
    POSTERN_ASSIGN(const Claims found, claims_of(comment));
    POSTERN_TRY(merge_claims(claims, found));
  }
  return claims;
}

}  // namespace postern::proxy
