// Private to policy/: what the parts of decide() look at and where they put refusals.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "policy/decision.hpp"
#include "policy/ruleset.hpp"
#include "sql/facts.hpp"

namespace postern::policy {

/// Refusals in the order found. The first of each sort is kept: one that observe mode may waive and
/// one that no mode may.
class Findings {
 public:
  explicit Findings(std::string_view text) : text_(text) {}

  /// A breach of the gate: reported only in observe mode.
  void refuse(Pst code, std::string what, std::string rule, std::uint32_t byte_position) {
    add(waivable_, code, std::move(what), std::move(rule), byte_position);
  }
  /// Letting it through would store or compare plaintext, or hand out ciphertext, of a protected
  /// column: refused in every mode.
  void forbid(Pst code, std::string what, std::string rule, std::uint32_t byte_position) {
    add(strict_, code, std::move(what), std::move(rule), byte_position);
  }

  [[nodiscard]] bool any() const { return waivable_.has_value() || strict_.has_value(); }
  [[nodiscard]] bool strict() const { return strict_.has_value(); }
  /// Moves the refusal that counts: in observe mode a strict one; else the first found.
  std::optional<Refusal> take(Mode mode);

 private:
  struct Found {
    Refusal refusal;
    std::uint32_t order = 0;
  };
  void add(std::optional<Found>& slot, Pst code, std::string what, std::string rule,
           std::uint32_t byte_position);

  std::string_view text_;
  std::uint32_t next_ = 0;
  std::optional<Found> waivable_;
  std::optional<Found> strict_;
};

/// 1-based position in characters of a byte offset into UTF-8 text; an offset beyond the text
/// counts as its end.
std::uint32_t character_position(std::string_view text, std::uint32_t byte_offset);

/// The text under judgement. It remembers whether any byte of it had a part: what did not look at
/// it holds for every text with the same facts.
class JudgedText {
 public:
  explicit JudgedText(std::string_view text) : text_(text) {}

  /// The bytes of a span; nullopt where it does not lie within the text.
  [[nodiscard]] std::optional<std::string_view> at(sql::Span span) const {
    was_read_ = true;
    if (span.begin > span.end || span.end > text_.size()) return std::nullopt;
    return text_.substr(span.begin, span.end - span.begin);
  }
  [[nodiscard]] bool was_read() const { return was_read_; }

 private:
  std::string_view text_;
  mutable bool was_read_ = false;
};

/// What one statement is judged by. All references outlive the judgement.
struct Judged {
  const sql::Statement& statement;
  const JudgedText& text;
  const Ruleset& rules;
  Profile profile = Profile::kApp;  ///< transparent counts as app in a protected database
  bool has_tenant = false;
  bool decrypts = true;  ///< false for profiles that see ciphertext
  bool chooses = false;  ///< SET may name tenant, subject and purpose
  Findings& findings;
  bool alone = false;            ///< the only statement of its text
  std::string_view schema = {};  ///< of its tenant, where tenants have schemas

  [[nodiscard]] const sql::Catalog& catalog() const { return *rules.catalog; }
};

}  // namespace postern::policy
