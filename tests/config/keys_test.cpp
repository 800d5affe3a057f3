// The key table and the options structs say the same.
#include <array>
#include <fstream>
#include <set>
#include <sstream>

#include <doctest/doctest.h>

#include "config/document.hpp"
#include "config/key.hpp"

using namespace postern;
using namespace postern::config;

namespace {

/// Converts to anything: counts how many initialisers an aggregate takes.
struct Anything {
  template <typename T>
  operator T() const;  // NOLINT: only named in unevaluated operands
};

template <typename T, std::size_t... I>
constexpr bool takes(std::index_sequence<I...>) {
  return requires { T{(static_cast<void>(I), Anything{})...}; };
}

template <typename T, std::size_t N = 0>
constexpr std::size_t field_count() {
  if constexpr (takes<T>(std::make_index_sequence<N + 1>{})) {
    return field_count<T, N + 1>();
  } else {
    return N;
  }
}

/// Fields that rows fill: a secret and its file fill one.
std::size_t fields_filled(const KeyRows& rows) {
  std::size_t n = 0;
  for (const KeyRow& row : rows) n += std::holds_alternative<SecretFileKey>(row.slot) ? 0 : 1;
  return n;
}

template <typename Options>
void check_section(const char* name) {
  Options options;
  const KeyRows rows = keys_of(options);
  CAPTURE(name);
  CHECK(fields_filled(rows) == field_count<Options>());
  std::set<std::string_view> names;
  for (const KeyRow& row : rows) {
    CAPTURE(row.name);
    CHECK(names.insert(row.name).second);
    CHECK_FALSE(row.doc.empty());
    CHECK(row.doc.back() != '.');
  }
}

std::string content(const std::string& path) {
  std::ostringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return out.str();
}

}  // namespace

TEST_CASE("the counter of fields counts") {
  struct Three {
    std::string a;
    std::vector<int> b;
    Secret c;
  };
  CHECK(field_count<Three>() == 3);
}

TEST_CASE("every field of every options struct has its row and every row its field") {
  check_section<ListenOptions>("listen");
  check_section<ListenTlsOptions>("listen.tls");
  check_section<ClusterOptions>("cluster");
  check_section<UpstreamTlsOptions>("cluster.tls");
  check_section<DatabaseOptions>("database");
  check_section<ServiceOptions>("service");
  check_section<AuthOptions>("auth");
  check_section<UserOptions>("user");
  check_section<LimitsOptions>("limits");
  check_section<TenantOptions>("tenant");
  check_section<TablePolicy>("table.policies");
  check_section<TableOptions>("table");
  check_section<ColumnOptions>("column");
  check_section<KeysOptions>("keys");
  check_section<PolicyOptions>("policy");
  check_section<RoutingOptions>("routing");
  check_section<CacheRule>("cache.rule");
  check_section<CacheOptions>("cache");
  check_section<AuditOptions>("audit");
  check_section<MetricsOptions>("metrics");
  check_section<LogOptions>("log");
}

TEST_CASE("docs/config.md is what the key table generates") {
  CHECK(content(POSTERN_SOURCE_DIR "/docs/config.md") == config_document());
}

TEST_CASE("one key or one section can be asked for") {
  const auto port = explain_key("listen.port");
  REQUIRE(port);
  CHECK(port->find("0 to 65535") != std::string::npos);
  CHECK(port->find("`6432`") != std::string::npos);
  CHECK(explain_key("cluster.NAME.nodes")->find("required") != std::string::npos);
  CHECK(explain_key("audit")->find("flush_interval") != std::string::npos);
  CHECK(explain_key("user.NAME.tenants"));
  CHECK_FALSE(explain_key("listen.prot"));
  CHECK_FALSE(explain_key(""));
}
