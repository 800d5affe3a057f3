#include "proxy/session/observed.hpp"

#include <mutex>
#include <set>
#include <string>

#include "proxy/sinks/log.hpp"

namespace postern::proxy {
namespace {

constexpr std::size_t kShownBytes = 1000;

// One process tells each thing once, whichever worker saw it.
struct Told {
  std::mutex mutex;
  std::set<std::string> keys;
};

Told& told() {
  static Told the_told;
  return the_told;
}

bool is_first(std::string key) {
  const std::lock_guard lock(told().mutex);
  return told().keys.size() < kMaxObserved && told().keys.insert(std::move(key)).second;
}

}  // namespace

void note_observed(std::string_view application, const AnalysedText& analysed) {
  const policy::Refusal& refusal = *analysed.decision->refusal;
  const std::string code = pst_label(refusal.error.code);
  std::string key = analysed.facts->fingerprint + code;
  if (!is_first(key.append(application))) return;
  log_warning("would_refuse", {{"application", application},
                               {"code", code},
                               {"rule", refusal.rule},
                               {"shape", analysed.facts->fingerprint},
                               {"sql", analysed.facts->normalized.substr(0, kShownBytes)}});
}

}  // namespace postern::proxy
