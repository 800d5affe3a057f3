#include "proxy/session/analyse.hpp"

#include <utility>

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
  scope.principal.decrypts = sees_plaintext(session->identity.profile);
  if (session->search_path_known) scope.search_path = session->search_path;
  return scope;
}

}  // namespace

Task<Result<std::shared_ptr<const AnalysedText>>> analyse(Session* session,
                                                          std::string_view text) {
  static const auto kUnanalysed = std::make_shared<const AnalysedText>();
  auto protection = session->database->protection();
  if (protection == nullptr) co_return kUnanalysed;
  if (protection->blocked && session->identity.profile != policy::Profile::kAdmin) {
    co_return *protection->blocked;
  }
  DecisionScope scope = scope_of(session, std::move(protection));
  Metrics& metrics = session->runtime().metrics;
  if (auto found = session->context->decider.find(text, scope.key())) {
    metrics.analysis_hits.add();
    co_return found;
  }
  metrics.analysis_misses.add();
  std::string owned(text);
  co_return co_await session->context->decider.decide(session->runtime().parsers.get(),
                                                      session->worker(), std::move(owned),
                                                      std::move(scope));
}

bool outdated(const Session& session, const AnalysedText& analysed) {
  return analysed.protection != session.database->protection();
}

}  // namespace postern::proxy
