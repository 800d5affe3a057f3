#include "proxy/identity/choice.hpp"

#include <algorithm>
#include <utility>

#include "base/codes/session.hpp"

namespace postern::proxy {

/// The state of plan() between two steps.
struct Choice::Walk {
  ChoicePlan plan;
  Claims commented;    ///< by comments so far
  bool first = false;  ///< nothing ran in the transaction yet
  bool block = false;  ///< it is an explicit one
  bool ended = false;  ///< a transaction ended within the text
};

namespace {

Status take_text(std::string& into, const std::string& value, bool first) {
  POSTERN_TRY(check_claim(value));
  if (!first && value != into) return make_error(pst::kClaimTooLate);
  into = value;
  return ok();
}

const std::string& or_own(const std::string& value, const std::string& own) {
  return value.empty() ? own : value;
}

// What SET names must be what a comment of the same text names.
Status agrees(const std::optional<std::string>& set, const std::optional<std::string>& comment) {
  if (set && comment && *set != *comment) return make_error(pst::kClaimsDisagree);
  return ok();
}

}  // namespace

Choice::Choice(ActsFor own, ChoiceRights rights)
    : own_(std::move(own)), rights_(std::move(rights)), base_(own_), in_force_(own_) {}

Status Choice::take_tenant(Walk& walk, const std::string& text) const {
  TenantId tenant = own_.tenant;
  if (!text.empty()) {
    POSTERN_ASSIGN(tenant, TenantId::parse(text));
    const bool permitted =
        tenant == own_.tenant || (!rights_.tenant_bound && rights_.tenants.permits(tenant));
    if (!permitted) return make_error(pst::kTenantNotYours);
  }
  if (!walk.first && tenant != walk.plan.target.tenant) return make_error(pst::kClaimTooLate);
  walk.plan.target.tenant = std::move(tenant);
  return ok();
}

Status Choice::take(Walk& walk, const Claims& claims) const {
  const bool first = walk.first;
  ActsFor& target = walk.plan.target;
  if (claims.tenant) POSTERN_TRY(take_tenant(walk, *claims.tenant));
  if (claims.subject) {
    const std::string& subject = or_own(*claims.subject, own_.subject);
    if (rights_.subject_bound && subject != own_.subject) return make_error(pst::kClaimNotTrusted);
    POSTERN_TRY(take_text(target.subject, subject, first));
  }
  if (claims.purpose) {
    POSTERN_TRY(take_text(target.purpose, or_own(*claims.purpose, own_.purpose), first));
  }
  return ok();
}

// SET without LOCAL goes on beyond the transaction, for what it names alone.
void Choice::keep(Walk& walk, const Step& step) const {
  if (step.local) return;
  const ActsFor& target = walk.plan.target;
  ActsFor kept = walk.plan.pending.value_or(walk.plan.base);
  if (step.claims.tenant) kept.tenant = target.tenant;
  if (step.claims.subject) kept.subject = target.subject;
  if (step.claims.purpose) kept.purpose = target.purpose;
  if (walk.block) {
    walk.plan.pending = std::move(kept);
  } else {
    walk.plan.base = std::move(kept);
  }
}

Status Choice::step(Walk& walk, const Step& step) const {
  const bool claims = step.kind == Step::Kind::kClaim || !step.comment.empty();
  if (walk.ended && (claims || walk.plan.target != base_ || walk.plan.pending)) {
    return make_error(pst::kClaimBehindCommit);
  }
  if (step.kind == Step::Kind::kBegin && !walk.block) walk.first = walk.block = true;
  POSTERN_TRY(merge_claims(walk.commented, step.comment));
  POSTERN_TRY(take(walk, step.comment));
  switch (step.kind) {
    case Step::Kind::kBegin:
      break;
    case Step::Kind::kClaim:
      POSTERN_TRY(agrees(step.claims.tenant, walk.commented.tenant));
      POSTERN_TRY(agrees(step.claims.subject, walk.commented.subject));
      POSTERN_TRY(agrees(step.claims.purpose, walk.commented.purpose));
      POSTERN_TRY(take(walk, step.claims));
      keep(walk, step);
      break;
    case Step::Kind::kEnd:
      if (step.chains && (walk.plan.target != base_ || walk.plan.pending)) {
        return make_error(pst::kClaimBehindCommit);
      }
      walk.first = walk.block = false;
      walk.ended = true;
      break;
    case Step::Kind::kOther:
      walk.first = false;
      if (step.resets && walk.block) walk.plan.pending = own_;
      if (step.resets && !walk.block) walk.plan.base = own_;
      break;
  }
  return ok();
}

Result<ChoicePlan> Choice::plan(std::span<const Step> steps, ChoiceMoment moment) const {
  const bool open = moment != ChoiceMoment::kOutside;
  const bool within = moment == ChoiceMoment::kWithin;
  Walk walk;
  walk.ended = within && ended_;
  // An answer from the cache ends a transaction that no server heard of.
  walk.plan.target = open ? in_force_ : base_;
  walk.plan.base = base_;
  if (open) walk.plan.pending = pending_;
  walk.block = open;
  walk.first = !open || (!within && !fresh_begin_.empty());
  for (const Step& each : steps) POSTERN_TRY(step(walk, each));
  const auto only = [&](auto kind) {
    return std::all_of(steps.begin(), steps.end(), [&](const Step& s) { return kind(s.kind); });
  };
  walk.plan.claims_only =
      !steps.empty() && only([](auto kind) { return kind == Step::Kind::kClaim; });
  walk.plan.begins_fresh =
      !steps.empty() && walk.block && walk.first && !within &&
      only([](auto kind) { return kind == Step::Kind::kClaim || kind == Step::Kind::kBegin; });
  walk.plan.ended = walk.ended;
  return walk.plan;
}

void Choice::adopt(const ChoicePlan& plan, ChoiceMoment moment, std::string_view begin) {
  const bool open = moment != ChoiceMoment::kOutside;
  ended_ = plan.ended;
  in_force_ = plan.target;
  base_ = plan.base;
  pending_ = plan.pending;
  if (!plan.begins_fresh) {
    fresh_begin_.clear();
  } else if (!open) {
    fresh_begin_ = begin;
  }
  if (!open) committed_ = false;
}

void Choice::on_tag(std::string_view tag) {
  if (tag == "COMMIT") committed_ = true;
  if (tag == "ROLLBACK") committed_ = false;
}

void Choice::on_idle() {
  if (pending_ && committed_) base_ = *pending_;
  pending_.reset();
  in_force_ = base_;
  fresh_begin_.clear();
  committed_ = false;
}

}  // namespace postern::proxy
