#include "proxy/runtime/deciding.hpp"

#include <utility>

namespace postern::proxy {
namespace {

void append_field(std::string& out, std::string_view text) {
  out.append(std::to_string(text.size())).append(":").append(text);
}

/// Filled on a parser thread, read on the worker after the event.
struct Job {
  explicit Job(const Executor& executor) : done(executor) {}
  Event done;
  std::string text;
  sql::AnalysisContext context;
  sql::AnalyzerLimits limits;
  std::shared_ptr<const sql::Facts> facts;
};

std::shared_ptr<const AnalysedText> conclude(std::string text,
                                             std::shared_ptr<const sql::Facts> facts,
                                             const DecisionScope& scope) {
  auto analysed = std::make_shared<AnalysedText>();
  analysed->text = std::move(text);
  analysed->facts = std::move(facts);
  analysed->protection = scope.protection;
  analysed->search_path = scope.search_path;
  analysed->decrypts = scope.principal.decrypts;
  analysed->has_tenant = scope.principal.has_tenant;
  if (scope.protection->rules != nullptr) {
    analysed->decision = std::make_shared<const policy::Decision>(policy::decide(
        *analysed->facts, analysed->text, *scope.protection->rules, scope.principal));
  }
  return analysed;
}

}  // namespace

std::string DecisionScope::key() const {
  std::string key = std::to_string(protection->epoch);
  key.push_back(static_cast<char>('a' + static_cast<int>(principal.profile)));
  key.push_back(principal.has_tenant ? 't' : 'n');
  key.push_back(principal.decrypts ? 'd' : 'c');
  key.push_back(principal.chooses ? 'x' : 'f');
  for (const std::string& schema : search_path) append_field(key, schema);
  return key;
}

std::shared_ptr<const AnalysedText> Decider::find(std::string_view text,
                                                  const std::string& scope_key) const {
  const auto texts = scopes_.find(scope_key);
  if (texts == scopes_.end()) return nullptr;
  const auto found = texts->second.find(text);
  return found == texts->second.end() ? nullptr : found->second;
}

Task<Result<std::shared_ptr<const AnalysedText>>> Decider::decide(sql::ParserPool* parsers,
                                                                  Worker* worker, std::string text,
                                                                  DecisionScope scope) {
  auto job = std::make_shared<Job>(worker->executor());
  job->text = std::move(text);
  job->context.catalog = scope.protection->catalog;
  job->context.search_path = scope.search_path;
  job->limits.text_bytes = scope.text_bytes;
  const Status accepted = parsers->submit([job, worker] {
    job->facts = sql::analyze(job->text, job->context, job->limits);
    worker->post([job] { job->done.set(); });
  });
  if (!accepted) co_return accepted.error();
  co_await job->done.wait();
  auto analysed = conclude(std::move(job->text), std::move(job->facts), scope);
  if (analysed->text.size() <= kMaxCachedBytes) {
    if (texts_ >= kMaxTexts) {
      scopes_.clear();
      texts_ = 0;
    }
    // Scopes of former policies are never asked for again; they go with the next fresh start.
    if (scopes_[scope.key()].emplace(analysed->text, analysed).second) ++texts_;
  }
  co_return analysed;
}

}  // namespace postern::proxy
