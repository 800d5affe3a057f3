// kill -9 at random moments, with the parent's own list of what was acknowledged as truth.
#include <csignal>
#include <random>
#include <sys/wait.h>

#include "tests/audit/support.hpp"

using namespace postern;
using namespace postern::audit;
using namespace postern::audit::test;

namespace {

// Child: appends for ever and reports each index only after it is durable.
[[noreturn]] void write_until_killed(const LogOptions& options, int pipe_end) {
  auto log = open_log(options);
  while (log) {
    const auto index = (*log)->append(encode_refusal(sample_intent()), Urgency::kNow);
    if (!index || !(*log)->wait_durable(*index)) break;
    if (::write(pipe_end, &*index, sizeof *index) != sizeof *index) break;
  }
  ::_exit(1);
}

std::vector<std::uint64_t> read_acknowledged(int pipe_end) {
  std::vector<std::uint64_t> all;
  std::uint64_t index = 0;
  while (::read(pipe_end, &index, sizeof index) == sizeof index) all.push_back(index);
  return all;
}

}  // namespace

TEST_CASE("kill -9 at random moments loses no acknowledged record") {
  Scene scene;
  scene.options.segment_bytes = 20'000;  // rotations happen all the time
  std::mt19937 random(7);                // NOLINT: the same pauses every time
  std::size_t acknowledged = 0;
  for (int round = 0; round < 15; ++round) {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      ::close(ends[0]);
      write_until_killed(scene.options, ends[1]);
    }
    ::close(ends[1]);
    ::usleep(5'000 + random() % 30'000);
    ::kill(child, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status));
    const auto promised = read_acknowledged(ends[0]);
    ::close(ends[0]);
    acknowledged += promised.size();
    REQUIRE(scene.open()->stop());
    std::vector<bool> present;
    const auto report = scan_log(
        {scene.options.folder, scene.key(), scene.options.anchor_file},
        [&](const RecordView& record) { present.push_back(record.kind == Kind::kRefusal); });
    CHECK_MESSAGE(report.intact(), lines(report));
    for (const auto index : promised) {
      REQUIRE(index < present.size());
      REQUIRE(present[index]);
    }
  }
  CHECK(acknowledged > 100);
}
