#include <atomic>
#include <cerrno>
#include <memory>

#include <nlohmann/json.hpp>

#include "base/codes/audit.hpp"
#include "tests/audit/support.hpp"

using namespace postern;
using namespace postern::audit;
using namespace postern::audit::test;

namespace {

/// System calls of which the n-th changing one fails, and all after it: a machine that dies.
struct Faults {
  int calls = 0;
  int fail_at = -1;  ///< -1 = never
  int error = EIO;
  bool short_write = false;  ///< the failing write leaves a part behind

  bool strikes() {
    const int call = calls++;
    return fail_at >= 0 && call >= fail_at;
  }
};

FileOps with_faults(const std::shared_ptr<Faults>& faults) {
  const FileOps real = FileOps::system();
  const auto guard = [faults](auto call) {
    return [faults, call](const auto&... args) -> int {
      if (faults->strikes()) {
        errno = faults->error;
        return -1;
      }
      return call(args...);
    };
  };
  FileOps ops;
  ops.create = guard(real.create);
  ops.append = guard(real.append);
  ops.sync = guard(real.sync);
  ops.truncate = guard(real.truncate);
  ops.remove = guard(real.remove);
  ops.sync_folder = guard(real.sync_folder);
  ops.write = [faults, real](int fd, const char* data, std::size_t size) -> std::int64_t {
    if (faults->strikes()) {
      const bool first = faults->calls == faults->fail_at + 1;
      if (first && faults->short_write) real.write(fd, data, size / 2);
      errno = faults->error;
      return -1;
    }
    return real.write(fd, data, size);
  };
  return ops;
}

std::vector<nlohmann::json> records_of(const Scene& scene) {
  std::vector<nlohmann::json> all;
  scan_log({scene.options.folder, scene.key(), scene.options.anchor_file},
           [&](const RecordView& record) { all.push_back(nlohmann::json::parse(record.json)); });
  return all;
}

std::size_t count_kind(const std::vector<nlohmann::json>& records, std::string_view kind) {
  return static_cast<std::size_t>(std::count_if(
      records.begin(), records.end(), [&](const auto& record) { return record["kind"] == kind; }));
}

// What a kill leaves behind: the files of a running log.
Files killed_log(Scene& scene) {
  auto log = scene.open();
  append_durably(*log, encode_intent(sample_intent(1)));
  append_durably(*log, encode_intent(sample_intent(2)));
  append_durably(*log, encode_outcome(sample_outcome(), 2));
  append_durably(*log, encode_refusal(sample_intent(3)));
  Files files = scene.files();
  REQUIRE(log->stop());
  return files;
}

Pst refusal_of(const Scene& scene) {
  const auto log = open_log(scene.options);
  REQUIRE_FALSE(log);
  return log.error().code;
}

}  // namespace

TEST_CASE("a killed log opens again; open intents are closed as unknown") {
  Scene scene;
  scene.restore(killed_log(scene));
  CHECK(scene.verify().intact());
  CHECK(scene.verify().open_intents == 1);
  REQUIRE(scene.open()->stop());
  const auto report = scene.verify();
  CHECK_MESSAGE(report.intact(), lines(report));
  CHECK(report.open_intents == 0);
  const auto records = records_of(scene);
  const auto& start = records.at(6);
  CHECK(start["kind"] == "start");
  CHECK(start["rec"]["incarnation"] == 2);
  CHECK(start["rec"]["previous_clean"] == false);
  CHECK(start["rec"]["previous_sealed"] == false);
  CHECK(records.at(7)["kind"] == "outcome");
  CHECK(records.at(7)["rec"]["outcome"]["state"] == "unknown");
  CHECK(records.at(7)["rec"]["ref"] == 3);
  CHECK(count_kind(records, "recovery") == 0);
}

TEST_CASE("cut at every byte of its last record, the log recovers and records the cut") {
  Scene scene;
  const Files files = killed_log(scene);
  scene.restore(files);
  const std::string path = scene.segments()[0];
  const Bytes& content = files.at(path);
  const std::size_t last = content.rfind("\nR", content.size() - 2) + 1;
  for (std::size_t n = last; n < content.size(); ++n) {
    CAPTURE(n - last);
    scene.restore(files);
    write_file(path, content.substr(0, n));
    CHECK(scene.verify().intact() == (n == last));
    REQUIRE(scene.open()->stop());
    const auto report = scene.verify();
    CHECK_MESSAGE(report.intact(), lines(report));
    const auto records = records_of(scene);
    CHECK(records.at(5)["kind"] == "start");
    CHECK(count_kind(records, "recovery") == (n == last ? 0 : 1));
    if (n == last) continue;
    const auto& details = records.at(6)["rec"]["details"];
    CHECK(details[1][1] == std::to_string(last));
    CHECK(details[2][1] == std::to_string(n - last));
    CHECK(details[3][1] == hex_of(sha256({content.substr(last, n - last)})));
  }
}

TEST_CASE("torn bytes that are not the front of a record recover the same way") {
  Scene scene;
  const Files files = killed_log(scene);
  for (const std::string& tail : {std::string(600, '\0'), std::string("R0010 "),
                                  std::string("\n\n"), std::string("garbage\nR\n")}) {
    scene.restore(files);
    const std::string path = scene.segments()[0];
    write_file(path, files.at(path) + tail);
    CHECK(has(scene.verify(), FindingKind::kTornTail));
    REQUIRE(scene.open()->stop());
    CHECK(scene.verify().intact());
    CHECK(count_kind(records_of(scene), "recovery") == 1);
  }
}

TEST_CASE("a segment torn before its first record is removed, and that is recorded") {
  Scene scene;
  write_small_log(scene, 2);
  const Files files = scene.files();
  const Bytes header = files.at(scene.segments()[1]);
  const std::size_t header_end = header.find('\n') + 1;
  // As if the process had died while it opened its next segment.
  const std::uint64_t records = scene.verify().records;
  for (const std::size_t n : {std::size_t{0}, std::size_t{7}, header_end - 1}) {
    scene.restore(files);
    write_file(scene.options.folder + "/" + segment_name(records), header.substr(0, n));
    CHECK_FALSE(scene.verify().intact());
    REQUIRE(scene.open()->stop());
    const auto report = scene.verify();
    CHECK_MESSAGE(report.intact(), lines(report));
    CHECK(count_kind(records_of(scene), "recovery") == 1);
  }
}

TEST_CASE("every byte changed in the middle refuses to start") {
  Scene scene;
  const Files files = killed_log(scene);
  scene.restore(files);
  const std::string path = scene.segments()[0];
  const Bytes& content = files.at(path);
  const std::size_t last = content.rfind("\nR", content.size() - 2) + 1;
  for (std::size_t i = 0; i < last; ++i) {
    Bytes bad = content;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    write_file(path, bad);
    const Pst code = refusal_of(scene);
    CHECK((code == pst::kAuditCorrupt || code == pst::kAuditRolledBack));
    CHECK(slurp(path) == bad);  // evidence is left alone
  }
}

TEST_CASE("cut below a checkpoint, the log refuses to start") {
  Scene scene;
  write_small_log(scene, 2);
  const std::string path = scene.segments().back();
  const Bytes content = slurp(path);
  const std::size_t last = content.rfind("\nR") + 1;
  write_file(path, content.substr(0, last));
  CHECK(refusal_of(scene) == pst::kAuditRolledBack);
  write_file(path, content.substr(0, last + 9));
  CHECK(refusal_of(scene) == pst::kAuditRolledBack);
}

TEST_CASE("an empty folder does not pass for a new log while an anchor remembers the old one") {
  Scene scene;
  write_small_log(scene, 1);
  std::filesystem::remove_all(scene.options.folder);
  CHECK(refusal_of(scene) == pst::kAuditRolledBack);
}

TEST_CASE("an absent anchor file refuses, unless the operator starts a new one") {
  Scene scene;
  write_small_log(scene, 2);
  std::filesystem::remove(scene.options.anchor_file);
  CHECK(refusal_of(scene) == pst::kAuditAnchorMissing);
  scene.options.new_anchor_file = true;
  REQUIRE(scene.open()->stop());
  CHECK(slurp(scene.options.anchor_file) == slurp(checkpoint_path(scene.options.folder)));
  CHECK(scene.verify().intact());
}

TEST_CASE("cut at every byte of their last note, checkpoints and anchors are completed") {
  Scene scene;
  const Files files = [&] {
    auto log = scene.open();
    return scene.files();
  }();
  for (const std::string& path :
       {checkpoint_path(scene.options.folder), scene.options.anchor_file}) {
    const Bytes& content = files.at(path);
    for (std::size_t n = 0; n < content.size(); ++n) {
      CAPTURE(path);
      CAPTURE(n);
      scene.restore(files);
      write_file(path, content.substr(0, n));
      if (path != scene.options.anchor_file) write_file(scene.options.anchor_file, "");
      REQUIRE(scene.open()->stop());
      const auto report = scene.verify();
      CHECK_MESSAGE(report.intact(), lines(report));
    }
  }
}

TEST_CASE(
    "a changed checkpoint or anchor refuses to start, unless it looks torn: then it is renewed") {
  Scene scene;
  write_small_log(scene, 1);
  const Files files = scene.files();
  for (const std::string& path :
       {checkpoint_path(scene.options.folder), scene.options.anchor_file}) {
    for (std::size_t i = 0; i < files.at(path).size(); ++i) {
      CAPTURE(path);
      CAPTURE(i);
      Bytes bad = files.at(path);
      bad[i] = static_cast<char>(bad[i] ^ 1);
      write_file(path, bad);
      if (auto log = open_log(scene.options)) {
        CHECK(files.at(path)[i] == '\n');  // the last note has lost a line
        REQUIRE((*log)->stop());
        CHECK(scene.verify().intact());
        CHECK(count_kind(records_of(scene), "recovery") == 1);
        scene.restore(files);
      }
    }
    scene.restore(files);
  }
}

TEST_CASE("whichever call fails: waiters are told, nothing more is written, a restart recovers") {
  for (const bool short_write : {false, true}) {
    for (int fail_at = 0; fail_at < 60; ++fail_at) {
      CAPTURE(fail_at);
      Scene scene;
      scene.options.segment_bytes = 1'024;
      const auto faults = std::make_shared<Faults>();
      faults->fail_at = fail_at;
      faults->error = short_write ? ENOSPC : EIO;
      faults->short_write = short_write;
      scene.options.ops = with_faults(faults);
      std::uint64_t acknowledged = 0;
      {
        auto log = open_log(scene.options);
        if (!log) {
          CHECK(log.error().code == pst::kAuditUnavailable);
        } else {
          std::atomic<int> wakes{0};
          (*log)->add_waker([&wakes] { ++wakes; });
          for (std::uint64_t n = 0; n < 10; ++n) {
            const auto index = (*log)->append(encode_refusal(sample_intent(n)), Urgency::kNow);
            if (!index || !(*log)->wait_durable(*index)) break;
            acknowledged = *index + 1;
          }
          const bool stopped = (*log)->stop().has_value();
          CHECK(stopped == ((*log)->state() == LogState::kStopped));
          if (!stopped) {
            CHECK((*log)->state() == LogState::kFailed);
            CHECK((*log)->failure().code == pst::kAuditUnavailable);
            CHECK_FALSE((*log)->append(encode_refusal(sample_intent()), Urgency::kNow));
            CHECK(wakes > 0);
          }
        }
      }
      faults->fail_at = -1;
      auto log = open_log(scene.options);
      REQUIRE_MESSAGE(log, log.error().line());
      REQUIRE((*log)->stop());
      const auto report = scene.verify();
      CHECK_MESSAGE(report.intact(), lines(report));
      CHECK(report.records >= acknowledged);
    }
  }
}

TEST_CASE("after a failed sync the segment is not touched again") {
  Scene scene;
  const auto fail = std::make_shared<std::atomic<bool>>(false);
  const auto writes = std::make_shared<std::atomic<int>>(0);
  const FileOps real = FileOps::system();
  scene.options.ops.sync = [fail, real](int fd) {
    errno = EIO;
    return *fail ? -1 : real.sync(fd);
  };
  scene.options.ops.write = [writes, real](int fd, const char* data, std::size_t size) {
    ++*writes;
    return real.write(fd, data, size);
  };
  auto log = scene.open();
  *fail = true;
  const auto index = log->append(encode_refusal(sample_intent()), Urgency::kNow);
  REQUIRE(index);
  CHECK_FALSE(log->wait_durable(*index));
  CHECK(log->state() == LogState::kFailed);
  *fail = false;
  const int before = *writes;
  CHECK_FALSE(log->append(encode_refusal(sample_intent()), Urgency::kNow));
  CHECK_FALSE(log->stop());
  CHECK(*writes == before);
  CHECK(log->failure().what.find("sync") != std::string::npos);
}

TEST_CASE("an anchor mount that goes away is counted and caught up with") {
  Scene scene;
  const auto away = std::make_shared<std::atomic<bool>>(false);
  const FileOps real = FileOps::system();
  scene.options.ops.append = [away, real,
                              anchors = scene.options.anchor_file](const std::string& path) {
    errno = EIO;
    return *away && path == anchors ? -1 : real.append(path);
  };
  scene.options.segment_bytes = 1'024;
  auto log = scene.open();
  *away = true;
  while (log->stats().anchors_pending < 2) {
    append_durably(*log, encode_refusal(sample_intent()));
  }
  CHECK(log->state() == LogState::kRunning);
  *away = false;
  REQUIRE(log->stop());
  CHECK(log->stats().anchors_pending == 0);
  CHECK(scene.verify().intact());
}

TEST_CASE("anchors that stayed behind are completed at the next start") {
  Scene scene;
  write_small_log(scene, 3);
  const Bytes anchors = slurp(scene.options.anchor_file);
  std::uint64_t torn = 0;
  write_file(scene.options.anchor_file, split_notes(anchors, torn).front().text);
  CHECK(has(scene.verify(), FindingKind::kMissingAnchor));
  REQUIRE(scene.open()->stop());
  CHECK(scene.verify().intact());
}
