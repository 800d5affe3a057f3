// [peers]: what it may say, and what contradicts itself.
#include <doctest/doctest.h>

#include "base/codes/config.hpp"
#include "tests/config/files.hpp"

using namespace postern;
using namespace postern::config;
using namespace postern::config::testing;

namespace {

constexpr std::string_view kHead =
    "[peers]\nid = 1\nlisten = '127.0.0.1:7001'\nsecret_file = 'peers.key'\n";

std::string peer(unsigned id, const std::string& address) {
  return "[[peers.peer]]\nid = " + std::to_string(id) + "\naddress = '" + address + "'\n";
}

LoadReport load_peers(const std::string& rest) {
  return load_more(std::string(kHead) + rest);
}

std::string many(unsigned count) {
  std::string out;
  for (unsigned i = 0; i < count; ++i) out += peer(2 + i, "10.0.0.1:" + std::to_string(7002 + i));
  return out;
}

}  // namespace

TEST_CASE("peers as they are written") {
  const auto report = load_peers(peer(1, "127.0.0.1:7001") + peer(65'535, "/run/postern:7002"));
  CAPTURE(messages(report));
  REQUIRE(report.errors.empty());
  const auto& peers = report.config.peers;
  REQUIRE(peers);
  CHECK(peers->id == 1);
  CHECK(peers->listen == HostPort{"127.0.0.1", 7001});
  REQUIRE(peers->peers.size() == 2);
  CHECK(peers->peers[1].id == 65'535);
  CHECK(peers->peers[1].address == HostPort{"/run/postern", 7002});
  CHECK_FALSE(load_more("").config.peers.has_value());
}

TEST_CASE("ids and addresses are those of one instance each") {
  CHECK(only_error(load_peers(peer(2, "h:1") + peer(2, "h:2")), pst::kConfigConflict, 9,
                   "peers.peer[1].id: stands twice"));
  CHECK(only_error(load_peers(peer(2, "h:1") + peer(3, "h:1")), pst::kConfigConflict, 10,
                   "peers.peer[1].address: is that of another instance"));
  CHECK(only_error(load_peers(peer(2, "127.0.0.1:7001")), pst::kConfigConflict, 7,
                   "peers.peer[0].address"));
  CHECK(only_error(load_peers(peer(0, "h:1")), pst::kConfigBadValue, 6, "outside 1 to 65535"));
  CHECK(only_error(load_peers(peer(65'536, "h:1")), pst::kConfigBadValue, 6, "outside 1 to 65535"));
}

TEST_CASE("peers are none without another instance, and 16 others at most") {
  CHECK(only_error(load_peers(peer(1, "h:1")), pst::kConfigMissingKey, 1, "peers.peer"));
  CHECK(load_peers(many(PeersOptions::kMaxPeers) + peer(1, "h:1")).errors.empty());
  CHECK(only_error(load_peers(many(PeersOptions::kMaxPeers + 1)), pst::kConfigConflict, 1,
                   "more than 16"));
}

TEST_CASE("peers and clients never share a listener") {
  CHECK(only_error(load_more("[listen]\nport = 7001\n" + std::string(kHead) + peer(2, "h:1")),
                   pst::kConfigConflict, 5, "peers.listen: is the port of [listen]"));
}

TEST_CASE("what [peers] cannot do without") {
  const std::string head = "[peers]\nid = 1\nlisten = 'h:7001'\n";
  CHECK(
      only_error(load_more(head + peer(2, "h:1")), pst::kConfigMissingKey, 1, "peers.secret_file"));
}
