#include "protocol/client_login.hpp"

#include <algorithm>

#include "base/codes/auth.hpp"
#include "base/codes/wire.hpp"
#include "protocol/auth.hpp"
#include "protocol/cursor.hpp"
#include "protocol/error_message.hpp"
#include "protocol/session_setup.hpp"

namespace postern::protocol {
namespace {

using Kind = LoginStep::Kind;
constexpr std::optional<Kind> kGoOn = std::nullopt;
constexpr std::uint16_t kNewestMinor = 2;
constexpr char kTlsHandshakeByte = 0x16;  // what a TLS connection without SSLRequest begins with

/// The minor version to speak: the newest we know that is not above the one asked for. 3.1 was
/// never defined (protocol.sgml, "Protocol Versions").
constexpr std::uint16_t supported_minor(std::uint16_t asked) {
  return asked >= kNewestMinor ? kNewestMinor : 0;
}

/// PostgreSQL's parse_bool: any unique prefix, any case.
std::optional<bool> parse_bool(ByteView text) {
  Bytes lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  const auto matches = [&](ByteView word, std::size_t least) {
    return lower.size() >= least && word.starts_with(lower);
  };
  if (matches("true", 1) || matches("yes", 1) || matches("on", 2) || lower == "1") return true;
  if (matches("false", 1) || matches("no", 1) || matches("off", 2) || lower == "0") return false;
  return std::nullopt;
}

Result<Replication> parse_replication(ByteView value) {
  if (value == "database") return Replication::kLogical;
  const std::optional<bool> on = parse_bool(value);
  if (!on) return make_error(pst::kBadStartup, "invalid value for \"replication\"");
  return *on ? Replication::kPhysical : Replication::kNone;
}

struct Session {
  LoginRequest request;
  std::vector<ByteView> unknown_options;
};

Result<Session> read_session(const StartupMessage& message) {
  Session session;
  for (const auto& [name, value] : message.parameters) {
    if (name == "user") {
      session.request.user = value;
    } else if (name == "database") {
      session.request.database = value;
    } else if (name == "replication") {
      POSTERN_ASSIGN(session.request.replication, parse_replication(value));
    } else if (name.starts_with("_pq_.")) {
      session.unknown_options.push_back(name);
    } else {
      session.request.parameters.emplace_back(name, value);
    }
  }
  if (session.request.user.empty()) return make_error(pst::kBadStartup, "no user name given");
  if (session.request.database.empty()) session.request.database = session.request.user;
  session.request.minor = supported_minor(protocol_minor(message.version));
  return session;
}

Error stuffed() {
  return make_error(pst::kPlaintextBeforeTls);
}

Error repeated_request() {
  return make_error(pst::kUnsupportedProtocol, "encryption request repeated or inside TLS");
}

}  // namespace

ClientLogin::ClientLogin(Options options)
    : options_(std::move(options)), framer_(Direction::kFromFrontend, Phase::kStartup) {
  POSTERN_CHECK(options_.primitives != nullptr);
}

LoginStep ClientLogin::advance(ByteView unread, Bytes& out) {
  POSTERN_CHECK(state_ != State::kDone && state_ != State::kTlsHandshake);
  std::size_t consumed = 0;
  while (true) {
    if (state_ == State::kAwaitAnswer) return {Kind::kLookupUser, consumed, 0};
    Outcome outcome = kGoOn;
    if (state_ == State::kAnswered) {
      outcome = on_answer(out);
    } else {
      const ByteView rest = unread.substr(consumed);
      Result<Framed<Frame>> framed = framer_.next(rest);
      if (!framed) return fail(framing_failure(rest, std::move(framed).error()), consumed, out);
      if (!framed->complete()) return {Kind::kRead, consumed, framed->need};
      consumed += framed->item.whole.size();
      outcome = on_frame(framed->item, unread.substr(consumed), out);
    }
    if (!outcome) return fail(std::move(outcome).error(), consumed, out);
    if (*outcome) return {**outcome, consumed, 0};
  }
}

Error ClientLogin::framing_failure(ByteView unread, Error error) const {
  if (state_ == State::kStartup && unread.starts_with(kTlsHandshakeByte)) {
    return make_error(pst::kUnsupportedProtocol, "TLS without a preceding SSLRequest");
  }
  return error;
}

LoginStep ClientLogin::fail(Error error, std::size_t consumed, Bytes& out) {
  state_ = State::kDone;
  scram_.reset();
  error_ = std::move(error);
  append_error(out, error_, Report::kFatal);
  return {Kind::kFailed, consumed, 0};
}

void ClientLogin::begin_direct_tls() {
  POSTERN_CHECK(state_ == State::kStartup && !ssl_asked_ && options_.tls != TlsPolicy::kRefuse);
  state_ = State::kTlsHandshake;
}

void ClientLogin::tls_established(Bytes channel_binding) {
  POSTERN_CHECK(state_ == State::kTlsHandshake);
  encrypted_ = true;
  channel_binding_ = std::move(channel_binding);
  state_ = State::kStartup;
}

void ClientLogin::answer(UserAnswer answer) {
  POSTERN_CHECK(state_ == State::kAwaitAnswer);
  answer_.emplace(std::move(answer));
  state_ = State::kAnswered;
}

ClientLogin::Outcome ClientLogin::on_frame(const Frame& frame, ByteView behind, Bytes& out) {
  switch (state_) {
    case State::kStartup:
      return on_startup(frame, behind, out);
    case State::kSaslInitial:
      return on_sasl_initial(frame.body, out);
    case State::kSaslResponse:
      return on_sasl_response(frame.body, out);
    case State::kPassword:
      return on_password(frame.body, out);
    case State::kToken:
      return on_token(frame.body, out);
    case State::kMd5Password:
      return on_md5_password(frame.body, out);
    default:
      return make_error(pst::kInternal, "frame in a login state without input");
  }
}

ClientLogin::Outcome ClientLogin::on_startup(const Frame& frame, ByteView behind, Bytes& out) {
  POSTERN_ASSIGN(const StartupPacket packet, decode_startup(frame.body));
  if (std::holds_alternative<SslRequest>(packet)) return on_ssl_request(behind, out);
  if (std::holds_alternative<GssEncRequest>(packet)) return on_gss_request(behind, out);
  if (const auto* cancel = std::get_if<CancelRequest>(&packet)) {
    cancel_ = {cancel->pid, Secret(Bytes(cancel->key))};
    state_ = State::kDone;
    return std::optional(Kind::kCancel);
  }
  return on_session(std::get<StartupMessage>(packet), out);
}

// Bytes already here when encryption is asked for were sent in the clear, perhaps by someone in
// the middle, and would be taken for the client's once TLS is up (CVE-2021-23214, CVE-2021-3935).
// PostgreSQL refuses them after 'N' as well.
ClientLogin::Outcome ClientLogin::on_ssl_request(ByteView behind, Bytes& out) {
  if (ssl_asked_ || encrypted_) return repeated_request();
  if (!behind.empty()) return stuffed();
  ssl_asked_ = true;
  if (options_.tls == TlsPolicy::kRefuse) {
    out.push_back('N');
    return kGoOn;
  }
  out.push_back('S');
  state_ = State::kTlsHandshake;
  return std::optional(Kind::kUpgradeTls);
}

ClientLogin::Outcome ClientLogin::on_gss_request(ByteView behind, Bytes& out) {
  if (gss_asked_ || encrypted_) return repeated_request();
  if (!behind.empty()) return stuffed();
  gss_asked_ = true;
  out.push_back('N');
  return kGoOn;
}

ClientLogin::Outcome ClientLogin::on_session(const StartupMessage& message, Bytes& out) {
  if (options_.tls == TlsPolicy::kRequire && !encrypted_) return make_error(pst::kTlsRequired);
  POSTERN_ASSIGN(Session session, read_session(message));
  request_ = std::move(session.request);
  framer_.set_phase(Phase::kAuthenticating);
  // Once, and before anything else: this function runs once per session.
  if (protocol_minor(message.version) != request_.minor || !session.unknown_options.empty()) {
    const NegotiateProtocolVersion reply{protocol_version(3, request_.minor),
                                         std::move(session.unknown_options)};
    POSTERN_TRY(reply.encode(out));
  }
  state_ = State::kAwaitAnswer;
  return kGoOn;
}

ClientLogin::Outcome ClientLogin::on_answer(Bytes& out) {
  POSTERN_CHECK(answer_.has_value());
  UserAnswer answer = std::move(*answer_);
  answer_.reset();
  if (auto* reject = std::get_if<RejectUser>(&answer)) return std::move(reject->error);
  if (std::holds_alternative<TrustUser>(answer)) return admit(out);
  if (auto* password = std::get_if<PasswordUser>(&answer)) {
    return start_password(std::move(password->stored), out);
  }
  if (auto* token = std::get_if<TokenUser>(&answer)) return start_token(std::move(*token), out);
  if (auto* md5 = std::get_if<Md5User>(&answer)) return start_md5(std::move(md5->hash), out);
  if (auto* known = std::get_if<KnownUser>(&answer)) {
    return start_scram(ScramServer::Credential::kReal, std::move(known->secret), out);
  }
  POSTERN_ASSIGN(ScramSecret secret, mock());
  return start_scram(ScramServer::Credential::kMock, std::move(secret), out);
}

Result<ScramSecret> ClientLogin::mock() const {
  return mock_scram_secret(*options_.primitives, options_.mock_key, request_.user,
                           options_.mock_iterations);
}

ClientLogin::Outcome ClientLogin::admit(Bytes& out) {
  POSTERN_TRY(Authentication{}.encode(out));
  state_ = State::kDone;
  return std::optional(Kind::kAuthenticated);
}

ClientLogin::Outcome ClientLogin::start_password(StoredPassword stored, Bytes& out) {
  if (!encrypted_) return make_error(pst::kPasswordNeedsTls);
  stored_ = std::move(stored);
  POSTERN_TRY((Authentication{AuthKind::kCleartextPassword, {}, {}}.encode(out)));
  state_ = State::kPassword;
  return kGoOn;
}

ClientLogin::Outcome ClientLogin::start_token(TokenUser user, Bytes& out) {
  if (!encrypted_ && !options_.local) return make_error(pst::kTokenNeedsTls);
  token_ = std::move(user);
  POSTERN_TRY((Authentication{AuthKind::kCleartextPassword, {}, {}}.encode(out)));
  state_ = State::kToken;
  return kGoOn;
}

// It is no secret of the login's own: nothing of it goes to servers.
ClientLogin::Outcome ClientLogin::on_token(ByteView body, Bytes& out) {
  POSTERN_ASSIGN(const PasswordMessage message, PasswordMessage::decode(body));
  POSTERN_TRY(token_.verify(message.password));
  return admit(out);
}

// Who reads along may guess the password at leisure: hardly better than in clear.
ClientLogin::Outcome ClientLogin::start_md5(Secret hash, Bytes& out) {
  if (!encrypted_) return make_error(pst::kMd5NeedsTls);
  stored_.md5 = std::move(hash);
  md5_salt_.assign(kMd5SaltBytes, '\0');
  if (!options_.primitives->random_bytes(md5_salt_.data(), md5_salt_.size())) {
    return make_error(pst::kCryptoFailed);
  }
  POSTERN_TRY((Authentication{AuthKind::kMd5Password, md5_salt_, {}}.encode(out)));
  state_ = State::kMd5Password;
  return kGoOn;
}

// A login without secret runs the same derivation, so that it takes the same time.
Result<bool> ClientLogin::fits(ByteView password) const {
  if (stored_.scram) return password_fits(*options_.primitives, password, *stored_.scram);
  if (!stored_.md5.empty()) {
    POSTERN_ASSIGN(const Secret hash, md5_hash(options_.md5, password, request_.user));
    return equal_constant_time(hash.reveal(), stored_.md5.reveal());
  }
  POSTERN_ASSIGN(const ScramSecret secret, mock());
  POSTERN_TRY(password_fits(*options_.primitives, password, secret));
  return false;
}

ClientLogin::Outcome ClientLogin::on_password(ByteView body, Bytes& out) {
  POSTERN_ASSIGN(const PasswordMessage message, PasswordMessage::decode(body));
  POSTERN_ASSIGN(const bool good, fits(message.password));
  // An empty password never fits, whatever is stored (auth.c, recv_password_packet).
  if (!good || message.password.empty()) return login_failure(make_error(pst::kAuthFailed));
  proof_.password = Secret(Bytes(message.password));
  return admit(out);
}

ClientLogin::Outcome ClientLogin::on_md5_password(ByteView body, Bytes& out) {
  POSTERN_ASSIGN(const PasswordMessage message, PasswordMessage::decode(body));
  bool good = false;
  if (!stored_.md5.empty()) {
    POSTERN_ASSIGN(const Secret expected,
                   md5_answer(options_.md5, stored_.md5.reveal(), md5_salt_));
    good = equal_constant_time(expected.reveal(), message.password);
  }
  if (!good) return login_failure(make_error(pst::kAuthFailed));
  return admit(out);
}

ClientLogin::Outcome ClientLogin::start_scram(ScramServer::Credential credential,
                                              ScramSecret secret, Bytes& out) {
  POSTERN_ASSIGN(Bytes nonce, make_scram_nonce(*options_.primitives));
  scram_.emplace(ScramServer::Options{options_.primitives, std::move(secret), credential,
                                      std::move(nonce), channel_binding_});
  Authentication request{AuthKind::kSasl, {}, {}};
  if (!channel_binding_.empty()) request.mechanisms.push_back(kScramSha256Plus);
  request.mechanisms.push_back(kScramSha256);
  POSTERN_TRY(request.encode(out));
  state_ = State::kSaslInitial;
  return kGoOn;
}

ClientLogin::Outcome ClientLogin::on_sasl_initial(ByteView body, Bytes& out) {
  POSTERN_ASSIGN(const SaslInitialResponse message, SaslInitialResponse::decode(body));
  if (!message.response) return make_error(pst::kSaslMalformed, "no initial response");
  POSTERN_CHECK(scram_.has_value());
  Result<Bytes> reply = scram_->first(message.mechanism, *message.response);
  if (!reply) return login_failure(std::move(reply).error());
  POSTERN_TRY((Authentication{AuthKind::kSaslContinue, *reply, {}}.encode(out)));
  state_ = State::kSaslResponse;
  return kGoOn;
}

ClientLogin::Outcome ClientLogin::on_sasl_response(ByteView body, Bytes& out) {
  POSTERN_CHECK(scram_.has_value());
  Result<Bytes> reply = scram_->final(body);
  if (!reply) return login_failure(std::move(reply).error());
  POSTERN_TRY((Authentication{AuthKind::kSaslFinal, *reply, {}}.encode(out)));
  proof_.scram = scram_->take_pass();
  scram_.reset();
  return admit(out);
}

// Unknown users and wrong passwords must look the same (and not as SCRAM's own "e=" form, which
// drivers mishandle). The words are PostgreSQL's: programs look for them.
Error ClientLogin::login_failure(Error error) const {
  if (error.code == pst::kAuthFailed) error.what = " for user \"" + request_.user + "\"";
  return error;
}

}  // namespace postern::protocol
