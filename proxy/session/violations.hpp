// Violations that sessions meet, told as alerts.
#pragma once

#include <string_view>

#include "proxy/session/session.hpp"

namespace postern::proxy {

/// A statement was refused, or would have been outside observe mode. Refusals that are no violation
/// of a rule are passed over.
void tell_refusal(Session* session, const AnalysedText& analysed, const Error& error,
                  bool observed);
/// A login was refused, or a session ended for this.
void tell_failure(Session* session, const Error& error);
/// A server answered with this SQLSTATE: it may say that the tenant context was tampered with.
void tell_server_error(Session* session, const Execution& execution, std::string_view sqlstate);
/// The role of a server connection stands above row security. Told once a session.
void tell_bypass(Session* session, const ServerFacts& facts);

}  // namespace postern::proxy
