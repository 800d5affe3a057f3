// Steps 2 and 3 of a query's path: text -> Facts -> Decision, cached per worker on two levels.
// docs/adr/0012-analysis-cache.md.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/decision.hpp"
#include "proxy/net/event.hpp"
#include "proxy/net/worker.hpp"
#include "proxy/runtime/protection.hpp"
#include "proxy/runtime/text_cache.hpp"
#include "proxy/session/unit.hpp"
#include "sql/analyzer.hpp"
#include "sql/parser_pool.hpp"
#include "sql/shape.hpp"

namespace postern::proxy {

class Database;

/// What besides the text decides about it. Borrowed: the caller keeps what it points to.
struct DecisionScope {
  const Database* database = nullptr;  ///< whose protection it is; never dereferenced
  std::shared_ptr<const Protection> protection;
  policy::Principal principal;
  std::span<const std::string> search_path;
  std::size_t text_bytes = 0;  ///< longest text analysed; longer is opaque
};

/// One worker's caches; its thread only. Misses are parsed on the parser threads.
class Decider {
 public:
  /// `cache_bytes`: of texts, their facts and decisions, in memory.
  explicit Decider(std::size_t cache_bytes);

  enum class Source : std::uint8_t {
    kNone,   ///< not cached: decide() it
    kBytes,  ///< the text itself was decided before
    kShape,  ///< a text that differs in values only was analysed before
  };
  struct Found {
    std::shared_ptr<const AnalysedText> analysed;
    Source source = Source::kNone;
  };
  /// What is known of `text` in the scope, without parsing anything.
  Found find(std::string_view text, const DecisionScope& scope);

  /// Analyses on a parser thread and decides here. kAnalysisBusy where its queue is full. What
  /// `scope` borrows is copied before the first suspension.
  Task<Result<std::shared_ptr<const AnalysedText>>> decide(sql::ParserPool* parsers, Worker* worker,
                                                           std::string text, DecisionScope scope);

  /// Keeps what a parser thread found of a text. For decide(), and for tests.
  std::shared_ptr<const AnalysedText> conclude(std::string text,
                                               std::shared_ptr<const sql::Facts> facts,
                                               const DecisionScope& scope);

  /// Longer texts are analysed every time.
  static constexpr std::size_t kMaxCachedBytes = 16 * 1024;
  /// Combinations of database, policy, profile, search path and tenant's schema kept apart.
  static constexpr std::size_t kMaxScopes = 256;
  /// Analyses kept of texts of one shape whose fixed literals differ.
  static constexpr std::size_t kMaxVariants = 4;

  [[nodiscard]] std::size_t bytes() const { return texts_.bytes() + shapes_.bytes(); }
  [[nodiscard]] std::size_t texts() const { return texts_.size(); }

 private:
  struct Scope {
    std::uint64_t id = 0;
    const Database* database = nullptr;
    std::shared_ptr<const Protection> protection;
    policy::Principal principal;
    std::uint64_t pins = 0;  ///< Shapes::generation
    std::vector<std::string> search_path;
  };
  /// Texts of one shape with the same fixed literals.
  struct Variant {
    sql::FactsTemplate facts;
    /// Of all of them; null where each has to be judged by itself (Decision::by_facts_alone).
    std::shared_ptr<const policy::Decision> decision;
    CodeBehind behind;  ///< likewise
  };
  using Variants = std::vector<Variant>;

  static std::shared_ptr<const AnalysedText> apply(const Variant& variant, std::string_view text,
                                                   std::shared_ptr<const sql::Facts> facts,
                                                   const DecisionScope& scope);

  std::uint64_t scope_id(const DecisionScope& scope);
  std::uint64_t add_scope(const DecisionScope& scope);
  void drop_scopes(const std::vector<std::uint64_t>& ids);
  std::shared_ptr<const AnalysedText> by_shape(std::string_view text, const DecisionScope& scope,
                                               std::uint64_t id);
  void keep_shape(const AnalysedText& analysed, std::uint64_t id);
  void keep_text(std::shared_ptr<const AnalysedText> analysed, std::uint64_t id);
  bool seen_before(std::string_view text, std::uint64_t id);

  std::vector<Scope> scopes_;  ///< most recently used first
  std::uint64_t last_scope_ = 0;
  TextCache<std::shared_ptr<const AnalysedText>> texts_;
  TextCache<Variants> shapes_;
  /// Hashes of texts served by shape: one that comes twice is worth keeping by its bytes.
  std::array<std::uint32_t, 4096> once_{};
};

}  // namespace postern::proxy
