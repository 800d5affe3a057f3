// A client whose session waits long for a server connection hears of it.
#pragma once

namespace postern::proxy {

/// WaitLimits::on_wait of a session; `session` is the Session. Sends a NOTICE, unless the session
/// holds another server connection whose replies are being written at the same time.
void tell_waiting(void* session);

/// WaitLimits::is_gone of a session: the client closed its connection, or was ended. Not where its
/// Terminate came with what it asked for: a server would carry that out.
bool client_left(void* session);

}  // namespace postern::proxy
