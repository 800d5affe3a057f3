// Whom the statements of one session are for, where it may choose: the rules, without any I/O.
//
// What is named in front of a transaction's first statement holds for the transaction; SET without
// LOCAL holds on, once the transaction it stands in has committed.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "base/ids.hpp"
#include "config/options_auth.hpp"
#include "proxy/identity/claims.hpp"

namespace postern::proxy {

/// Whom something is for.
struct ActsFor {
  TenantId tenant;
  std::string subject;
  std::string purpose;
  friend bool operator==(const ActsFor&, const ActsFor&) = default;
};

/// One statement about to run, as far as identity goes.
struct Step {
  enum class Kind : std::uint8_t {
    kBegin,
    kClaim,  ///< SET or RESET of a claim
    kEnd,    ///< ends a transaction
    kOther,
  };
  Kind kind = Kind::kOther;
  bool local = false;   ///< kClaim: SET LOCAL
  bool chains = false;  ///< kEnd: AND CHAIN
  bool resets = false;  ///< kOther: RESET ALL, DISCARD ALL
  Claims claims;        ///< kClaim
  Claims comment;       ///< of the text it stands in
};

/// What a session may name.
struct ChoiceRights {
  bool by_set = false;
  bool by_comment = false;
  bool tenant_bound = false;   ///< proven otherwise, or fixed: only itself may be named
  bool subject_bound = false;  ///< proven otherwise
  config::TenantChoice tenants;
};

/// What is to happen for a text to run for the right one.
struct ChoicePlan {
  ActsFor target;                  ///< in force while it runs
  ActsFor base;                    ///< of the session, from now on
  std::optional<ActsFor> pending;  ///< becomes the base when the open transaction commits
  bool claims_only = false;        ///< nothing but SET and RESET of claims
  bool begins_fresh = false;       ///< leaves a transaction open in which nothing ran yet
  bool ended = false;              ///< a transaction ends within it
};

/// Where in the session's course a text stands.
enum class ChoiceMoment : std::uint8_t {
  kOutside,  ///< no transaction is open
  kOpen,     ///< a transaction block is open on the server
  kWithin,   ///< further messages of a batch that a server has begun to run
};

/// One session's choice. One thread, no I/O.
class Choice {
 public:
  /// `own` is what the login brought along.
  Choice(ActsFor own, ChoiceRights rights);

  [[nodiscard]] const ChoiceRights& rights() const { return rights_; }
  [[nodiscard]] const ActsFor& in_force() const { return in_force_; }
  /// The open transaction has run nothing yet: this is the BEGIN that opened it. Empty: it has.
  [[nodiscard]] const std::string& fresh_begin() const { return fresh_begin_; }

  /// Pure. kClaimTooLate, kClaimsDisagree, kBadTenant,
  /// kBadClaim, kTenantNotYours, kClaimBehindCommit.
  [[nodiscard]] Result<ChoicePlan> plan(std::span<const Step> steps, ChoiceMoment moment) const;
  /// The plan is carried out; `begin` is the BEGIN where it begins fresh.
  void adopt(const ChoicePlan& plan, ChoiceMoment moment, std::string_view begin);
  /// A CommandComplete with this tag came from the server.
  void on_tag(std::string_view tag);
  /// The server says that no transaction is open any more.
  void on_idle();

 private:
  struct Walk;
  Status take(Walk& walk, const Claims& claims) const;
  Status take_tenant(Walk& walk, const std::string& text) const;
  Status step(Walk& walk, const Step& step) const;
  void keep(Walk& walk, const Step& step) const;

  ActsFor own_;
  ChoiceRights rights_;
  ActsFor base_;
  ActsFor in_force_;
  std::optional<ActsFor> pending_;
  std::string fresh_begin_;
  bool committed_ = false;
  bool ended_ = false;  ///< within the batch that is running
};

}  // namespace postern::proxy
