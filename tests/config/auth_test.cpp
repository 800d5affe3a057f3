#include <doctest/doctest.h>

#include "base/codes/config.hpp"
#include "config/address_range.hpp"
#include "tests/config/files.hpp"

using namespace postern;
using namespace postern::config;
using namespace postern::config::testing;

TEST_CASE("addresses and blocks") {
  const auto in = [](const char* range, const char* text) {
    const auto parsed = AddressRange::parse(range);
    REQUIRE(parsed);
    const auto address = parse_net_address(text);
    REQUIRE(address);
    return parsed->contains(*address);
  };
  CHECK(in("10.0.0.0/8", "10.255.255.255"));
  CHECK_FALSE(in("10.0.0.0/8", "11.0.0.0"));
  CHECK(in("10.1.2.128/25", "10.1.2.128"));
  CHECK_FALSE(in("10.1.2.128/25", "10.1.2.127"));
  CHECK(in("10.1.2.3", "10.1.2.3"));
  CHECK_FALSE(in("10.1.2.3", "10.1.2.4"));
  CHECK(in("0.0.0.0/0", "255.255.255.255"));
  CHECK_FALSE(in("0.0.0.0/0", "::1"));
  CHECK(in("::/0", "2001:db8::1"));
  CHECK_FALSE(in("::/0", "10.0.0.1"));
  CHECK(in("10.0.0.0/8", "::ffff:10.0.0.1"));
  CHECK(in("fe80::/10", "fe80::1%eth0"));
  for (const char* bad : {"", "10.0.0", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/x",
                          "::1/129", "host", "10.0.0.0/-1", "fe80::%eth0/10"}) {
    CAPTURE(bad);
    CHECK_FALSE(AddressRange::parse(bad));
  }
}

TEST_CASE("the address of a peer") {
  CHECK(address_of_peer("127.0.0.1:5432") == parse_net_address("127.0.0.1"));
  CHECK(address_of_peer("[::1]:5432") == parse_net_address("::1"));
  CHECK_FALSE(address_of_peer("unix"));
  CHECK_FALSE(address_of_peer("unix:/run/x"));
}

TEST_CASE("loopback blocks") {
  const auto loopback = [](const char* text) { return AddressRange::parse(text)->is_loopback(); };
  CHECK(loopback("127.0.0.0/8"));
  CHECK(loopback("127.0.0.1"));
  CHECK(loopback("::1"));
  CHECK_FALSE(loopback("126.0.0.0/7"));
  CHECK_FALSE(loopback("::/127"));
  CHECK_FALSE(loopback("10.0.0.1"));
}

TEST_CASE("rules, maps and the query are read") {
  const auto report = load_more(
      "channel_binding = false\nfailure_burst = 3\nfailure_interval = '5s'\n"
      "[[auth.rule]]\ntype = 'hostssl'\ndatabase = ['app']\nuser = ['a', 'b']\n"
      "address = '10.0.0.0/8'\nmethod = 'cert'\nmap = 'm'\nclient_name = 'dn'\n"
      "[[auth.rule]]\nmethod = 'reject'\n"
      "[[auth.map]]\nmap = 'm'\ncertificate = '/CN=(.*)'\nlogin = '\\1'\n"
      "[auth.query]\nuser = 'asker'\npassword = 'p'\n"
      "[listen.tls]\nmode = 'allow'\ncert_file = 'c'\nkey_file = 'k'\nclient_ca_file = 'a'\n"
      "client_cert = 'request'\n");
  CAPTURE(messages(report));
  REQUIRE(report.errors.empty());
  const AuthOptions& auth = report.config.auth;
  CHECK_FALSE(auth.channel_binding);
  CHECK(auth.failure_burst == 3);
  REQUIRE(auth.rules.size() == 2);
  CHECK(auth.rules[0].type == RuleType::kHostSsl);
  CHECK(auth.rules[0].method == RuleMethod::kCert);
  CHECK(auth.rules[0].client_name == CertificateName::kDn);
  CHECK(auth.rules[1].method == RuleMethod::kReject);
  REQUIRE(auth.query);
  CHECK(auth.query->database == "postgres");
  CHECK(admits_strangers(report.config));
}

TEST_CASE("rules that cannot mean what they say are refused") {
  const auto refused = [](const std::string& rule, Pst code, std::string_view part) {
    const auto report = load_more("[[auth.rule]]\n" + rule);
    CAPTURE(messages(report));
    REQUIRE(report.errors.size() == 1);
    CHECK(report.errors[0].code == code);
    CHECK(report.errors[0].what.find(part) != std::string::npos);
  };
  refused("user = ['a']\n", pst::kConfigMissingKey, "method");
  refused("method = 'ident'\n", pst::kConfigBadValue, "auth.rule[0].method");
  refused("method = 'reject'\naddress = '10.0.0.1/8'\n", pst::kConfigBadValue, "host bits");
  refused("method = 'reject'\naddress = 'db.example'\n", pst::kConfigBadValue, "neither");
  refused("method = 'reject'\ntype = 'local'\naddress = '::1'\n", pst::kConfigConflict, "local");
  refused("method = 'reject'\nuser = ['+admins']\n", pst::kConfigBadValue, "+admins");
  refused("method = 'reject'\ndatabase = ['/^a']\n", pst::kConfigBadValue, "/^a");
  refused("method = 'reject'\ndatabase = ['samerole']\n", pst::kConfigBadValue, "samerole");
  refused("method = 'reject'\nmap = 'm'\n", pst::kConfigConflict, "no [[auth.map]]");
}

TEST_CASE("trust by rule stays on this machine; certificates need TLS and an authority") {
  const std::string open = "[listen]\naddress = '*'\n[auth]\nusers_file = 'u'\n";
  const Folder folder;
  folder.write("u", "");
  const auto codes = [&](const std::string& rule) {
    const auto report =
        load_text(folder, "[cluster.main]\nnodes = ['h:1']\n[database.'*']\ncluster = 'main'\n" +
                              open + "[[auth.rule]]\n" + rule);
    return messages(report);
  };
  CHECK(codes("method = 'trust'\n").find("\"trust\" needs") != std::string::npos);
  CHECK(codes("method = 'trust'\naddress = '10.0.0.1'\n").find("trust") != std::string::npos);
  CHECK(codes("method = 'trust'\naddress = '127.0.0.1'\n").empty());
  CHECK(codes("method = 'trust'\ntype = 'local'\n").empty());
  CHECK(codes("method = 'cert'\n").find("need \"hostssl\"") != std::string::npos);
  CHECK(codes("method = 'cert'\ntype = 'hostssl'\n").find("client_ca_file") != std::string::npos);
}

TEST_CASE("a map's expression has to compile, a query's cluster to exist") {
  const auto map = load_more("[[auth.map]]\nmap = 'm'\ncertificate = '/('\nlogin = 'x'\n");
  CAPTURE(messages(map));
  CHECK(only_error(map, pst::kConfigBadValue, 3, "is not a regular expression"));
  const auto query = load_more("[auth.query]\nuser = 'a'\ncluster = 'other'\n");
  CAPTURE(messages(query));
  CHECK(only_error(query, pst::kConfigConflict, 3, "there is no [cluster.other]"));
  const auto several = load_more("[auth.query]\nuser = 'a'\n[cluster.two]\nnodes = ['h:1']\n");
  CAPTURE(messages(several));
  CHECK(only_error(several, pst::kConfigMissingKey, 1, "there are several clusters"));
}
