// Throw-away logs for the tests of audit/.
#pragma once

#include <algorithm>
#include <chrono>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include <doctest/doctest.h>

#include "audit/segment.hpp"
#include "audit/tree.hpp"
#include "audit/verify.hpp"
#include "audit/writer.hpp"

namespace postern::audit::test {

/// A folder that disappears with its owner; in memory where the machine allows it.
class TempFolder {
 public:
  TempFolder() {
    const bool shm = ::access("/dev/shm", W_OK) == 0;
    std::string name = (shm ? "/dev/shm" : std::filesystem::temp_directory_path().string()) +
                       "/postern-audit-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::string path;
};

inline void write_file(const std::string& path, ByteView content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

inline Bytes slurp(const std::string& path) {
  auto content = read_file(path);
  REQUIRE(content);
  return *content;
}

using Files = std::map<std::string, Bytes>;

/// A log in a temporary folder, with its key and anchor beside it.
struct Scene {
  Scene() {
    options.folder = temp.path + "/log";
    options.origin = "postern.test/audit";
    options.key_file = temp.path + "/audit.key";
    options.anchor_file = temp.path + "/anchors";
    options.now_us = [] { return std::int64_t{1'700'000'000'000'000}; };
    options.checkpoint_interval = std::chrono::hours(1);
  }

  std::unique_ptr<Log> open() {
    auto log = open_log(options);
    if (!log) FAIL(log.error().line());
    return std::move(*log);
  }
  [[nodiscard]] VerifierKey key() const {
    Bytes line = slurp(options.key_file + ".pub");
    line.pop_back();
    auto key = VerifierKey::parse(line);
    REQUIRE(key);
    return *key;
  }
  [[nodiscard]] VerifyReport verify() const {
    return verify_log({options.folder, key(), options.anchor_file});
  }
  [[nodiscard]] std::vector<std::string> segments() const {
    std::vector<std::string> paths;
    for (const auto& entry : std::filesystem::directory_iterator(options.folder)) {
      if (segment_first(entry.path().filename().string())) paths.push_back(entry.path());
    }
    std::sort(paths.begin(), paths.end());
    return paths;
  }
  /// Every file that the verifier answers for.
  [[nodiscard]] Files files() const {
    Files all;
    for (const auto& entry : std::filesystem::directory_iterator(options.folder)) {
      all[entry.path()] = slurp(entry.path());
    }
    if (std::filesystem::exists(options.anchor_file)) {
      all[options.anchor_file] = slurp(options.anchor_file);
    }
    return all;
  }
  void restore(const Files& all) const {
    std::filesystem::remove_all(options.folder);
    std::filesystem::create_directory(options.folder);
    std::filesystem::remove(options.anchor_file);
    for (const auto& [path, content] : all) write_file(path, content);
  }

  TempFolder temp;
  LogOptions options;
};

inline Intent sample_intent(std::uint64_t n = 0) {
  static const std::string_view read[] = {"id", "email"};
  static const RelationUse relations[] = {{16'385, "public.users", read, {}}};
  static const std::string_view decrypted[] = {"public.users.email"};
  Intent intent;
  intent.session = "s-1";
  intent.statement = n;
  intent.time_us = 1'700'000'000'000'000 + static_cast<std::int64_t>(n);
  intent.who = {"app", "app", "acme", "billing", "192.0.2.7:50000", {}, {}};
  intent.what = {"SELECT", "50fde20626009aba", "SELECT id, email FROM users WHERE id = $1",
                 false,    relations,          decrypted,
                 {}};
  intent.where = {"db1:5432", "primary", "bypass"};
  intent.decision = {"allow", "wall", {}, 3};
  return intent;
}

inline Outcome sample_outcome() {
  Outcome outcome;
  outcome.time_us = 1'700'000'000'000'900;
  outcome.rows = 1;
  outcome.bytes = 64;
  outcome.sqlstate = "00000";
  outcome.latency = {3, 700, 90, 810};
  return outcome;
}

/// Appends one record and waits until it is on disk.
inline std::uint64_t append_durably(Log& log, EncodedRecord record) {
  const auto index = log.append(std::move(record), Urgency::kNow);
  REQUIRE(index);
  REQUIRE(log.wait_durable(*index));
  return *index;
}

/// Waits until nothing is on its way, also no rotation.
inline void settle(const Log& log) {
  for (auto stats = log.stats(); stats.durable != stats.appended; stats = log.stats()) {
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
}

inline bool has(const VerifyReport& report, FindingKind kind) {
  for (const Finding& finding : report.findings) {
    if (finding.kind == kind) return true;
  }
  return false;
}

inline std::string lines(const VerifyReport& report) {
  std::string all;
  for (const Finding& finding : report.findings) all.append(finding.line()).append("\n");
  return all;
}

/// A cleanly ended log of `segments` or more segments with few records each.
inline void write_small_log(Scene& scene, std::size_t segments) {
  scene.options.segment_bytes = 1'024;
  auto log = scene.open();
  for (std::uint64_t n = 0; n < 3 || scene.segments().size() < segments; ++n) {
    append_durably(*log, encode_refusal(sample_intent(n)));
    settle(*log);
  }
  REQUIRE(log->stop());
}

}  // namespace postern::audit::test
