#include "proxy/identity/sources.hpp"

#include <algorithm>
#include <utility>

#include "base/codes/session.hpp"

namespace postern::proxy {
namespace {

using Source = config::IdentitySource;

bool enabled(std::span<const Source> sources, Source source) {
  return std::find(sources.begin(), sources.end(), source) != sources.end();
}

// By the users file; strangers are bound by their proofs alone.
bool permitted(const Evidence& evidence, const TenantId& tenant, bool proven) {
  const config::UserOptions& user = *evidence.user;
  if (!user.tenant.is_none()) return user.tenant == tenant;
  if (!user.tenants.empty()) return user.tenants.permits(tenant);
  return proven && !evidence.listed;
}

class Resolver {
 public:
  explicit Resolver(const Evidence& evidence) : evidence_(evidence) {}

  Status take(Source source) {
    switch (source) {
      case Source::kLogin:
        return take_tenant(evidence_.user->tenant, source);
      case Source::kCertificate:
        return take_certificate();
      case Source::kJwt:
        return take_token();
      case Source::kStartup:
        return take_wishes();
      case Source::kSet:
        out_.rights.by_set = evidence_.user->trusted;
        return ok();
      case Source::kComment:
        out_.rights.by_comment = evidence_.user->trusted;
        return ok();
    }
    return ok();
  }
  Resolved finish() {
    out_.rights.tenants = evidence_.user->tenants;
    return std::move(out_);
  }

 private:
  Status take_tenant(const TenantId& tenant, Source source) {
    if (tenant.is_none()) return ok();
    const bool wish = source == Source::kStartup;
    ActsFor& who = out_.acts_for;
    const bool differs = !who.tenant.is_none() && who.tenant != tenant;
    if (!permitted(evidence_, tenant, !wish) || (differs && wish)) {
      return make_error(pst::kTenantNotAllowed, "this login may not act for the tenant asked for");
    }
    if (differs) return make_error(pst::kIdentityDisagrees);
    who.tenant = tenant;
    if (!wish) out_.rights.tenant_bound = true;
    return ok();
  }

  Status take_named_tenant(const std::string& text, Source source) {
    if (text.empty()) return ok();
    POSTERN_ASSIGN(const TenantId tenant, TenantId::parse(text));
    return take_tenant(tenant, source);
  }

  Status take_subject(const std::string& subject, bool proven) {
    if (subject.empty()) return ok();
    POSTERN_TRY(check_claim(subject));
    std::string& now = out_.acts_for.subject;
    if (!now.empty() && now != subject) return make_error(pst::kIdentityDisagrees, "subject");
    now = subject;
    if (proven) out_.rights.subject_bound = true;
    return ok();
  }

  // The earliest end counts.
  void take_end(std::int64_t until_us) {
    if (until_us == 0) return;
    std::int64_t& now = out_.valid_until_us;
    now = now == 0 ? until_us : std::min(now, until_us);
  }

  Status take_certificate() {
    if (!evidence_.certificate) return ok();
    take_end(evidence_.certificate_until_us);
    POSTERN_TRY(take_named_tenant(evidence_.certificate->tenant, Source::kCertificate));
    return take_subject(evidence_.certificate->subject, true);
  }

  Status take_token() {
    const TokenIdentity* token = evidence_.token;
    if (token == nullptr) return ok();
    take_end(token->valid_until_us);
    out_.roles = token->roles;
    POSTERN_TRY(take_named_tenant(token->tenant, Source::kJwt));
    POSTERN_TRY(take_subject(token->subject, true));
    POSTERN_TRY(check_claim(token->purpose));
    if (out_.acts_for.purpose.empty()) out_.acts_for.purpose = token->purpose;
    return ok();
  }

  Status take_wishes() {
    POSTERN_TRY(take_named_tenant(evidence_.asked_tenant, Source::kStartup));
    const bool more = !evidence_.asked_subject.empty() || !evidence_.asked_purpose.empty();
    if (more && !evidence_.user->trusted) return make_error(pst::kClaimNotTrusted);
    POSTERN_TRY(take_subject(evidence_.asked_subject, false));
    POSTERN_TRY(check_claim(evidence_.asked_purpose));
    if (!evidence_.asked_purpose.empty()) out_.acts_for.purpose = evidence_.asked_purpose;
    return ok();
  }

  const Evidence& evidence_;
  Resolved out_;
};

}  // namespace

Result<Resolved> resolve_identity(std::span<const Source> sources, const Evidence& evidence) {
  const bool wishes = !evidence.asked_tenant.empty() || !evidence.asked_subject.empty() ||
                      !evidence.asked_purpose.empty();
  if (wishes && !enabled(sources, Source::kStartup)) {
    return make_error(pst::kSourceDisabled, "startup");
  }
  if (evidence.token != nullptr && !enabled(sources, Source::kJwt)) {
    return make_error(pst::kSourceDisabled, "jwt");
  }
  Resolver resolver(evidence);
  for (const Source source : sources) POSTERN_TRY(resolver.take(source));
  return resolver.finish();
}

}  // namespace postern::proxy
