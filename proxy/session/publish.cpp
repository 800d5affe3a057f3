#include "proxy/session/publish.hpp"

namespace postern::proxy {

Task<void> mark_writes(Session*, const Execution*) {
  co_return;
}

bool must_publish(const Session&, const Execution&, const protocol::Frame&) {
  return false;
}

Task<void> publish_writes(Session*) {
  co_return;
}

void collect_description(Execution&, const protocol::Frame&) {}
void collect_row(Execution&, const protocol::Frame&) {}
void collect_complete(Execution&, const protocol::Frame&, ByteView) {}

}  // namespace postern::proxy
