#include "protocol/session_fsm.hpp"

#include <map>

#include "base/codes/wire.hpp"
#include "tests/protocol/support.hpp"

using namespace postern;
using namespace postern::protocol;
using namespace postern::protocol::test;

namespace {

using State = SessionFsm::State;

/// 'a' accept, '-' discard, 'x' terminate, '!' violation.
char verdict(SessionFsm& fsm, char type) {
  const auto result = fsm.on_frontend(static_cast<FrontendType>(type));
  if (!result) {
    CHECK(result.error().code == pst::kProtocolViolation);
    return '!';
  }
  switch (*result) {
    case SessionFsm::Verdict::kAccept:
      return 'a';
    case SessionFsm::Verdict::kDiscard:
      return '-';
    case SessionFsm::Verdict::kTerminate:
      return 'x';
  }
  return '?';
}

std::string verdicts(SessionFsm& fsm, std::string_view types) {
  std::string out;
  for (const char type : types) out.push_back(verdict(fsm, type));
  return out;
}

SessionFsm in_state(State state) {
  SessionFsm fsm;
  if (state == State::kBatch) CHECK(verdict(fsm, 'P') == 'a');
  if (state == State::kCopyIn) fsm.on_copy_in();
  if (state == State::kSkip) fsm.on_error(true);
  CHECK(fsm.state() == state);
  return fsm;
}

}  // namespace

TEST_CASE("every message in every state") {
  constexpr std::string_view kTypes = "QPBDECSHFdcfXp";
  const std::map<State, std::string_view> expected = {
      {State::kIdle, "aaaaaaaaa---x!"},
      {State::kBatch, "aaaaaaaaa---x!"},
      {State::kCopyIn, "!!!!!!--!aaax!"},
      {State::kSkip, "------a-----x!"},
  };
  for (const auto& [state, row] : expected) {
    for (std::size_t i = 0; i < kTypes.size(); ++i) {
      SessionFsm fsm = in_state(state);
      CAPTURE(kTypes[i]);
      CHECK(verdict(fsm, kTypes[i]) == row[i]);
    }
  }
}

TEST_CASE("a batch ends at Sync, Query and FunctionCall") {
  SessionFsm fsm;
  CHECK(verdicts(fsm, "PBDEH") == "aaaaa");
  CHECK(fsm.state() == State::kBatch);
  CHECK(verdicts(fsm, "S") == "a");
  CHECK(fsm.state() == State::kIdle);
  CHECK(verdicts(fsm, "PQ") == "aa");
  CHECK(fsm.state() == State::kIdle);
}

TEST_CASE("COPY inside a batch returns to the batch") {
  SessionFsm fsm;
  CHECK(verdicts(fsm, "PBE") == "aaa");
  fsm.on_copy_in();
  CHECK(verdicts(fsm, "SHddc") == "--aaa");
  CHECK(fsm.state() == State::kBatch);
  CHECK(verdicts(fsm, "ES") == "aa");
  CHECK(fsm.state() == State::kIdle);
}

TEST_CASE("a failed COPY: data under way is dropped, then as after any error") {
  SessionFsm simple;
  CHECK(verdicts(simple, "Q") == "a");
  simple.on_copy_in();
  CHECK(verdicts(simple, "d") == "a");
  simple.on_error(false);
  CHECK(verdicts(simple, "ddcQ") == "---a");

  SessionFsm extended;
  CHECK(verdicts(extended, "PBE") == "aaa");
  extended.on_copy_in();
  extended.on_error(true);
  CHECK(verdicts(extended, "dcPSP") == "---aa");
}

TEST_CASE("an error outside a batch changes nothing") {
  SessionFsm fsm;
  fsm.on_error(false);
  CHECK(fsm.state() == State::kIdle);
}
