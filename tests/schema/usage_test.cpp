#include "schema/usage.hpp"

#include <array>
#include <cstdlib>
#include <filesystem>

#include <doctest/doctest.h>

#include "audit/verify.hpp"
#include "audit/writer.hpp"
#include "crypto/init.hpp"

using namespace postern;
using schema::Usage;

namespace {

constexpr std::int64_t kNoon = 1'700'000'000'000'000;

audit::Intent intent(std::string_view application, std::string_view fingerprint,
                     std::int64_t time) {
  audit::Intent out;
  out.session = "s1";
  out.time_us = time;
  out.who.application = application;
  out.who.login = "acme_app";
  out.who.tenant = "acme";
  out.what.operation = "select";
  out.what.fingerprint = fingerprint;
  out.what.text = "SELECT email FROM users WHERE user_id = $1";
  out.decision.verdict = "allow";
  return out;
}

void feed(Usage& usage, const audit::EncodedRecord& record, std::uint64_t index = 7) {
  usage.add(audit::kind_name(record.kind), index, record.body);
}

audit::EncodedRecord refusal(std::string_view application, std::string_view verdict,
                             std::int64_t time) {
  audit::Intent out = intent(application, "f9", time);
  out.decision.verdict = verdict;
  out.decision.code = "PST-1501";
  out.decision.rule = "gate.statement";
  return audit::encode_refusal(out);
}

}  // namespace

TEST_CASE("statements are summed by application, shape, table and column") {
  const std::array<std::string_view, 2> columns{"email", "user_id"};
  const std::array<std::string_view, 1> decrypted{"public.users.email"};
  const audit::RelationUse relation{16400, "public.users", columns, {}};
  audit::Intent one = intent("shop", "f1", kNoon);
  one.what.relations = {&relation, 1};
  one.what.decrypted = decrypted;
  Usage usage({"public.users.email"});
  audit::Outcome failed;
  failed.state = audit::State::kError;
  feed(usage, audit::encode_statement(one, {}));
  feed(usage, audit::encode_statement(one, failed));
  feed(usage, audit::encode_statement(intent("", "f2", kNoon + 5), {}));
  CHECK(usage.statements == 3);
  CHECK(usage.applications.at("shop").statements == 2);
  CHECK(usage.applications.at("shop").tenants == std::set<std::string>{"acme"});
  CHECK(usage.applications.contains(""));
  CHECK(usage.shapes.at("f1").calls == 2);
  CHECK(usage.shapes.at("f1").failed == 1);
  CHECK(usage.tables.at("public.users").reads == 2);
  CHECK(usage.pii.at("public.users.email").decrypted == 2);
  CHECK(usage.pii.at("public.users.email").why == "configured");
  CHECK(usage.pii.size() == 1);
  CHECK(usage.when.first == kNoon);
  CHECK(usage.when.last == kNoon + 5);
}

TEST_CASE("columns that look like personal data are listed without any configuration") {
  const std::array<std::string_view, 2> columns{"phone", "plan"};
  const audit::RelationUse relation{1, "public.users", columns, {}};
  audit::Intent one = intent("shop", "f1", kNoon);
  one.what.relations = {&relation, 1};
  Usage usage({});
  feed(usage, audit::encode_statement(one, {}));
  CHECK(usage.pii.size() == 1);
  CHECK(usage.pii.at("public.users.phone").why == "looks like phone number");
}

TEST_CASE("refusals are grouped by application, reason, and whether they were applied") {
  Usage usage({});
  feed(usage, refusal("shop", "observe", kNoon + 9));
  feed(usage, refusal("shop", "observe", kNoon));
  feed(usage, refusal("shop", "refuse", kNoon));
  feed(usage, refusal("batch", "observe", kNoon));
  CHECK(usage.observed == 3);
  CHECK(usage.refused == 1);
  REQUIRE(usage.refusals.size() == 3);
  CHECK(usage.refusals[0].count == 2);
  CHECK(usage.refusals[0].code == "PST-1501");
  CHECK(usage.refusals[0].rule == "gate.statement");
  CHECK(usage.refusals[0].when.first == kNoon);
  CHECK(usage.refusals[0].when.last == kNoon + 9);
  CHECK(!usage.refusals[0].applied);
  CHECK(usage.refusals[1].applied);
  CHECK(usage.statements == 0);
}

TEST_CASE("an outcome follows its intent; times are cut at both ends") {
  Usage usage({});
  usage.from_us = kNoon;
  usage.until_us = kNoon + 10;
  feed(usage, audit::encode_intent(intent("a", "f1", kNoon - 1)), 1);
  feed(usage, audit::encode_intent(intent("a", "f1", kNoon)), 2);
  feed(usage, audit::encode_intent(intent("a", "f1", kNoon + 10)), 3);
  audit::Outcome late;
  late.time_us = kNoon + 500;
  late.state = audit::State::kLost;
  for (const std::uint64_t ref : {1, 2, 3}) feed(usage, audit::encode_outcome(late, ref));
  CHECK(usage.statements == 1);
  CHECK(usage.shapes.at("f1").failed == 1);
}

TEST_CASE("records of another form do no harm") {
  Usage usage({});
  for (const char* body : {"", "{", "[]", "3", "{\"who\":[],\"what\":7}",
                           "{\"what\":{\"relations\":[3,{\"read\":{}}],\"decrypted\":[1]}}"}) {
    for (const char* kind : {"intent", "statement", "outcome", "refusal", "auth", "start"}) {
      usage.add(kind, 1, body);
    }
  }
  CHECK(usage.strange == 4 * 6);
}

TEST_CASE("distinct names are bounded, to the last one") {
  Usage usage({});
  for (std::size_t i = 0; i < Usage::kMaxDistinct; ++i) {
    const std::string name = std::to_string(i);
    feed(usage, audit::encode_statement(intent("a", name, kNoon), {}));
  }
  CHECK(usage.left_out == 0);
  feed(usage, audit::encode_statement(intent("a", "one more", kNoon), {}));
  CHECK(usage.shapes.size() == Usage::kMaxDistinct);
  CHECK(usage.left_out == 1);
  CHECK(usage.statements == Usage::kMaxDistinct + 1);
}

TEST_CASE("a real log gives the same sums") {
  REQUIRE(crypto::init());
  // The command line's tests name a folder in which they want this log left.
  const char* wanted = std::getenv("POSTERN_LOG_FOLDER");
  std::string folder = (std::filesystem::temp_directory_path() / "postern-XXXXXX").string();
  REQUIRE((wanted != nullptr || mkdtemp(folder.data()) != nullptr));
  if (wanted != nullptr) folder = wanted;
  audit::LogOptions options;
  options.folder = folder + "/audit";
  options.key_file = folder + "/audit.key";
  options.origin = "test.example/usage";
  auto log = audit::open_log(std::move(options));
  REQUIRE(log.has_value());
  const auto ticket = (*log)->open(intent("shop", "f1", kNoon), audit::Urgency::kNow);
  REQUIRE(ticket.has_value());
  REQUIRE((*log)->close(*ticket, {}, audit::Urgency::kNow).has_value());
  // A client may call itself anything.
  auto refused = refusal("shop\x1b[2J\n\xe2\x80\xae", "observe", kNoon);
  REQUIRE((*log)->append(std::move(refused), audit::Urgency::kNow).has_value());
  const audit::VerifierKey key = (*log)->verifier();
  REQUIRE((*log)->stop());
  Usage usage({});
  const auto report =
      audit::scan_log({folder + "/audit", key, ""}, [&](const audit::RecordView& record) {
        usage.add(audit::kind_name(record.kind), record.index, record.body);
      });
  CHECK(report.intact());
  CHECK(usage.statements == 1);
  CHECK(usage.observed == 1);
  CHECK(usage.shapes.at("f1").failed == 0);
  if (wanted == nullptr) std::filesystem::remove_all(folder);
}
