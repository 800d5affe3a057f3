#include "proxy/runtime/deciding.hpp"

#include <algorithm>
#include <utility>

#include "proxy/runtime/shapes.hpp"
#include "proxy/session/code_behind.hpp"

namespace postern::proxy {
namespace {

/// Filled on a parser thread, read on the worker after the event.
struct Job {
  explicit Job(const Executor& executor) : done(executor) {}
  Event done;
  std::string text;
  sql::AnalysisContext context;
  sql::AnalyzerLimits limits;
  std::shared_ptr<const sql::Facts> facts;
};

bool cached(std::string_view text, const DecisionScope& scope) {
  return text.size() <= std::min(Decider::kMaxCachedBytes, scope.text_bytes);
}

bool equal(const policy::Principal& a, const policy::Principal& b) {
  return a.profile == b.profile && a.has_tenant == b.has_tenant && a.decrypts == b.decrypts &&
         a.chooses == b.chooses && a.schema == b.schema;
}

std::size_t footprint(const policy::Decision& decision) {
  std::size_t bytes = sizeof(decision) + decision.literals.capacity() * sizeof(policy::LiteralOp) +
                      decision.params.capacity() * sizeof(policy::ParamOp);
  for (const policy::StatementDecision& s : decision.statements) {
    bytes += sizeof(s) + s.cache.tables.capacity() * sizeof(Oid) +
             s.written_tables.capacity() * sizeof(Oid) +
             s.outputs.capacity() * sizeof(policy::OutputOp) +
             s.rules.capacity() * sizeof(std::string);
  }
  return bytes;
}

std::size_t footprint(const AnalysedText& analysed) {
  std::size_t bytes = sizeof(analysed) + analysed.text.capacity() + sql::footprint(*analysed.facts);
  for (const std::string& schema : analysed.search_path) bytes += sizeof(schema) + schema.size();
  return bytes + (analysed.decision ? footprint(*analysed.decision) : 0);
}

std::shared_ptr<AnalysedText> undecided(std::string text, std::shared_ptr<const sql::Facts> facts,
                                        const DecisionScope& scope) {
  auto analysed = std::make_shared<AnalysedText>();
  analysed->text = std::move(text);
  analysed->facts = std::move(facts);
  analysed->protection = scope.protection;
  analysed->search_path.assign(scope.search_path.begin(), scope.search_path.end());
  analysed->decrypts = scope.principal.decrypts;
  analysed->has_tenant = scope.principal.has_tenant;
  return analysed;
}

std::shared_ptr<AnalysedText> judge(std::string text, std::shared_ptr<const sql::Facts> facts,
                                    const DecisionScope& scope) {
  auto analysed = undecided(std::move(text), std::move(facts), scope);
  if (scope.protection->rules != nullptr) {
    const policy::Ruleset& rules = *scope.protection->rules;
    policy::Decision decision =
        policy::decide(*analysed->facts, analysed->text, rules, scope.principal);
    shapes().judge(*analysed->facts, rules, scope.principal, decision);
    analysed->decision = std::make_shared<const policy::Decision>(std::move(decision));
  }
  analysed->behind = code_behind(*analysed);
  return analysed;
}

bool holds_for_variant(const AnalysedText& analysed) {
  return analysed.decision != nullptr && analysed.decision->by_facts_alone &&
         !analysed.decision->refusal;
}

}  // namespace

// A shape serves many texts; a quarter of the bytes is plenty.
Decider::Decider(std::size_t cache_bytes)
    : texts_(cache_bytes - cache_bytes / 4), shapes_(cache_bytes / 4) {}

std::uint64_t Decider::scope_id(const DecisionScope& scope) {
  const std::uint64_t pins = shapes().generation();
  const auto same = [&](const Scope& known) {
    return known.protection == scope.protection && known.pins == pins &&
           equal(known.principal, scope.principal) &&
           std::equal(known.search_path.begin(), known.search_path.end(), scope.search_path.begin(),
                      scope.search_path.end());
  };
  const auto found = std::find_if(scopes_.begin(), scopes_.end(), same);
  if (found == scopes_.end()) return add_scope(scope);
  if (found != scopes_.begin()) std::rotate(scopes_.begin(), found, found + 1);
  return scopes_.front().id;
}

/// Scopes of the database's former policies go at once: each holds a catalog in memory. Where there
/// are too many, the quarter that was not used for the longest time goes.
std::uint64_t Decider::add_scope(const DecisionScope& scope) {
  const std::size_t kept = scopes_.size() >= kMaxScopes ? kMaxScopes / 4 * 3 : kMaxScopes;
  std::vector<std::uint64_t> gone;
  for (std::size_t i = 0; i < scopes_.size(); ++i) {
    const Scope& known = scopes_[i];
    const bool former =
        known.database == scope.database && known.protection->epoch < scope.protection->epoch;
    if (former || i >= kept) gone.push_back(known.id);
  }
  if (!gone.empty()) drop_scopes(gone);
  Scope added;
  added.id = ++last_scope_;
  added.database = scope.database;
  added.protection = scope.protection;
  added.principal = scope.principal;
  added.pins = shapes().generation();
  added.search_path.assign(scope.search_path.begin(), scope.search_path.end());
  scopes_.insert(scopes_.begin(), std::move(added));
  return last_scope_;
}

void Decider::drop_scopes(const std::vector<std::uint64_t>& ids) {
  const auto gone = [&](std::uint64_t id) {
    return std::find(ids.begin(), ids.end(), id) != ids.end();
  };
  std::erase_if(scopes_, [&](const Scope& scope) { return gone(scope.id); });
  texts_.drop(gone);
  shapes_.drop(gone);
}

Decider::Found Decider::find(std::string_view text, const DecisionScope& scope) {
  if (!cached(text, scope)) return {};
  const std::uint64_t id = scope_id(scope);
  if (const auto* known = texts_.find(id, text)) return {*known, Source::kBytes};
  auto analysed = by_shape(text, scope, id);
  if (analysed == nullptr) return {};
  if (seen_before(text, id)) keep_text(analysed, id);
  return {std::move(analysed), Source::kShape};
}

std::shared_ptr<const AnalysedText> Decider::by_shape(std::string_view text,
                                                      const DecisionScope& scope,
                                                      std::uint64_t id) {
  const auto shape = sql::shape_of(text, sql::AnalyzerLimits{}.tokens);
  if (!shape) return nullptr;
  const Variants* variants = shapes_.find(id, shape->key);
  if (variants == nullptr) return nullptr;
  for (const Variant& variant : *variants) {
    auto facts = variant.facts.facts_for(text, *shape);
    if (facts != nullptr) return apply(variant, text, std::move(facts), scope);
  }
  return nullptr;
}

std::shared_ptr<const AnalysedText> Decider::apply(const Variant& variant, std::string_view text,
                                                   std::shared_ptr<const sql::Facts> facts,
                                                   const DecisionScope& scope) {
  if (variant.decision == nullptr) return judge(std::string(text), std::move(facts), scope);
  auto analysed = undecided(std::string(text), std::move(facts), scope);
  analysed->decision = variant.decision;
  analysed->behind = variant.behind;
  return analysed;
}

bool Decider::seen_before(std::string_view text, std::uint64_t id) {
  const std::size_t hash = std::hash<std::string_view>{}(text) ^ id;
  std::uint32_t& slot = once_[hash % once_.size()];
  const auto mark = static_cast<std::uint32_t>(hash >> 32);
  return std::exchange(slot, mark) == mark;
}

void Decider::keep_text(std::shared_ptr<const AnalysedText> analysed, std::uint64_t id) {
  const std::size_t bytes = footprint(*analysed);
  const std::string_view text = analysed->text;
  texts_.store(id, text, std::move(analysed), bytes);
}

void Decider::keep_shape(const AnalysedText& analysed, std::uint64_t id) {
  const auto shape = sql::shape_of(analysed.text, sql::AnalyzerLimits{}.tokens);
  if (!shape) return;
  auto made = sql::FactsTemplate::make(analysed.text, *shape, analysed.facts);
  if (!made) return;
  Variants variants;
  if (Variants* known = shapes_.find(id, shape->key)) variants = std::move(*known);
  if (variants.size() >= kMaxVariants) variants.erase(variants.begin());
  Variant variant{std::move(*made), nullptr, analysed.behind};
  if (holds_for_variant(analysed)) variant.decision = analysed.decision;
  variants.push_back(std::move(variant));
  std::size_t bytes = 0;
  for (const Variant& each : variants) {
    bytes += each.facts.footprint() + (each.decision ? footprint(*each.decision) : 0);
  }
  shapes_.store(id, shape->key, std::move(variants), bytes);
}

std::shared_ptr<const AnalysedText> Decider::conclude(std::string text,
                                                      std::shared_ptr<const sql::Facts> facts,
                                                      const DecisionScope& scope) {
  const bool kept = cached(text, scope);
  // Before it is judged: what is in force may change meanwhile.
  const std::uint64_t id = kept ? scope_id(scope) : 0;
  std::shared_ptr<const AnalysedText> analysed = judge(std::move(text), std::move(facts), scope);
  if (kept) {
    keep_shape(*analysed, id);
    keep_text(analysed, id);
  }
  return analysed;
}

Task<Result<std::shared_ptr<const AnalysedText>>> Decider::decide(sql::ParserPool* parsers,
                                                                  Worker* worker, std::string text,
                                                                  DecisionScope scope) {
  auto job = std::make_shared<Job>(worker->executor());
  job->text = std::move(text);
  job->context.catalog = scope.protection->catalog;
  job->context.search_path.assign(scope.search_path.begin(), scope.search_path.end());
  job->limits.text_bytes = scope.text_bytes;
  scope.search_path = job->context.search_path;
  const Status accepted = parsers->submit([job, worker] {
    job->facts = sql::analyze(job->text, job->context, job->limits);
    worker->post([job] { job->done.set(); });
  });
  if (!accepted) co_return accepted.error();
  co_await job->done.wait();
  co_return conclude(std::move(job->text), std::move(job->facts), scope);
}

}  // namespace postern::proxy
