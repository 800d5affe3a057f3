// What statements of a trusted login say about whom they are for.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace postern::proxy {

/// Names under postern.* that SET may give, and keys of comments.
inline constexpr std::string_view kTenantClaim = "tenant";
inline constexpr std::string_view kSubjectClaim = "subject";
inline constexpr std::string_view kPurposeClaim = "purpose";
inline constexpr std::string_view kClaimPrefix = "postern.";

inline constexpr std::size_t kMaxClaimBytes = 255;

/// Absent: not named. An empty value stands for what the login brought along.
struct Claims {
  std::optional<std::string> tenant;
  std::optional<std::string> subject;
  std::optional<std::string> purpose;

  [[nodiscard]] bool empty() const { return !tenant && !subject && !purpose; }
  /// The member of this name (without "postern."); null: there is none.
  [[nodiscard]] std::optional<std::string>* find(std::string_view name);
  friend bool operator==(const Claims&, const Claims&) = default;
};

/// The claim that the setting of this name (lower case) is: "tenant" of "postern.tenant"; empty: it
/// is none.
std::string_view claim_of_setting(std::string_view setting);

/// Subject or purpose: at most kMaxClaimBytes of UTF-8 without zero bytes. kBadClaim.
Status check_claim(std::string_view value);

/// Takes over what `more` names. kClaimsDisagree where both name it and differ.
Status merge_claims(Claims& into, const Claims& more);

/// Reads the comments of one text by the rules of sqlcommenter
/// (google.github.io/sqlcommenter/spec): block comments outside of each other and of quotes that
/// hold nothing but key='value' pairs. Other comments are passed over, unless they seem to name one
/// of the claims: kBadClaim. kClaimsDisagree. A text that is no SQL names nothing.
Result<Claims> read_comments(std::string_view sql);

}  // namespace postern::proxy
