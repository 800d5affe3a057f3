#include "protocol/server_login.hpp"

#include <algorithm>

#include "base/codes/auth.hpp"
#include "base/codes/wire.hpp"
#include "protocol/cursor.hpp"
#include "protocol/rows.hpp"
#include "protocol/session_setup.hpp"
#include "protocol/startup.hpp"

namespace postern::protocol {
namespace {

using Kind = ServerStep::Kind;
constexpr std::optional<Kind> kGoOn = std::nullopt;

Error out_of_step(std::string_view what) {
  return make_error(pst::kServerProtocol, std::string(what));
}

/// A decoder's error, seen from this side: it is the server who sent the bytes.
Error blame_server(Error error) {
  const bool theirs = error.code == pst::kProtocolViolation || error.code == pst::kSaslMalformed;
  if (theirs) error.code = pst::kServerProtocol;
  return error;
}

bool offers(const Authentication& message, ByteView mechanism) {
  return std::find(message.mechanisms.begin(), message.mechanisms.end(), mechanism) !=
         message.mechanisms.end();
}

}  // namespace

ByteView ServerFacts::parameter(ByteView name) const {
  for (const auto& [n, value] : parameters) {
    if (n == name) return value;
  }
  return {};
}

ServerLogin::ServerLogin(Options options)
    : options_(std::move(options)), framer_(Direction::kFromBackend, Phase::kAuthenticating) {
  POSTERN_CHECK(options_.primitives != nullptr);
  POSTERN_CHECK(options_.minor == 0 || options_.minor == 2);
  facts_.minor = options_.minor;
}

ServerStep ServerLogin::advance(ByteView unread, Bytes& out) {
  POSTERN_CHECK(state_ != State::kDone && state_ != State::kTlsHandshake);
  std::size_t consumed = 0;
  Result<ServerStep> step = loop(unread, consumed, out);
  if (step) return *step;
  state_ = State::kDone;
  scram_.reset();
  error_ = blame_server(std::move(step).error());
  return {Kind::kFailed, consumed, 0};
}

Result<ServerStep> ServerLogin::loop(ByteView unread, std::size_t& consumed, Bytes& out) {
  if (state_ == State::kStart && options_.ssl != SslMode::kDisable) {
    if (!unread.empty()) return out_of_step("bytes before any request");
    SslRequest{}.encode(out);
    state_ = State::kSslReply;
    return ServerStep{Kind::kReadOneByte, 0, 1};
  }
  if (state_ == State::kSslReply) {
    POSTERN_ASSIGN(const std::optional<ServerStep> step, on_ssl_reply(unread));
    if (step) return *step;
    consumed = 1;
  }
  if (state_ == State::kStart) {
    if (unread.size() > consumed) return out_of_step("bytes before any request");
    POSTERN_TRY(send_startup(out));
  }
  while (true) {
    POSTERN_ASSIGN(const Framed<Frame> framed, framer_.next(unread.substr(consumed)));
    if (!framed.complete()) return ServerStep{Kind::kRead, consumed, framed.need};
    consumed += framed.item.whole.size();
    POSTERN_ASSIGN(const std::optional<Kind> kind, on_frame(framed.item, out));
    if (!kind) continue;
    if (unread.size() > consumed) return out_of_step("bytes behind the first ReadyForQuery");
    return ServerStep{*kind, consumed, 0};
  }
}

// Exactly one byte may be here: more would have been sent before TLS, by whomever
// (CVE-2021-23222). Nothing of an ErrorResponse is shown: it is not authentic (CVE-2024-10977).
Result<std::optional<ServerStep>> ServerLogin::on_ssl_reply(ByteView unread) {
  using Step = std::optional<ServerStep>;
  if (unread.empty()) return Step(ServerStep{Kind::kReadOneByte, 0, 1});
  if (unread[0] != 'S' && unread[0] != 'N') return out_of_step("invalid answer to SSLRequest");
  if (unread.size() > 1) return out_of_step("bytes behind the answer to SSLRequest");
  if (unread[0] == 'S') {
    state_ = State::kTlsHandshake;
    return Step(ServerStep{Kind::kUpgradeTls, 1, 0});
  }
  if (options_.ssl == SslMode::kRequire) return make_error(pst::kUpstreamTlsRefused);
  options_.ssl = SslMode::kDisable;
  state_ = State::kStart;
  return Step{};
}

void ServerLogin::tls_established(Bytes channel_binding) {
  POSTERN_CHECK(state_ == State::kTlsHandshake);
  encrypted_ = true;
  channel_binding_ = std::move(channel_binding);
  options_.ssl = SslMode::kDisable;  // settled: the startup message is due
  state_ = State::kStart;
}

Status ServerLogin::send_startup(Bytes& out) {
  StartupMessage message{protocol_version(3, options_.minor), {}};
  message.parameters.emplace_back("user", options_.user);
  message.parameters.emplace_back("database", options_.database);
  for (const auto& [name, value] : options_.parameters) {
    message.parameters.emplace_back(name, value);
  }
  state_ = State::kAuthRequest;
  return message.encode(out);
}

ServerLogin::Outcome ServerLogin::on_frame(const Frame& frame, Bytes& out) {
  const bool settling = state_ == State::kSettling;
  switch (frame.backend()) {
    case BackendType::kErrorResponse:
      return on_error(frame.body);
    case BackendType::kNoticeResponse:
      return kGoOn;
    case BackendType::kAuthentication:
      if (settling) break;
      POSTERN_TRY(on_authentication(frame.body, out));
      return kGoOn;
    case BackendType::kNegotiateProtocolVersion:
      POSTERN_TRY(on_negotiate(frame.body));
      return kGoOn;
    case BackendType::kParameterStatus:
      if (!settling) break;
      POSTERN_TRY(on_parameter(frame.body));
      return kGoOn;
    case BackendType::kBackendKeyData:
      if (!settling) break;
      POSTERN_TRY(on_key(frame.body));
      return kGoOn;
    case BackendType::kReadyForQuery:
      if (!settling) break;
      return on_ready(frame.body);
    default:
      break;
  }
  return out_of_step("message out of order during login");
}

ServerLogin::Outcome ServerLogin::on_ready(ByteView body) {
  POSTERN_ASSIGN(const ReadyForQuery ready, ReadyForQuery::decode(body));
  if (ready.status != TransactionStatus::kIdle) return out_of_step("not idle after login");
  state_ = State::kDone;
  return std::optional(Kind::kReady);
}

Status ServerLogin::on_authentication(ByteView body, Bytes& out) {
  POSTERN_ASSIGN(const Authentication message, Authentication::decode(body));
  switch (state_) {
    case State::kAuthRequest:
      return on_auth_request(message, out);
    case State::kSaslContinue: {
      if (message.kind != AuthKind::kSaslContinue) break;
      POSTERN_CHECK(scram_.has_value());
      POSTERN_ASSIGN(const Bytes reply, scram_->respond(message.data));
      state_ = State::kSaslFinal;
      return SaslResponse{reply}.encode(out);
    }
    case State::kSaslFinal:
      if (message.kind != AuthKind::kSaslFinal) break;
      POSTERN_CHECK(scram_.has_value());
      POSTERN_TRY(scram_->verify(message.data));
      scram_.reset();
      state_ = State::kAuthOk;
      return ok();
    case State::kAuthOk:
      if (message.kind != AuthKind::kOk) break;
      state_ = State::kSettling;
      return ok();
    default:
      break;
  }
  // Above all: AuthenticationOk in the middle of SCRAM, from a server that cannot prove itself.
  return out_of_step("authentication message out of order");
}

Status ServerLogin::on_auth_request(const Authentication& message, Bytes& out) {
  switch (message.kind) {
    case AuthKind::kOk:
      state_ = State::kSettling;
      return ok();
    case AuthKind::kSasl:
      return start_scram(message, out);
    case AuthKind::kCleartextPassword:
      if (!permits(options_.cleartext, encrypted_)) break;
      return send_password(out);
    case AuthKind::kMd5Password:
      if (!permits(options_.md5_password, encrypted_)) break;
      return send_md5(message.data, out);
    default:
      break;
  }
  return make_error(
      pst::kUpstreamAuthMethod,
      "authentication request " + std::to_string(static_cast<std::uint32_t>(message.kind)));
}

Status ServerLogin::start_scram(const Authentication& message, Bytes& out) {
  using Binding = ScramClient::Binding;
  Binding binding = Binding::kUnsupported;
  if (!channel_binding_.empty()) {
    binding = offers(message, kScramSha256Plus) ? Binding::kUsed : Binding::kNotOffered;
  }
  if (binding != Binding::kUsed && !offers(message, kScramSha256)) {
    return make_error(pst::kUpstreamAuthMethod, "none of the SASL mechanisms is known");
  }
  if (!options_.pass) POSTERN_TRY(need_password());
  POSTERN_ASSIGN(Bytes nonce, make_scram_nonce(*options_.primitives));
  scram_.emplace(ScramClient::Options{options_.primitives,
                                      options_.password.clone(),
                                      std::move(nonce),
                                      {},
                                      binding,
                                      channel_binding_,
                                      std::move(options_.pass)});
  POSTERN_ASSIGN(const Bytes first, scram_->first());
  state_ = State::kSaslContinue;
  return SaslInitialResponse{scram_->mechanism(), first}.encode(out);
}

Status ServerLogin::need_password() const {
  if (!options_.password.empty()) return ok();
  return make_error(pst::kUpstreamAuthMethod, "the server asks for a password, none is configured");
}

Status ServerLogin::send_password(Bytes& out) {
  POSTERN_TRY(need_password());
  state_ = State::kAuthOk;
  return PasswordMessage{options_.password.reveal()}.encode(out);
}

Status ServerLogin::send_md5(ByteView salt, Bytes& out) {
  POSTERN_TRY(need_password());
  POSTERN_ASSIGN(const Secret hash,
                 md5_hash(options_.md5, options_.password.reveal(), options_.user));
  POSTERN_ASSIGN(const Secret answer, md5_answer(options_.md5, hash.reveal(), salt));
  state_ = State::kAuthOk;
  return PasswordMessage{answer.reveal()}.encode(out);
}

Status ServerLogin::on_negotiate(ByteView body) {
  if (state_ != State::kAuthRequest || negotiated_) {
    return out_of_step("protocol negotiation out of order");
  }
  negotiated_ = true;
  POSTERN_ASSIGN(const NegotiateProtocolVersion message, NegotiateProtocolVersion::decode(body));
  // We send no `_pq_.` options, so only our minor version can have caused this.
  const bool sound = message.unknown_options.empty() && protocol_major(message.version) == 3 &&
                     protocol_minor(message.version) < options_.minor;
  if (!sound) return out_of_step("protocol negotiation without cause");
  facts_.minor = 0;
  return ok();
}

Status ServerLogin::on_parameter(ByteView body) {
  POSTERN_ASSIGN(const ParameterStatus message, ParameterStatus::decode(body));
  for (auto& [name, value] : facts_.parameters) {
    if (name != message.name) continue;
    value = message.value;
    return ok();
  }
  if (facts_.parameters.size() == kMaxParameterReports) return out_of_step("too many parameters");
  facts_.parameters.emplace_back(message.name, message.value);
  return ok();
}

Status ServerLogin::on_key(ByteView body) {
  if (!facts_.cancel_key.empty()) return out_of_step("BackendKeyData sent twice");
  POSTERN_ASSIGN(const BackendKeyData message, BackendKeyData::decode(body));
  facts_.pid = message.pid;
  facts_.cancel_key = Secret(Bytes(message.key));
  return ok();
}

Error ServerLogin::on_error(ByteView body) {
  Result<ErrorFields> fields = ErrorFields::decode(body);
  if (!fields) return std::move(fields).error();
  server_error_ = OwnedErrorFields::copy(*fields);
  const ByteView message = server_error_->get(kFieldMessage);
  return make_error(pst::kUpstreamLoginFailed, Bytes(message));
}

}  // namespace postern::protocol
