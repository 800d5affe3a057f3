// Replication connections (protocol.html, "Streaming Replication Protocol"): relayed byte by byte
// to a connection of their own on the primary, which no pool ever sees.
#pragma once

#include "proxy/net/silence.hpp"
#include "proxy/session/session.hpp"

namespace postern::proxy {

/// The server's side of a replication connection.
struct ReplicationLink {
  explicit ReplicationLink(OpenedServer opened, Worker* worker)
      : server(std::move(opened.transport)),
        facts(std::move(opened.facts)),
        ended(worker->executor()) {}

  Transport server;
  std::unique_ptr<ServerFacts> facts;
  Silence silence;         ///< of the server's host
  std::uint64_t sent = 0;  ///< bytes passed on to the client
  bool done = false;       ///< the server's direction has ended
  Event ended;             ///< set then
};

/// After find_database(). A login needs `replication` in the users file, or a rule that names
/// "replication"; where anything it would see is protected, profile admin or backup besides:
/// physical replication shows every database of the cluster. kReplicationRefused.
Status permit_replication(Session* session);

/// Opens the connection to the primary, as identity.upstream_user. Errors as attach_primary.
Task<Status> open_replication(Session* session, protocol::Replication kind);
const ServerFacts* replication_facts(const Session& session);

/// Relays until one side ends or Postern stops. One statement on the access log, not understood;
/// where it cannot be recorded and has to be, the client is told so and nothing is relayed.
Task<void> relay_replication(Session* session);

/// Passes a cancel request on.
void cancel_replication(const SessionPtr& session);

}  // namespace postern::proxy
