#include "proxy/session/position.hpp"

namespace postern::proxy {

Status on_position_reply(Session*, ServerLink*, const protocol::Frame&) {
  return ok();
}

}  // namespace postern::proxy
