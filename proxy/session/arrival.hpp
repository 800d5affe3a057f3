// The first bytes of a client's connection, before its startup message: a PROXY header where the
// peer is a listed balancer, and TLS where the client begins with it.
#pragma once

#include <cstddef>

#include "proxy/session/session.hpp"

namespace postern::proxy {

/// Reads until `need` unread bytes are there. kTransportClosed at the end of the stream.
Task<Status> read_login(Session* session, std::size_t need);

/// True where the peer's address lies in one of listen.proxy_protocol_from.
bool announces_clients(const config::Config& config, std::string_view peer);

/// Takes the PROXY header off a listed peer's connection and its announced address into the
/// session's identity. kProxyHeader: the connection is to be closed without a word, since whoever
/// it is does not speak the protocol agreed upon.
Task<Status> take_proxy_header(Session* session);

/// Does the handshake where the first byte is that of TLS, and tells `login`; `tls` is null where
/// none is offered. kDirectTls without ALPN "postgresql"; those of the handshake.
Task<Status> take_direct_tls(Session* session, protocol::ClientLogin* login, const ClientTls* tls);

}  // namespace postern::proxy
