#include "proxy/session/analyse.hpp"

#include <utility>

#include "base/codes/config.hpp"
#include "proxy/session/audit_trail.hpp"
#include "proxy/session/observed.hpp"

namespace postern::proxy {
namespace {

bool sees_plaintext(policy::Profile profile) {
  return profile != policy::Profile::kAdmin && profile != policy::Profile::kBackup;
}

DecisionScope scope_of(Session* session, std::shared_ptr<const Protection> protection) {
  DecisionScope scope;
  scope.protection = std::move(protection);
  scope.principal.profile = session->identity.profile;
  scope.principal.has_tenant = !session->identity.tenant.is_none();
  scope.principal.schema = session->identity.schema;
  scope.principal.chooses = session->choice != nullptr && session->choice->rights().by_set;
  scope.principal.decrypts = sees_plaintext(session->identity.profile);
  scope.text_bytes = session->config().limits.query_bytes.bytes;
  if (session->search_path_known) scope.search_path = session->search_path;
  scope.database = session->database;
  return scope;
}

// Of a database that became protected by DDL: a session of before stays where nothing of it could
// have weakened the rules.
Status stands_under(const Session& session, const Protection& protection) {
  const Identity& who = session.identity;
  if (!protection.is_protected || who.guarded) return ok();
  if (who.harmless && !session.settings_changed && !session.pooled) return ok();
  return make_error(pst::kConfigurationChanged, "its database is protected now");
}

}  // namespace

std::shared_ptr<const AnalysedText> analysed_already(Session* session) {
  static const auto kUnanalysed = std::make_shared<const AnalysedText>();
  return session->database->protection() == nullptr ? kUnanalysed : nullptr;
}

Task<Result<std::shared_ptr<const AnalysedText>>> analyse(Session* session, std::string_view text) {
  auto protection = session->database->protection();
  if (protection == nullptr) co_return analysed_already(session);
  const Status stands = stands_under(*session, *protection);
  if (!stands) co_return stands.error();
  if (protection->blocked && session->identity.profile != policy::Profile::kAdmin) {
    co_return *protection->blocked;
  }
  DecisionScope scope = scope_of(session, std::move(protection));
  Metrics& metrics = session->runtime().metrics;
  auto found = session->context->decider.find(text, scope);
  if (found.analysed != nullptr) {
    const bool by_shape = found.source == Decider::Source::kShape;
    (by_shape ? metrics.analysis_shapes : metrics.analysis_hits).add();
    co_return std::move(found.analysed);
  }
  metrics.analysis_misses.add();
  std::string owned(text);
  co_return co_await session->context->decider.decide(
      session->runtime().parsers.get(), session->worker(), std::move(owned), std::move(scope));
}

bool ends_session(const Error& error) {
  return error.code == pst::kConfigurationChanged;
}

std::shared_ptr<const AnalysedText> text_of(std::shared_ptr<const AnalysedText> analysed,
                                            std::string_view text) {
  if (analysed->facts != nullptr) return analysed;
  auto copy = std::make_shared<AnalysedText>();
  copy->text = text;
  copy->protection = analysed->protection;
  return copy;
}

Task<std::optional<Error>> refusal_of(Session* session,
                                      std::shared_ptr<const AnalysedText> analysed) {
  if (analysed->decision == nullptr || !analysed->decision->refusal) co_return std::nullopt;
  Error error = analysed->decision->refusal->error;
  const bool observed = analysed->decision->would_refuse;
  if (observed) note_observed(session->identity.application, *analysed);
  const Status recorded = co_await record_refusal(session, std::move(analysed), error, observed);
  if (!recorded) co_return recorded.error();
  if (observed) co_return std::nullopt;
  co_return error;
}

bool gated(const Session& session) {
  const auto protection = session.database->protection();
  return protection != nullptr && protection->is_protected &&
         session.identity.profile != policy::Profile::kAdmin;
}

bool means_other(const Session& session, const AnalysedText& analysed) {
  if (outdated(session, analysed)) return true;
  if (analysed.facts == nullptr) return false;
  if (analysed.has_tenant == session.identity.tenant.is_none()) return true;
  static const std::vector<std::string> kUnknown;
  return analysed.search_path != (session.search_path_known ? session.search_path : kUnknown);
}

bool outdated(const Session& session, const AnalysedText& analysed) {
  return analysed.protection != session.database->protection();
}

}  // namespace postern::proxy
