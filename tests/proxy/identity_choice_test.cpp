// Whom statements are for, text by text.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "base/codes/session.hpp"
#include "proxy/identity/choice.hpp"

using namespace postern;
using namespace postern::proxy;

namespace {

using Kind = Step::Kind;
constexpr auto kOutside = ChoiceMoment::kOutside;
constexpr auto kOpen = ChoiceMoment::kOpen;
constexpr auto kWithin = ChoiceMoment::kWithin;

TenantId tenant(const std::string& text) {
  return TenantId::parse(text).value();
}

Choice choice_of(std::vector<std::string> names = {"a", "b"}) {
  ChoiceRights rights;
  rights.by_set = rights.by_comment = true;
  for (const std::string& name : names) rights.tenants.allowed.push_back(tenant(name));
  return {ActsFor{}, rights};
}

Step step(Kind kind) {
  Step s;
  s.kind = kind;
  return s;
}
Step set(const std::string& name, bool local = false) {
  Step s = step(Kind::kClaim);
  s.claims.tenant = name;
  s.local = local;
  return s;
}
Step commented(const std::string& name, Kind kind = Kind::kOther) {
  Step s = step(kind);
  s.comment.tenant = name;
  return s;
}
const Step kBegin = step(Kind::kBegin);
const Step kEnd = step(Kind::kEnd);
const Step kRead = step(Kind::kOther);

using Steps = std::vector<Step>;

/// Plans and adopts; the tenant in force, or the code of the refusal.
std::string run(Choice& choice, const Steps& steps, ChoiceMoment moment) {
  const auto plan = choice.plan(steps, moment);
  if (!plan) return pst_label(plan.error().code);
  choice.adopt(*plan, moment, "BEGIN");
  const TenantId& now = choice.in_force().tenant;
  return now.is_none() ? "" : now.text();
}

std::string idle(Choice& choice, const char* tag = "") {
  choice.on_tag(tag);
  choice.on_idle();
  const TenantId& now = choice.in_force().tenant;
  return now.is_none() ? "" : now.text();
}

}  // namespace

TEST_CASE("SET holds until it is set anew or reset") {
  Choice choice = choice_of();
  CHECK(run(choice, {set("a")}, kOutside) == "a");
  CHECK(run(choice, {kRead}, kOutside) == "a");
  CHECK(idle(choice, "SELECT 1") == "a");
  CHECK(run(choice, {set("b")}, kOutside) == "b");
  CHECK(run(choice, {set("")}, kOutside).empty());
  CHECK(run(choice, {set("c")}, kOutside) == "PST-2473");
  CHECK(run(choice, {set("no tenant")}, kOutside) == "PST-1601");
}

TEST_CASE("SET LOCAL and comments hold for their transaction") {
  Choice choice = choice_of();
  CHECK(run(choice, {set("a")}, kOutside) == "a");
  CHECK(run(choice, {commented("b")}, kOutside) == "b");
  CHECK(idle(choice) == "a");
  CHECK(run(choice, {kBegin}, kOutside) == "a");
  CHECK(choice.fresh_begin() == "BEGIN");
  CHECK(run(choice, {set("b", true)}, kOpen) == "b");
  CHECK(choice.fresh_begin() == "BEGIN");
  CHECK(run(choice, {kRead}, kOpen) == "b");
  CHECK(choice.fresh_begin().empty());
  CHECK(run(choice, {set("a", true)}, kOpen) == "PST-2464");
  CHECK(run(choice, {set("b", true)}, kOpen) == "b");
  CHECK(run(choice, {commented("b")}, kOpen) == "b");
  CHECK(run(choice, {commented("a")}, kOpen) == "PST-2464");
  CHECK(run(choice, {kEnd}, kOpen) == "b");
  CHECK(idle(choice, "COMMIT") == "a");
}

TEST_CASE("SET inside a transaction outlives its commit, not its rollback") {
  for (const char* tag : {"COMMIT", "ROLLBACK"}) {
    CAPTURE(tag);
    Choice choice = choice_of();
    CHECK(run(choice, {set("a")}, kOutside) == "a");
    CHECK(run(choice, {kBegin, set("b"), kRead}, kOutside) == "b");
    CHECK(run(choice, {kEnd}, kOpen) == "b");
    CHECK(idle(choice, tag) == (std::string(tag) == "COMMIT" ? "b" : "a"));
  }
}

TEST_CASE("an answer that no server gave ends its transaction too") {
  Choice choice = choice_of();
  CHECK(run(choice, {commented("b")}, kOutside) == "b");
  CHECK(run(choice, {kRead}, kOutside).empty());
}

TEST_CASE("a text has one tenant, from its first statement on") {
  Choice choice = choice_of();
  CHECK(run(choice, {kRead, set("a")}, kOutside) == "PST-2464");
  CHECK(run(choice, {kBegin, kRead, set("a", true)}, kOutside) == "PST-2464");
  Step both = set("a");
  both.comment.tenant = "b";
  CHECK(run(choice, {both}, kOutside) == "PST-2466");
  CHECK(run(choice, {commented("a"), commented("b")}, kOutside) == "PST-2466");
  CHECK(run(choice, {set("a"), set("b")}, kOutside) == "b");
}

TEST_CASE("nothing runs for one tenant behind the end of another's transaction") {
  Choice choice = choice_of();
  CHECK(run(choice, {kBegin, set("a", true), kRead, kEnd, kRead}, kOutside) == "PST-2474");
  CHECK(run(choice, {kBegin, kRead, kEnd, set("a")}, kOutside) == "PST-2474");
  CHECK(run(choice, {kBegin, kRead, kEnd, kRead}, kOutside).empty());
  CHECK(run(choice, {kBegin, set("a", true), kRead}, kOutside) == "a");
  Step chained = kEnd;
  chained.chains = true;
  CHECK(run(choice, {chained}, kOpen) == "PST-2474");
  CHECK(run(choice, {kEnd, kBegin, kRead}, kOpen) == "PST-2474");
}

TEST_CASE("further parts of a batch have to agree") {
  Choice choice = choice_of();
  CHECK(run(choice, {commented("a")}, kOutside) == "a");
  CHECK(run(choice, {kRead}, kWithin) == "a");
  CHECK(run(choice, {commented("a")}, kWithin) == "a");
  CHECK(run(choice, {commented("b")}, kWithin) == "PST-2464");
  Choice ended = choice_of();
  CHECK(run(ended, {kBegin, set("a", true), kRead, kEnd}, kOutside) == "a");
  CHECK(run(ended, {kRead}, kWithin) == "PST-2474");
}

TEST_CASE("DISCARD ALL brings back what the login brought along") {
  Choice choice = choice_of();
  CHECK(run(choice, {set("a")}, kOutside) == "a");
  Step discard = kRead;
  discard.resets = true;
  CHECK(run(choice, {discard}, kOutside) == "a");
  CHECK(idle(choice, "DISCARD ALL").empty());
}

TEST_CASE("what is proven cannot be named otherwise") {
  ChoiceRights rights;
  rights.by_set = true;
  rights.tenant_bound = rights.subject_bound = true;
  rights.tenants.any = true;
  Choice choice({tenant("a"), "ann", ""}, rights);
  CHECK(run(choice, {set("b")}, kOutside) == "PST-2473");
  CHECK(run(choice, {set("a")}, kOutside) == "a");
  Step other = step(Kind::kClaim);
  other.claims.subject = "bob";
  CHECK(run(choice, {other}, kOutside) == "PST-2468");
  Step purpose = step(Kind::kClaim);
  purpose.claims.purpose = "ticket 7";
  CHECK(run(choice, {purpose}, kOutside) == "a");
  CHECK(choice.in_force().purpose == "ticket 7");
}
