#include "proxy/session/arrival.hpp"

#include <algorithm>
#include <utility>

#include "base/codes/net.hpp"
#include "config/address_range.hpp"
#include "proxy/net/proxy_header.hpp"
#include "proxy/session/authenticate.hpp"

namespace postern::proxy {
namespace {

constexpr std::size_t kLoginRead = 1024;
constexpr char kTlsHandshake = 0x16;  // content type of the first record (RFC 8446 section 5.1)

}  // namespace

Task<Status> read_login(Session* session, std::size_t need) {
  while (session->input.size() < need) {
    const std::size_t missing = std::max(need - session->input.size(), kLoginRead);
    Result<std::span<char>> room = session->input.reserve(missing);
    if (!room) co_return room.error();
    char* into = room->data();
    const std::size_t size = room->size();
    const Result<std::size_t> got = co_await session->client.read_some(into, size);
    if (!got) co_return got.error();
    if (*got == 0) co_return make_error(pst::kTransportClosed);
    session->input.commit(*got);
  }
  co_return ok();
}

bool announces_clients(const config::Config& config, std::string_view peer) {
  const auto address = config::address_of_peer(peer);
  if (!address) return false;
  const std::vector<std::string>& listed = config.listen.proxy_protocol_from;
  return std::any_of(listed.begin(), listed.end(), [&](const std::string& text) {
    const auto range = config::AddressRange::parse(text);
    return range && range->contains(*address);
  });
}

Task<Status> take_proxy_header(Session* session) {
  if (!announces_clients(session->config(), session->client.peer())) co_return ok();
  for (;;) {
    auto progress = read_proxy_header(session->input.unread());
    if (!progress) co_return progress.error();
    if (progress->header) {
      session->input.consume(progress->header->size);
      if (!progress->header->address.empty()) {
        session->identity.address = std::move(progress->header->address);
      }
      co_return ok();
    }
    const std::size_t need = progress->need;
    const Status read = co_await read_login(session, need);
    if (read) continue;
    // One that connects and leaves is a check of the port.
    const bool cut = read.error().code == pst::kTransportClosed && !session->input.empty();
    if (cut) co_return make_error(pst::kProxyHeader, "the connection ended within it");
    co_return read.error();
  }
}

Task<Status> take_direct_tls(Session* session, protocol::ClientLogin* login, const ClientTls* tls) {
  if (tls == nullptr) co_return ok();
  const std::size_t one = 1;
  const Status read = co_await read_login(session, one);
  if (!read) co_return read.error();
  if (session->input.unread().front() != kTlsHandshake) co_return ok();
  login->begin_direct_tls();
  Bytes early(session->input.unread());
  session->input.consume(early.size());
  const TlsContext* context = &tls->context;
  const Status upgraded = co_await session->client.upgrade_server(context, std::move(early));
  if (!upgraded) co_return upgraded.error();
  if (!session->client.alpn_agreed()) co_return make_error(pst::kDirectTls);
  login->tls_established(own_binding(session));
  co_return ok();
}

}  // namespace postern::proxy
