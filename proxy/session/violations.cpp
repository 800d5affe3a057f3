#include "proxy/session/violations.hpp"

#include <utility>

#include "base/codes/alert.hpp"
#include "base/codes/auth.hpp"
#include "base/codes/session.hpp"
#include "base/codes/wall.hpp"
#include "proxy/alerts/alerts.hpp"

namespace postern::proxy {
namespace {

Alert alert_of(const Session& session, std::string_view rule, Pst code) {
  const Identity& who = session.identity;
  Alert alert;
  alert.rule = rule;
  alert.code = code;
  alert.login = who.login;
  if (!who.tenant.is_none()) alert.tenant = who.tenant.text();
  alert.application = who.application;
  alert.address = who.address;
  if (session.database != nullptr) alert.database = session.database->name();
  return alert;
}

std::string_view rule_of_statement(Pst code) {
  if (code == pst::kFastPathRefused) return kRuleFastPath;
  if (code == pst::kTenantNotYours || code == pst::kClaimNotTrusted) return kRuleIdentity;
  return {};
}

bool is_token_trouble(Pst code) {
  return code == pst::kTokenMalformed || code == pst::kTokenAlgorithm ||
         code == pst::kTokenKeyUnknown || code == pst::kTokenSignature ||
         code == pst::kTokenIssuer || code == pst::kTokenLogin;
}

std::string_view rule_of_failure(Pst code) {
  if (code == pst::kTooManyFailures) return kRuleBurst;
  if (is_token_trouble(code)) return kRuleToken;
  if (code == pst::kArmingFailed || code == pst::kTenantChangeBlocked) return kRuleContext;
  const bool identity = code == pst::kTenantNotAllowed || code == pst::kIdentityDisagrees ||
                        code == pst::kClaimNotTrusted || code == pst::kStrangerRefused;
  return identity ? kRuleIdentity : std::string_view();
}

// Without the port: every attempt has another one.
std::string host_of(const std::string& address) {
  return address.substr(0, address.rfind(':'));
}

}  // namespace

void tell_refusal(Session* session, const AnalysedText& analysed, const Error& error,
                  bool observed) {
  const bool decided = analysed.decision != nullptr && analysed.decision->refusal &&
                       analysed.decision->refusal->error.code == error.code;
  const std::string_view rule =
      decided ? std::string_view(analysed.decision->refusal->rule) : rule_of_statement(error.code);
  if (rule.empty()) return;
  Alert alert = alert_of(*session, rule, error.code);
  alert.observed = observed;
  if (analysed.facts != nullptr) alert.fingerprint = analysed.facts->fingerprint;
  if (alert.fingerprint.empty()) alert.fingerprint = session->identity.login;
  raise_alert(std::move(alert));
}

void tell_failure(Session* session, const Error& error) {
  const std::string_view rule = rule_of_failure(error.code);
  if (rule.empty()) return;
  Alert alert = alert_of(*session, rule, error.code);
  alert.fingerprint = host_of(session->identity.address);
  // Who did not prove to be somebody does not get a series of alerts for each name it tries.
  if (rule != kRuleBurst && rule != kRuleToken) alert.fingerprint += "/" + session->identity.login;
  raise_alert(std::move(alert));
}

void tell_server_error(Session* session, const Execution& execution, std::string_view sqlstate) {
  const bool invalid = sqlstate == pst_info(pst::kContextInvalid).sqlstate;
  const bool expired = sqlstate == pst_info(pst::kContextExpired).sqlstate;
  if (!invalid && !expired) return;
  Alert alert = invalid ? alert_of(*session, kRuleContext, pst::kContextInvalid)
                        : alert_of(*session, kRuleContextExpired, pst::kContextExpired);
  const auto& facts = execution.analysed->facts;
  alert.fingerprint = facts != nullptr ? facts->fingerprint : session->identity.login;
  raise_alert(std::move(alert));
}

void tell_bypass(Session* session, const ServerFacts& facts) {
  const auto protection = session->database->protection();
  const bool walled = protection != nullptr && protection->is_protected;
  if (facts.bypass.empty() || !walled || std::exchange(session->bypass_told, true)) return;
  Alert alert = alert_of(*session, kRuleBypass, pst::kWallBypassed);
  alert.observed = true;
  alert.object = facts.bypass;
  alert.fingerprint = session->identity.upstream_user;
  raise_alert(std::move(alert));
}

}  // namespace postern::proxy
