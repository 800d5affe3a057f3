// The one entrance to SQL analysis: text and settings in, Facts out.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "sql/catalog.hpp"
#include "sql/facts.hpp"

namespace postern::sql {

/// What besides the text decides its meaning.
struct AnalysisContext {
  std::shared_ptr<const Catalog> catalog;  ///< nullptr: names stay unresolved and statements that
                                           ///< mention relations become opaque
  std::vector<std::string> search_path;    ///< schemas in order, "$user" already replaced
};

struct AnalyzerLimits {
  std::size_t text_bytes = 256 * 1024;
  std::size_t tokens = 50'000;
  std::size_t depth = 500;    ///< bracket nesting
  std::size_t chain = 1'500;  ///< operators, UNIONs and such in one row without a bracket
  std::size_t cache_entries = 20'000;
};

/// Parses and resolves. Never fails: text beyond a limit, a syntax error and everything not
/// understood yield Facts whose statement is opaque with the reason.
/// Runs on the calling thread; a syntax tree deeper than the caps is refused before libpg_query
/// sees it (deep input can crash it).
std::shared_ptr<const Facts> analyze(std::string_view text, const AnalysisContext& context,
                                     const AnalyzerLimits& limits);

}  // namespace postern::sql
