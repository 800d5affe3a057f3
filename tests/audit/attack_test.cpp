// Every row of the attack matrix that needs no second machine: performed, and named.
#include <chrono>
#include <random>
#include <thread>

#include "base/codes/audit.hpp"
#include "tests/audit/support.hpp"

using namespace postern;
using namespace postern::audit;
using namespace postern::audit::test;

namespace {

void flip(const std::string& path, std::uint64_t offset, char original, int mask) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  REQUIRE(fd >= 0);
  const char changed = static_cast<char>(original ^ mask);
  const bool written = ::pwrite(fd, &changed, 1, static_cast<off_t>(offset)) == 1;
  ::close(fd);
  REQUIRE(written);
}

std::vector<std::string> split_lines(const Bytes& content) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < content.size();) {
    const std::size_t end = content.find('\n', begin) + 1;
    lines.push_back(content.substr(begin, end - begin));
    begin = end;
  }
  return lines;
}

std::string join(const std::vector<std::string>& lines) {
  std::string all;
  for (const auto& line : lines) all.append(line);
  return all;
}

// A log of two processes: sealed and unsealed ends both occur.
void write_two_incarnations(Scene& scene) {
  write_small_log(scene, 2);
  auto log = scene.open();
  append_durably(*log, encode_intent(sample_intent(1)));
  append_durably(*log, encode_outcome(sample_outcome(), 1));
  REQUIRE(log->stop());
}

}  // namespace

TEST_CASE("an untouched log is intact") {
  Scene scene;
  write_small_log(scene, 3);
  const auto report = scene.verify();
  CHECK_MESSAGE(report.intact(), lines(report));
  CHECK(report.segments >= 3);
  CHECK(report.clean_end);
  CHECK(report.signed_size == report.records);
  CHECK(report.anchors == report.checkpoints);
  CHECK(report.blind_spots.size() == 1);  // the holder of the key, always
}

TEST_CASE("a flip of any byte of any file of a three-segment log is caught") {
  Scene scene;
  write_small_log(scene, 3);
  const Files files = scene.files();
  REQUIRE(files.size() >= 5);  // three segments, checkpoints, anchors
  const VerifyOptions options{scene.options.folder, scene.key(), scene.options.anchor_file};
  std::size_t missed = 0;
  for (const auto& [path, content] : files) {
    for (std::size_t i = 0; i < content.size(); ++i) {
      for (const int mask : {0x01, 0x20}) {  // 0x20: the other case of a letter
        flip(path, i, content[i], mask);
        if (verify_log(options).intact()) ++missed;
      }
      flip(path, i, content[i], 0);
    }
  }
  CHECK(missed == 0);
  CHECK(scene.verify().intact());
}

TEST_CASE("5,000 random byte changes of a 1,000-record log are caught") {
  Scene scene;
  {
    auto log = scene.open();
    for (std::uint64_t n = 0; n < 1'000; ++n) {
      REQUIRE(log->append(encode_outcome(sample_outcome(), n), Urgency::kBatch));
    }
    REQUIRE(log->stop());
  }
  const Files files = scene.files();
  std::vector<std::pair<std::string, std::size_t>> bytes;
  for (const auto& [path, content] : files) bytes.emplace_back(path, content.size());
  std::size_t total = 0;
  for (const auto& entry : bytes) total += entry.second;
  const VerifyOptions options{scene.options.folder, scene.key(), scene.options.anchor_file};
  std::mt19937_64 random(1);  // NOLINT: the same bytes every time
  std::size_t missed = 0;
  for (int round = 0; round < 5'000; ++round) {
    std::size_t at = random() % total;
    std::size_t file = 0;
    while (at >= bytes[file].second) at -= bytes[file++].second;
    const char original = files.at(bytes[file].first)[at];
    flip(bytes[file].first, at, original, 1 + static_cast<int>(random() % 255));
    if (verify_log(options).intact()) ++missed;
    flip(bytes[file].first, at, original, 0);
  }
  CHECK(missed == 0);
  CHECK(scene.verify().intact());
}

TEST_CASE("every removed, repeated or exchanged line of every file is caught") {
  Scene scene;
  write_two_incarnations(scene);
  for (const auto& [path, content] : scene.files()) {
    const auto original = split_lines(content);
    for (std::size_t i = 0; i < original.size(); ++i) {
      CAPTURE(path);
      CAPTURE(i);
      auto changed = original;
      changed.erase(changed.begin() + static_cast<std::ptrdiff_t>(i));
      write_file(path, join(changed));
      CHECK_FALSE(scene.verify().intact());
      changed = original;
      changed.insert(changed.begin() + static_cast<std::ptrdiff_t>(i), original[i]);
      write_file(path, join(changed));
      CHECK_FALSE(scene.verify().intact());
      if (i + 1 == original.size() || original[i] == original[i + 1]) continue;
      changed = original;
      std::swap(changed[i], changed[i + 1]);
      write_file(path, join(changed));
      CHECK_FALSE(scene.verify().intact());
    }
    write_file(path, content);
  }
  CHECK(scene.verify().intact());
}

TEST_CASE("removed, repeated and exchanged checkpoints and anchors are caught") {
  Scene scene;
  write_two_incarnations(scene);
  for (const std::string& path :
       {checkpoint_path(scene.options.folder), scene.options.anchor_file}) {
    const Bytes content = slurp(path);
    std::uint64_t torn = 0;
    const auto notes = split_notes(content, torn);
    REQUIRE(notes.size() >= 4);
    const auto write_without = [&](std::size_t skip, std::size_t repeat, std::size_t exchange) {
      std::vector<std::string> out;
      for (std::size_t i = 0; i < notes.size(); ++i) {
        if (i != skip) out.emplace_back(notes[i].text);
        if (i == repeat) out.emplace_back(notes[i].text);
      }
      if (exchange + 1 < out.size()) std::swap(out[exchange], out[exchange + 1]);
      write_file(path, join(out));
    };
    for (std::size_t i = 0; i < notes.size(); ++i) {
      CAPTURE(i);
      write_without(i, ~0U, ~0U - 1);
      CHECK_FALSE(scene.verify().intact());
      write_without(~0U, i, ~0U - 1);
      CHECK_FALSE(scene.verify().intact());
      if (i + 1 == notes.size()) continue;
      write_without(~0U, ~0U, i);
      CHECK_FALSE(scene.verify().intact());
    }
    write_file(path, content);
  }
}

TEST_CASE("forged records are caught: re-linked, re-counted, with matching checksums") {
  Scene scene;
  write_small_log(scene, 3);
  const Files files = scene.files();
  const auto paths = scene.segments();
  const auto forged = encode_refusal(sample_intent(99));
  // Rewrites a segment from line `at` on with correct indices, links and checksums; the attacker
  // lacks only the key.
  const auto rewrite = [&](const std::string& path, std::size_t at, bool insert) {
    const auto original = split_lines(files.at(path));
    std::string out = join({original.begin(), original.begin() + static_cast<std::ptrdiff_t>(at)});
    const auto before = parse_frame(original[at - 1]);
    const auto present = parse_envelope(parse_frame(original[at])->json);
    if (!present) return false;
    Hash prev =
        before->type == FrameType::kHeader ? parse_header(before->json)->prev : before->leaf;
    std::uint64_t index = present->index;
    const auto add = [&](const EncodedRecord& record) {
      std::string json;
      write_envelope(json, index++, prev, record);
      prev = leaf_hash(json);
      append_frame(out, FrameType::kRecord, json, prev);
    };
    add(forged);
    for (std::size_t i = insert ? at : at + 1; i < original.size(); ++i) {
      const auto frame = parse_frame(original[i]);
      const auto record = parse_envelope(frame->json);
      if (record) add({record->kind, std::string(record->body)});
    }
    write_file(path, out);
    return true;
  };
  std::size_t attacks = 0;
  for (const auto& path : paths) {
    for (std::size_t at = 1; at + 1 < split_lines(files.at(path)).size(); ++at) {
      for (const bool insert : {true, false}) {
        if (!rewrite(path, at, insert)) continue;
        ++attacks;
        CHECK_FALSE(scene.verify().intact());
        scene.restore(files);
      }
    }
  }
  CHECK(attacks > 10);
}

TEST_CASE(
    "an attacker without the key who rewrites the last segment perfectly is caught by the "
    "checkpoint") {
  Scene scene;
  scene.options.anchor_file.clear();
  {
    auto log = scene.open();
    for (std::uint64_t n = 0; n < 3; ++n) append_durably(*log, encode_refusal(sample_intent(n)));
    REQUIRE(log->stop());
  }
  const std::string path = scene.segments()[0];
  const auto original = split_lines(slurp(path));
  std::string out = original[0];
  CompactTree tree;
  Hash prev{};
  std::uint64_t index = 0;
  for (std::size_t i = 1; i + 1 < original.size(); ++i) {
    const auto record = parse_envelope(parse_frame(original[i])->json);
    REQUIRE(record);
    EncodedRecord copy{record->kind, std::string(record->body)};
    if (record->kind == Kind::kRefusal) copy = encode_refusal(sample_intent(1'234));
    std::string json;
    write_envelope(json, index++, prev, copy);
    prev = leaf_hash(json);
    tree.append(prev);
    append_frame(out, FrameType::kRecord, json, prev);
  }
  const std::string trailer = trailer_json({tree.size(), tree.root()}, prev);
  append_frame(out, FrameType::kTrailer, trailer, leaf_hash(trailer));
  write_file(path, out);
  const auto report = scene.verify();
  CHECK(report.findings.front().kind == FindingKind::kBadCheckpoint);
}

TEST_CASE("every removed file is caught, alone and with others") {
  Scene scene;
  write_two_incarnations(scene);
  const Files files = scene.files();
  for (const auto& [path, content] : files) {
    std::filesystem::remove(path);
    CAPTURE(path);
    CHECK_FALSE(scene.verify().intact());
    scene.restore(files);
  }
  for (const auto& path : scene.segments()) std::filesystem::remove(path);
  CHECK(has(scene.verify(), FindingKind::kTruncated));
  std::filesystem::remove(checkpoint_path(scene.options.folder));
  CHECK(has(scene.verify(), FindingKind::kRolledBack));
  std::filesystem::remove(scene.options.anchor_file);
  CHECK(has(scene.verify(), FindingKind::kEmpty));
}

TEST_CASE("every truncation of every file is caught") {
  Scene scene;
  write_two_incarnations(scene);
  const VerifyOptions options{scene.options.folder, scene.key(), scene.options.anchor_file};
  for (const auto& [path, content] : scene.files()) {
    std::size_t missed = 0;
    for (std::size_t n = content.size(); n-- > 0;) {
      REQUIRE(::truncate(path.c_str(), static_cast<off_t>(n)) == 0);
      if (verify_log(options).intact()) ++missed;
    }
    CAPTURE(path);
    CHECK(missed == 0);
    write_file(path, content);
  }
  CHECK(scene.verify().intact());
}

TEST_CASE("exchanged, repeated, renamed and foreign files are caught") {
  Scene scene;
  write_small_log(scene, 3);
  const Files files = scene.files();
  const auto paths = scene.segments();
  write_file(paths[0], files.at(paths[1]));
  write_file(paths[1], files.at(paths[0]));
  CHECK_FALSE(scene.verify().intact());
  scene.restore(files);
  write_file(scene.options.folder + "/" + segment_name(900), files.at(paths[2]));
  CHECK(has(scene.verify(), FindingKind::kBadHeader));
  scene.restore(files);
  write_file(scene.options.folder + "/notes\x1b[2J.txt", "x");
  const auto report = scene.verify();
  REQUIRE(has(report, FindingKind::kForeignFile));
  CHECK(lines(report).find('\x1b') == std::string::npos);
}

TEST_CASE("a cut tail is caught through the anchor, and said to be invisible without") {
  Scene scene;
  scene.options.segment_bytes = 1'024;
  std::vector<Files> moments;  // the log at each of its checkpoints
  {
    auto log = scene.open();
    for (std::uint64_t n = 0; n < 12; ++n) {
      append_durably(*log, encode_refusal(sample_intent(n)));
      settle(*log);
      // A note may follow its record a moment later; on a busy machine, several moments.
      for (int attempt = 0; attempt < 40; ++attempt) {
        Files now = scene.files();
        const auto report = scene.verify();
        const bool still = now == scene.files();
        if (still && report.intact() && report.signed_size == report.records) {
          moments.push_back(std::move(now));
          break;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    }
    REQUIRE(log->stop());
  }
  REQUIRE_FALSE(moments.empty());
  const Bytes anchors = slurp(scene.options.anchor_file);
  for (const Files& earlier : moments) {
    scene.restore(earlier);
    write_file(scene.options.anchor_file, anchors);
    CHECK(has(scene.verify(), FindingKind::kRolledBack));
    const auto log = open_log(scene.options);
    REQUIRE_FALSE(log);
    CHECK(log.error().code == pst::kAuditRolledBack);
    const auto blind = verify_log({scene.options.folder, scene.key(), ""});
    CHECK(blind.intact());
    CHECK(blind.blind_spots.front().find("No anchor file") == 0);
  }
}

TEST_CASE("another key's checkpoints are refused, also for the right records") {
  Scene scene;
  write_small_log(scene, 1);
  const std::string path = checkpoint_path(scene.options.folder);
  const LogKey thief = LogKey::generate(scene.options.origin);
  std::uint64_t torn = 0;
  const Bytes content = slurp(path);
  std::string forged;
  for (const auto& note : split_notes(content, torn)) {
    forged.append(sign_checkpoint(thief, *open_checkpoint(scene.key(), note.text)));
  }
  write_file(path, forged);
  CHECK(has(scene.verify(), FindingKind::kBadCheckpoint));
}

TEST_CASE("findings beyond their limit are counted") {
  Scene scene;
  write_small_log(scene, 1);
  for (std::size_t n = 0; n < kMaxFindings + 1; ++n) {
    write_file(scene.options.folder + "/foreign" + std::to_string(n), "x");
  }
  const auto report = scene.verify();
  CHECK(report.findings.size() == kMaxFindings);
  CHECK(report.findings_left_out == 1);
}
