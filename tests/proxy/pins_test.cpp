#include "proxy/session/pins.hpp"

#include <doctest/doctest.h>

#include "proxy/console/reply.hpp"
#include "proxy/console/tables.hpp"

using namespace postern;
using namespace postern::proxy;

TEST_CASE("pins are worded in one order") {
  CHECK(pin_text(Pin::kNone).empty());
  CHECK(pin_text(Pin::kListen) == "LISTEN");
  CHECK(pin_text(Pin::kUnfollowed | Pin::kTemporary) == "temporary objects, not followed");
  CHECK(pin_text(Pin::kIdleLimit) == "idle_session_timeout");
}

TEST_CASE("the gauges follow what pins a connection, and its end") {
  Metrics metrics;
  const auto count = [&](Pin pin) {
    std::int64_t found = -1;
    for (std::size_t i = 0; i < kPinWords.size(); ++i) {
      if (kPinWords[i].pin == pin) found = metrics.pinned[i].value();
    }
    return found;
  };
  {
    CountedPins one(&metrics);
    CountedPins two(&metrics);
    one.set(Pin::kListen | Pin::kCursor);
    two.set(Pin::kListen);
    CHECK(count(Pin::kListen) == 2);
    CHECK(count(Pin::kCursor) == 1);
    one.set(Pin::kListen | Pin::kPrepared);
    CHECK(count(Pin::kListen) == 2);
    CHECK(count(Pin::kCursor) == 0);
    CHECK(count(Pin::kPrepared) == 1);
  }
  for (const PinWord& row : kPinWords) CHECK(count(row.pin) == 0);
}

TEST_CASE("of a session's servers the pinned one tells why, behind PgBouncer's columns") {
  using namespace console;
  Snapshot snapshot;
  for (const std::uint32_t pid : {11U, 12U}) {
    SocketRow row;
    row.server = true;
    row.id = 5;
    row.remote_pid = pid;
    snapshot.servers.push_back(row);
  }
  snapshot.pinned.push_back({5, 12, "LISTEN"});
  snapshot.pinned.push_back({6, 11, "PREPARE"});
  mark_pinned(snapshot);
  const std::vector<Row> rows = rows_of(Verb::kShowServers, snapshot, "");
  CHECK(columns_of(Verb::kShowServers).back().name == "pinned_by");
  CHECK(rows[0].back() == Cell(std::string()));
  CHECK(rows[1].back() == Cell(std::string("LISTEN")));
}
