#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>

#include "config/load.hpp"
#include "schema/config_text.hpp"

using namespace postern;
using namespace postern::schema;

namespace {

InspectedTable table(std::string name, std::vector<std::pair<std::string, std::string>> columns) {
  InspectedTable out;
  out.name = std::move(name);
  for (auto& [column, type] : columns) {
    InspectedColumn inspected;
    inspected.name = column;
    inspected.type = type;
    inspected.values = value_class(type);
    inspected.pii = pii_by_name(column, inspected.values);
    inspected.named_so = inspected.pii.has_value();
    out.columns.push_back(std::move(inspected));
  }
  return out;
}

Inspection inspection(std::vector<InspectedTable> tables) {
  Inspection out;
  out.host = "db.example";
  out.port = "5432";
  out.user = "app";
  out.database = "shop";
  out.version = "15.20";
  out.tables = std::move(tables);
  return out;
}

/// The errors of what would be written, read as `serve` reads it.
std::vector<Error> errors_of(const Inspection& in, bool password_known) {
  const Proposal proposal = propose(in);
  ConfigText input{&in, &proposal, password_known,
                   [] { return std::string("9f2b6c1e-3d0a-4a57-8e44-6b1f0c7d2a01"); }};
  std::string folder = (std::filesystem::temp_directory_path() / "postern-XXXXXX").string();
  REQUIRE(mkdtemp(folder.data()) != nullptr);
  std::ofstream(folder + "/" + kConfigFileName) << config_text(input);
  std::ofstream(folder + "/" + kUsersFileName) << users_text(input, "stub-password");
  if (password_known) std::ofstream(folder + "/" + kPasswordFileName) << "secret\n";
  const auto report = config::load_report(folder + "/" + kConfigFileName,
                                          [](const std::string&) { return std::nullopt; });
  std::filesystem::remove_all(folder);
  return report.errors;
}

}  // namespace

TEST_CASE("the tenant column is the candidate that most tables have") {
  const auto in = inspection(
      {table("public.a", {{"org_id", "uuid"}, {"tenant_id", "text"}}),
       table("public.b", {{"org_id", "uuid"}}), table("public.c", {{"org_id", "bigint"}}),
       table("public.d", {{"tenant_id", "text"}}), table("public.e", {{"x", "text"}})});
  const Proposal found = propose(in);
  REQUIRE(found.tenant.has_value());
  CHECK(found.tenant->column == "org_id");
  CHECK(found.tenant->type == "uuid");
  CHECK(found.tenant->tables_with == 3);
  CHECK(found.tenant->tables_without == 2);
  CHECK(found.tenant->other_types == std::vector<std::string>{"public.c (bigint)"});
  CHECK(found.shared == std::vector<std::string>{"public.e"});
  REQUIRE(found.others.size() == 1);
  CHECK(found.others[0].table == "public.d");
  CHECK(found.others[0].column == "tenant_id");
}

TEST_CASE("a candidate in one table alone is no tenant column") {
  const Proposal found = propose(
      inspection({table("public.a", {{"tenant_id", "text"}}), table("public.b", {{"x", "text"}})}));
  CHECK(!found.tenant.has_value());
  CHECK(found.shared.empty());
}

TEST_CASE("schemes follow use, and types that cannot be encrypted get none") {
  const Proposal found = propose(inspection(
      {table("public.p", {{"email", "text"}, {"surname", "text"}, {"phone", "numeric(20,0)"}})}));
  REQUIRE(found.pii.size() == 3);
  CHECK(found.pii[0].scheme == "deterministic");
  CHECK(found.pii[1].scheme == "randomized");
  CHECK(found.pii[2].scheme.empty());
}

TEST_CASE("what is written is valid, whatever the names are") {
  const std::string evil = "a\"]\n[admin]\nx = \"\\\x1b[2J\xff";
  auto in =
      inspection({table("public.a", {{"tenant_id", "text"}, {"email", "text"}}),
                  table("public.b", {{"tenant_id", "uuid"}}), table("public.c", {{"org", "text"}}),
                  table("public." + evil, {{evil, "text"}, {"iban", "text"}})});
  in.roles = {{evil, false, false, 3}, {"boss", true, false, 0}};
  in.replicas = {{evil, "10.0.0.2", "streaming"}, {"r2", "", "startup"}};
  in.version = evil;
  for (const bool password : {true, false}) {
    for (const Error& error : errors_of(in, password)) FAIL_CHECK(error.line());
  }
  in.host = "/var/run/postgresql";
  in.tls = true;
  CHECK(errors_of(in, true).empty());
  in.host = "::1";
  CHECK(errors_of(in, true).empty());
}

TEST_CASE("an empty database and unsuitable tenants give a valid file, too") {
  CHECK(errors_of(inspection({}), false).empty());
  CHECK(errors_of(inspection({table("public.a", {{"tenant_id", "json"}}),
                              table("public.b", {{"tenant_id", "json"}})}),
                  true)
            .empty());
}

TEST_CASE("the password stands in its own file only") {
  const auto in = inspection({});
  const Proposal proposal = propose(in);
  const ConfigText known{&in, &proposal, true, [] { return std::string(); }};
  CHECK(users_text(known, "stub").find("stub") == std::string::npos);
  const ConfigText unknown{&in, &proposal, false, [] { return std::string(); }};
  CHECK(users_text(unknown, "stub").find("password = \"stub\"") != std::string::npos);
  CHECK(config_text(unknown).find("password") == std::string::npos);
}
