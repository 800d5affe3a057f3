// A client whose session waits long for a server connection hears of it.
#pragma once

namespace postern::proxy {

/// WaitLimits::on_wait of a session; `session` is the Session. Sends a NOTICE, unless the session
/// holds another server connection whose replies are being written at the same time.
void tell_waiting(void* session);

}  // namespace postern::proxy
