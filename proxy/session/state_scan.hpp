// Which texts may leave something behind in a server session: a look at tokens, no parse. It
// decides when Postern asks the server what became of the session (pooled_state.hpp); the server's
// answer is what counts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace postern::proxy {

/// What a text may change of a session beyond its transaction. A set of bits.
enum class StateHint : std::uint16_t {
  kNone = 0,
  kSettings = 1U << 0,    ///< SET, RESET, set_config() that outlive the transaction
  kTemporary = 1U << 1,   ///< objects in pg_temp
  kAdvisory = 1U << 2,    ///< advisory locks
  kListen = 1U << 3,      ///< LISTEN, UNLISTEN
  kCursor = 1U << 4,      ///< DECLARE, possibly WITH HOLD
  kPrepared = 1U << 5,    ///< PREPARE, DEALLOCATE
  kRelease = 1U << 6,     ///< DROP, CLOSE: may end what a session is pinned for, makes nothing
  kUnfollowed = 1U << 7,  ///< LOAD and the like: cannot be asked for, only kept
};

constexpr StateHint operator|(StateHint a, StateHint b) {
  return static_cast<StateHint>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
constexpr bool has(StateHint set, StateHint bit) {
  return (static_cast<unsigned>(set) & static_cast<unsigned>(bit)) != 0;
}

/// All that the server can be asked about: for texts that cannot be seen through.
inline constexpr StateHint kAllState = StateHint::kSettings | StateHint::kTemporary |
                                       StateHint::kAdvisory | StateHint::kListen |
                                       StateHint::kCursor | StateHint::kPrepared;

struct StateScan {
  StateHint hint = StateHint::kNone;
  /// Names with a dot that are set: pg_settings does not list an application's own parameters.
  std::vector<std::string> custom;
  bool local = false;  ///< SET LOCAL and the like: in force until the transaction ends
};

/// Longer texts, and those with more tokens, count as anything.
inline constexpr std::size_t kMaxScanTokens = 20'000;

/// Looks through one Query string or one Parse. Errs towards hints: a word that only looks like a
/// command costs a question. What happens inside functions called by name is not seen. Pure.
StateScan scan_state(std::string_view sql);

}  // namespace postern::proxy
