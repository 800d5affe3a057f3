// What of a client's session has to follow it from one server connection to the next under
// transaction pooling, and what cannot follow and pins it to the one it has.
//
// The server is the oracle: after a transaction that may have left something behind, it is asked
// what its session now holds. So a rollback, a savepoint, SET LOCAL, or set_config() inside an
// expression need no model of ours.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "protocol/framer.hpp"
#include "proxy/pool/session_settings.hpp"
#include "proxy/session/state_scan.hpp"

namespace postern::proxy {

/// What keeps a session on its server connection. A set of bits.
enum class Pin : std::uint8_t {
  kNone = 0,
  kTemporary = 1U << 0,   ///< a relation, type or function in pg_temp
  kAdvisory = 1U << 1,    ///< a session-level advisory lock
  kListen = 1U << 2,      ///< LISTEN
  kCursor = 1U << 3,      ///< a cursor WITH HOLD
  kPrepared = 1U << 4,    ///< PREPARE in SQL
  kUnfollowed = 1U << 5,  ///< something that cannot be asked for: until the session ends
  kIdleLimit = 1U << 6,   ///< idle_session_timeout: nobody else's connection may end by it
};
constexpr Pin operator|(Pin a, Pin b) {
  return static_cast<Pin>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
constexpr bool has(Pin set, Pin bit) {
  return (static_cast<unsigned>(set) & static_cast<unsigned>(bit)) != 0;
}

/// Shared by a session's statements, which remember under which settings they were made.
using PlanningKey = std::shared_ptr<const std::string>;

/// One session's state under transaction and statement pooling. One thread, no I/O.
class PooledState {
 public:
  /// Application parameters remembered by name; a session with more is pinned to its end.
  static constexpr std::size_t kMaxCustom = 256;

  /// What the startup message asked for: in force until changed, and again after a RESET.
  void start(Settings settings);

  /// A text with this scan is about to run.
  void note(const StateScan& scan);
  /// Something ran that nobody can look into (a fast-path call).
  void note_unseen();

  /// The server has to be asked before the connection may go.
  [[nodiscard]] bool suspect() const { return hint_ != StateHint::kNone; }
  /// The question, for the simple protocol. Forgets the suspicion: what runs from now on is noted
  /// anew.
  [[nodiscard]] std::string question();
  /// It was asked, and done() was not called yet.
  [[nodiscard]] bool asked() const { return asked_; }
  /// A reply to it. `done()` is due at its ReadyForQuery.
  Status on_reply(const protocol::Frame& frame);
  /// Takes the answer over. True: complete; `applied` is what the server's session now has. False:
  /// the server could not answer, and the session is pinned to its end.
  bool done(Settings& applied);

  /// The transaction ended: what was set for its length is gone.
  void on_idle() { altered_locally_ = false; }
  /// Settings may differ from wanted() at the moment: inside a transaction that changed some.
  [[nodiscard]] bool altered() const { return altered_locally_ || suspect(); }

  [[nodiscard]] Pin pins() const { return pins_; }
  [[nodiscard]] const Settings& wanted() const { return wanted_; }
  /// Distinguishes settings under which a text may be planned, or its constants read, differently.
  /// Never null; the text never changes.
  [[nodiscard]] const PlanningKey& planning_key() const { return planning_key_; }

 private:
  [[nodiscard]] bool asks(StateHint hint, Pin pin) const;
  void want(Settings settings);

  Settings startup_;
  Settings wanted_;
  PlanningKey planning_key_ = std::make_shared<const std::string>();
  bool altered_locally_ = false;
  bool asked_ = false;
  StateHint asked_hint_ = StateHint::kNone;
  unsigned unanswered_ = 0;
  std::set<std::string> custom_;  ///< names with a dot, in lower case
  StateHint hint_ = StateHint::kNone;
  Pin pins_ = Pin::kNone;
  struct Answer {
    Settings settings;
    Pin pins = Pin::kNone;
    bool failed = false;
    bool cancelled = false;
    bool complete = false;
  } answer_;
};

/// The statement that makes client_encoding what it is in `wanted`, and `applied` likewise; empty
/// where nothing is to do. It goes ahead of all others, in a message of its own.
std::string encoding_change(Settings& applied, const Settings& wanted);

/// Statements that turn `applied` into `wanted`, for the simple protocol; empty where nothing is to
/// do. The role goes last and is given up first.
std::string settings_change(const Settings& applied, const Settings& wanted);

}  // namespace postern::proxy
