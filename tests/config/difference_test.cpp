// What a reload sees as different, and what it leaves as it was.
#include "config/difference.hpp"

#include <doctest/doctest.h>

#include "tests/config/files.hpp"

using namespace postern;
using namespace postern::config;
using namespace postern::config::testing;

namespace {

Config load_good(std::string_view text) {
  LoadReport report = load_more(text);
  INFO(messages(report));
  REQUIRE(report.errors.empty());
  return std::move(report.config);
}

std::vector<std::string> texts(const Difference& difference) {
  std::vector<std::string> out;
  for (const KeyChange& change : difference.keys) out.push_back(change.text());
  return out;
}

Difference compare(std::string_view before, std::string_view after) {
  return difference(load_good(before), load_good(after), {}, {});
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("the same text is no difference") {
  const Difference same = compare("[limits]\nmax_clients = 7\n", "[limits]\nmax_clients = 7\n");
  CHECK(same.empty());
  CHECK(same.clusters.empty());
  CHECK_FALSE(same.touches("limits"));
}

TEST_CASE("values are named as the file writes them") {
  CHECK(texts(compare("[limits]\nmax_clients = 7\nidle_timeout = \"5s\"\n",
                      "[limits]\nmax_clients = 8\nmessage_bytes = \"32MB\"\n")) ==
        Texts{"limits.idle_timeout: \"5s\" -> \"0\"", "limits.max_clients: 7 -> 8",
              "limits.message_bytes: \"64MB\" -> \"32MB\""});
  CHECK(texts(compare("", "[log]\nlevel = \"debug\"\nformat = \"json\"\n")) ==
        Texts{"log.format: \"text\" -> \"json\" (needs a restart)",
              "log.level: \"info\" -> \"debug\""});
}

TEST_CASE("secrets are compared and never shown") {
  const std::string_view before =
      "[database.a]\ncluster = \"main\"\nuser = \"u\"\npassword = \"x1\"\n";
  const std::string_view after =
      "[database.a]\ncluster = \"main\"\nuser = \"u\"\npassword = \"x2\"\n";
  const Difference changed = compare(before, after);
  CHECK(texts(changed) == Texts{"database.a.password: secret -> secret (changed)"});
  CHECK(changed.databases.changed == std::set<std::string>{"a"});
  CHECK(compare(before, before).empty());
}

TEST_CASE("named sections that come and go are one line each") {
  const Difference both =
      compare("[cluster.old]\nnodes = [\"h:1\"]\n[database.x]\ncluster = \"old\"\n",
              "[cluster.new]\nnodes = [\"h:2\"]\n[database.x]\ncluster = \"new\"\n");
  CHECK(texts(both) == Texts{"cluster.new: absent -> present", "cluster.old: present -> absent",
                             "database.x.cluster: \"old\" -> \"new\""});
  CHECK(both.clusters.added == std::set<std::string>{"new"});
  CHECK(both.clusters.removed == std::set<std::string>{"old"});
  CHECK(both.clusters.changed.empty());
  CHECK(both.databases.changed == std::set<std::string>{"x"});
  CHECK(both.touches("cluster"));
  CHECK_FALSE(both.touches("clust"));
}

TEST_CASE("a section that needs a restart says so, and lists no keys of its own") {
  CHECK(texts(compare("", "[metrics]\nport = 9000\n")) ==
        Texts{"metrics: absent -> present (needs a restart)"});
  CHECK(texts(compare("[metrics]\nport = 9000\n", "[metrics]\nport = 9001\n")) ==
        Texts{"metrics.port: 9000 -> 9001 (needs a restart)"});
}

TEST_CASE("content of a file counts under an unchanged path") {
  const Config config =
      load_good("[cluster.main.tls]\nmode = \"verify-ca\"\nca_file = \"ca.pem\"\n");
  const FileMarks before = {{"cluster.main.tls.ca_file", "1"}};
  const FileMarks after = {{"cluster.main.tls.ca_file", "2"}};
  CHECK(difference(config, config, before, before).empty());
  const Difference changed = difference(config, config, before, after);
  REQUIRE(changed.keys.size() == 1);
  CHECK(changed.keys[0].after == "other content");
  CHECK(changed.clusters.changed == std::set<std::string>{"main"});
}

TEST_CASE("marks name the files a reload reads again") {
  const Folder folder;
  folder.write("ca.pem", "one");
  const std::string text = std::string(kBase) +
                           "[cluster.main.tls]\nmode = \"verify-ca\"\nca_file = \"ca.pem\"\n"
                           "[log]\nfile = \"postern.log\"\n";
  const LoadReport report = load_text(folder, text);
  REQUIRE(report.errors.empty());
  const FileMarks first = file_marks(report.config);
  REQUIRE(first.size() == 1);
  CHECK(first.contains("cluster.main.tls.ca_file"));
  folder.write("ca.pem", "two");
  CHECK(file_marks(report.config) != first);
}

TEST_CASE("what needs a restart keeps its value") {
  const Config present = load_good(
      "[listen]\nport = 7000\n[metrics]\nport = 9000\n[cache]\nttl = \"5s\"\n"
      "[[cache.rule]]\ntables = [\"public.a\"]\n[service]\nuser = \"s\"\npassword = \"p1\"\n");
  Config next = load_good(
      "[listen]\nport = 7001\n[listen.tls]\nmode = \"allow\"\ncert_file = \"c\"\nkey_file = \"k\"\n"
      "[limits]\nmax_clients = 3\n[service]\nuser = \"s\"\npassword = \"p2\"\n"
      "[audit]\ndir = \"log\"\nkey_file = \"audit.key\"\n");
  keep_restart_keys(next, present);
  CHECK(next.listen.port == 7000);
  CHECK(next.listen.tls.mode == ClientTlsMode::kAllow);
  CHECK(next.limits.max_clients == 3);
  REQUIRE(next.metrics);
  CHECK(next.metrics->port == 9000);
  REQUIRE(next.cache);
  CHECK(next.cache->ttl == Millis(5'000));
  REQUIRE(next.cache->rules.size() == 1);
  CHECK(next.cache->rules[0].tables == std::vector<std::string>{"public.a"});
  CHECK_FALSE(next.audit);
  REQUIRE(next.service);
  CHECK(next.service->password.reveal() == "p2");
}

TEST_CASE("nothing differs in what needs a restart once it was kept") {
  const Config present = load_good("[metrics]\nport = 9000\n");
  Config next = load_good("[listen]\nworkers = 3\n[log]\nformat = \"json\"\nlevel = \"error\"\n");
  keep_restart_keys(next, present);
  CHECK(texts(difference(present, next, {}, {})) == Texts{"log.level: \"info\" -> \"error\""});
}
