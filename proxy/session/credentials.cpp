#include "proxy/session/credentials.hpp"

#include <utility>

#include "base/codes/auth.hpp"
#include "base/codes/session.hpp"
#include "proxy/session/audit_record.hpp"
#include "proxy/session/tenant_role.hpp"

namespace postern::proxy {
namespace {

using config::RuleMethod;
using protocol::StoredPassword;
using protocol::UserAnswer;

LoginAttempt attempt_of(Session* session, const protocol::LoginRequest& request) {
  LoginAttempt attempt;
  attempt.user = request.user;
  attempt.database = request.database;
  attempt.replication = request.replication;
  attempt.address = config::address_of_peer(session->identity.address);
  const TlsEngine* tls = session->client.tls();
  attempt.encrypted = tls != nullptr;
  if (tls != nullptr) attempt.certificate = tls->peer_certificate();
  return attempt;
}

UserAnswer scram_answer(StoredPassword stored) {
  if (!stored.scram) return protocol::UnknownUser{};
  return protocol::KnownUser{std::move(*stored.scram)};
}

// As in PostgreSQL, md5 becomes SCRAM where only a SCRAM verifier is known (hba.c, "md5").
UserAnswer answer_for(RuleMethod method, StoredPassword stored) {
  if (method == RuleMethod::kPassword) return protocol::PasswordUser{std::move(stored)};
  const bool by_md5 = method == RuleMethod::kMd5 && (!stored.md5.empty() || !stored.scram);
  if (by_md5) return protocol::Md5User{std::move(stored.md5)};
  return scram_answer(std::move(stored));
}

StoredPassword copy_of(const StoredPassword& stored) {
  return {stored.scram, stored.md5.clone()};
}

// The users file knows it, else [auth.query] does, else nobody: an exchange that fails at its end.
Task<Result<StoredPassword>> find_secret(Session* session, std::string login) {
  std::optional<StoredPassword> listed = session->runtime().users.stored(login);
  if (listed) co_return std::move(*listed);
  AuthQuery* query = session->runtime().auth->query.get();
  if (query == nullptr) co_return StoredPassword();
  const Result<FoundSecret> found = co_await query->lookup(session->worker(), std::move(login));
  if (!found) co_return found.error();
  co_return copy_of(**found);
}

// The token is the login's only proof: it has to be for this login.
Status admit_token(Session* session, const std::string& login, ByteView text) {
  POSTERN_ASSIGN(TokenIdentity token, verify_token(session, text));
  const auto verifier = session->runtime().auth->identity.load()->tokens;
  const bool named = verifier != nullptr && !verifier->options().login_claim.empty();
  if (named && token.login != login) return make_error(pst::kTokenLogin);
  session->identity.token = std::make_shared<const TokenIdentity>(std::move(token));
  return ok();
}

UserAnswer token_answer(Session* session, std::string login) {
  protocol::TokenUser user;
  user.verify = [session, login = std::move(login)](ByteView text) {
    return admit_token(session, login, text);
  };
  return user;
}

bool is_bad_token(Pst code) {
  return code == pst::kTokenMalformed || code == pst::kTokenAlgorithm ||
         code == pst::kTokenKeyUnknown || code == pst::kTokenSignature ||
         code == pst::kTokenIssuer || code == pst::kTokenLogin;
}

bool is_guess(Pst code) {
  if (is_bad_token(code)) return true;
  return code == pst::kAuthFailed || code == pst::kSaslMalformed || code == pst::kNoAuthRule ||
         code == pst::kRejectedByRule || code == pst::kCertificateRefused;
}

}  // namespace

Task<UserAnswer> answer_login(Session* session, const protocol::LoginRequest* request) {
  const Result<Admission> admission =
      session->runtime().auth->rules.load()->admit(attempt_of(session, *request));
  if (!admission) co_return protocol::RejectUser{admission.error()};
  // What a balancer announces is its word: not enough to ask for no proof at all.
  const bool announced = session->identity.address != session->client.peer();
  if (admission->method == RuleMethod::kTrust && announced) {
    co_return protocol::RejectUser{make_error(pst::kRejectedByRule, "trust through a balancer")};
  }
  session->identity.method = method_name(admission->method);
  session->identity.rule_replication = admission->for_replication;
  if (admission->method == RuleMethod::kTrust || admission->method == RuleMethod::kCert) {
    co_return protocol::TrustUser{};
  }
  std::string login = request->user;
  if (admission->method == RuleMethod::kJwt) co_return token_answer(session, std::move(login));
  Result<StoredPassword> stored = co_await find_secret(session, std::move(login));
  if (!stored) co_return protocol::RejectUser{stored.error()};
  co_return answer_for(admission->method, std::move(*stored));
}

Result<TokenIdentity> verify_token(Session* session, std::string_view token) {
  const bool safe = session->client.tls() != nullptr || session->client.peer().starts_with("unix");
  if (!safe) return make_error(pst::kTokenNeedsTls);
  const auto verifier = session->runtime().auth->identity.load()->tokens;
  if (verifier == nullptr) return make_error(pst::kSourceDisabled, "jwt");
  return verifier->verify(token, now_us());
}

Status check_failures(Session* session) {
  const auto address = config::address_of_peer(session->identity.address);
  if (!address) return ok();
  if (!session->runtime().auth->failures.blocks(*address, SteadyClock::now())) return ok();
  return make_error(pst::kTooManyFailures);
}

void note_failure(Session* session, const std::string& login, const Error& error) {
  if (!is_guess(error.code)) return;
  const auto address = config::address_of_peer(session->identity.address);
  AuthServices& auth = *session->runtime().auth;
  if (address) auth.failures.note(*address, SteadyClock::now());
  // The secret may have changed since it was looked up.
  if (error.code == pst::kAuthFailed && auth.query != nullptr) auth.query->forget(login);
}

void keep_proof(Session* session, protocol::LoginProof proof) {
  if (!proof.scram && proof.password.empty()) return;
  auto kept = std::make_shared<const protocol::LoginProof>(std::move(proof));
  session->runtime().auth->proofs.keep(session->identity.login, kept);
  session->identity.proof = std::move(kept);
}

void give_credentials(Session* session, UpstreamTarget* target) {
  const Identity& who = session->identity;
  const config::DatabaseOptions& database = session->database->options();
  target->user = who.upstream_user;
  if (who.upstream_user == database.user && !database.password.empty()) {
    target->password = std::make_shared<const Secret>(database.password.clone());
    return;
  }
  target->password = tenant_role_password(session->config(), who.upstream_user);
  if (target->password == nullptr) {
    target->password = session->runtime().users.password(who.upstream_user);
  }
  // Who was let in without proof gets nothing that others proved.
  if (target->password != nullptr || who.upstream_user != who.login || who.proof == nullptr) return;
  target->proof = session->runtime().auth->proofs.find(who.login);
  if (target->proof == nullptr) target->proof = who.proof;
}

void note_refused_credentials(Session* session, const Error& error) {
  AuthQuery* query = session->runtime().auth->query.get();
  const bool secret_changed =
      error.code == pst::kUpstreamSecretDiffers || error.code == pst::kUpstreamLoginFailed;
  if (query != nullptr && secret_changed) query->forget(session->identity.login);
}

}  // namespace postern::proxy
