#include <set>
#include <string>

#include <doctest/doctest.h>

#include "base/codes/session.hpp"
#include "proxy/sinks/exposition.hpp"
#include "proxy/sinks/metric_table.hpp"

using namespace postern;
using namespace postern::proxy;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("names follow Prometheus' conventions") {
  std::set<std::string_view> seen;
  for (const MetricRow& row : metric_rows()) {
    CAPTURE(row.name);
    CHECK(seen.insert(row.name).second);
    CHECK(row.name.starts_with("postern_"));
    CHECK(row.name.ends_with("_total") == (row.kind == MetricKind::kCounter));
    CHECK(row.name.ends_with("_seconds") == (row.kind == MetricKind::kHistogram));
    for (const char c : row.name) CHECK(((c >= 'a' && c <= 'z') || c == '_'));
    CHECK_FALSE(row.help.empty());
    CHECK_FALSE(row.help.ends_with("."));
    CHECK(contains(metrics_document(), "`" + std::string(row.name) + "`"));
  }
}

TEST_CASE("what is counted without label is exposed, with help and type") {
  Metrics metrics;
  metrics.clients.add(3);
  metrics.refusals.add(pst::kConsoleRights);
  metrics.server_errors.add("23505");
  metrics.server_errors.add("bad");
  metrics.latency.observe(100'000);
  metrics.latency.observe(100'001);
  Exposition out;
  expose(metrics, out);
  const std::string text = out.text();
  CHECK(contains(text, "# TYPE postern_clients gauge\npostern_clients 3\n"));
  CHECK(contains(text, "postern_refusals_total{code=\"PST-2431\"} 1"));
  CHECK(contains(text, "postern_server_errors_total{class=\"23\"} 1"));
  CHECK(contains(text, "postern_server_errors_total{class=\"?\?\"} 1"));
  CHECK(contains(text, "postern_statement_seconds_bucket{le=\"0.1\"} 1\n"));
  CHECK(contains(text, "postern_statement_seconds_count 2\n"));
  CHECK(contains(text, "le=\"+Inf\"} 2\n"));
  for (const MetricRow& row : metric_rows()) {
    const bool by_label = !row.labels.empty() && row.name != "postern_info";
    const bool elsewhere = row.name == "postern_ready" || row.name.starts_with("postern_alerts_");
    if (by_label || elsewhere) continue;
    CAPTURE(row.name);
    CHECK(contains(text, "# HELP " + std::string(row.name) + " "));
  }
}

TEST_CASE("classes of SQLSTATE are bounded") {
  ClassCounter classes;
  const std::string letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  for (const char a : letters) {
    for (const char b : letters) classes.add(std::string{a, b} + "000");
  }
  CHECK(classes.snapshot().size() <= ClassCounter::kMaxClasses + 1);
  CHECK(classes.snapshot().at("??") > 1'000);
}

TEST_CASE("labels are escaped") {
  Exposition out;
  out.gauge("postern_pool_size", 1, {{"node", "a\"b\n"}, {"database", "*"}, {"user", "\\"}});
  CHECK(contains(out.text(), R"({node="a\"b\n",database="*",user="\\"} 1)"));
}
