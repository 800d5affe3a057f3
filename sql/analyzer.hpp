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
};

/// Parses and resolves. Never fails: text beyond a limit, a syntax error and everything not
/// understood yield Facts whose statement is opaque with the reason; reasons quote names of
/// objects, never literals. Text without any statement gives one of kind kEmpty; text that cannot
/// be parsed as a whole gives one of kind kOther, for PostgreSQL runs none of it either.
///
/// Runs on the calling thread, about 20 us for an ordinary statement. The limits keep the tree
/// within 4 MiB of stack; call it on a ParserPool thread all the same, for libpg_query keeps
/// memory per thread and allows a limited number of threads. Thread-safe.
///
/// Names of temporary objects are not in the catalog: a caller whose session has made any must
/// treat the statement as opaque.
std::shared_ptr<const Facts> analyze(std::string_view text, const AnalysisContext& context,
                                     const AnalyzerLimits& limits);

}  // namespace postern::sql
