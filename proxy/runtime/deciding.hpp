// Steps 2 and 3 of a query's path: text -> Facts -> Decision, cached per worker.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "policy/decision.hpp"
#include "proxy/net/event.hpp"
#include "proxy/net/worker.hpp"
#include "proxy/runtime/protection.hpp"
#include "proxy/session/unit.hpp"
#include "proxy/sinks/metrics.hpp"
#include "sql/analyzer.hpp"
#include "sql/parser_pool.hpp"

namespace postern::proxy {

/// What besides the text decides about it.
struct DecisionScope {
  std::shared_ptr<const Protection> protection;
  policy::Principal principal;
  std::vector<std::string> search_path;
  std::size_t text_bytes = 0;  ///< longest text analysed; the same for the whole process

  /// Equal scopes give equal keys.
  [[nodiscard]] std::string key() const;
};

/// One worker's caches; its thread only. Misses are parsed on the parser threads.
class Decider {
 public:
  /// The cached analysis of `text` in the scope whose key is `scope_key`; null: decide() it.
  [[nodiscard]] std::shared_ptr<const AnalysedText> find(std::string_view text,
                                                         const std::string& scope_key) const;

  /// Analyses on a parser thread and decides here. kParserBusy where its queue is full.
  Task<Result<std::shared_ptr<const AnalysedText>>> decide(sql::ParserPool* parsers, Worker* worker,
                                                           std::string text, DecisionScope scope);

  /// Most texts kept per worker; beyond it the cache starts afresh.
  static constexpr std::size_t kMaxTexts = 20'000;
  /// Longer texts are analysed every time.
  static constexpr std::size_t kMaxCachedBytes = 16 * 1024;

 private:
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  using Texts = std::unordered_map<std::string, std::shared_ptr<const AnalysedText>, TextHash,
                                   std::equal_to<>>;

  std::unordered_map<std::string, Texts> scopes_;
  std::size_t texts_ = 0;
};

}  // namespace postern::proxy
