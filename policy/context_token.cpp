#include "policy/context_token.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "base/codes/wall.hpp"

namespace postern::policy {
namespace {

bool is_lower_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

Error bad(std::string what) {
  return make_error(pst::kBadContext, std::move(what));
}

Status check_roles(const std::vector<std::string>& roles) {
  if (roles.size() > kMaxContextRoles) return bad("more than 64 roles");
  for (const std::string& role : roles) {
    if (role.empty() || role.size() > kMaxContextRoleBytes || !is_utf8(role)) {
      return bad("a role is 1 to 63 bytes of UTF-8");
    }
  }
  return ok();
}

Status check(const ContextFields& f) {
  if (f.database == kInvalidOid) return bad("no database oid");
  if (f.kid.size() < kMinKidDigits || f.kid.size() > kMaxKidDigits || !is_lower_hex(f.kid)) {
    return bad("a key id is 8 to 32 lower-case hexadecimal digits");
  }
  if (f.subject.size() > kMaxSubjectBytes || !is_utf8(f.subject)) {
    return bad("a subject is at most 255 bytes of UTF-8");
  }
  // A NUL cannot be a character of PostgreSQL's text, so such a context could never be read back.
  if (f.subject.find('\0') != std::string::npos) return bad("a subject holds no NUL");
  if (f.backend_pid <= 0) return bad("no backend process id");
  if (f.backend_start_us <= 0 || f.expiry_us <= 0) return bad("a time is not positive");
  return check_roles(f.roles);
}

}  // namespace

Result<std::string> build_context(const ContextFields& fields) {
  POSTERN_TRY(check(fields));
  std::string roles;
  for (const std::string& role : fields.roles) {
    if (!roles.empty()) roles.push_back(',');
    roles += to_hex(role);
  }
  const std::string tenant = fields.tenant.is_none() ? "" : to_hex(fields.tenant.text());
  std::string out(kContextVersion);
  for (const std::string& field :
       {std::to_string(fields.database), fields.kid, tenant, to_hex(fields.subject), roles,
        std::to_string(fields.backend_pid), std::to_string(fields.backend_start_us),
        std::to_string(fields.expiry_us)}) {
    out.push_back('.');
    out += field;
  }
  return out;
}

Result<std::string> attach_mac(std::string_view message, std::string_view mac_hex) {
  if (mac_hex.size() != kMacHexDigits || !is_lower_hex(mac_hex)) {
    return bad("a MAC is 64 lower-case hexadecimal digits");
  }
  const auto dots = static_cast<std::size_t>(std::count(message.begin(), message.end(), '.'));
  if (dots + 2 != kContextFieldCount) return bad("not a message of build_context");
  return std::string(message) + "." + std::string(mac_hex);
}

bool past_half_life(std::int64_t issued_us, std::int64_t expiry_us, std::int64_t now_us) {
  if (now_us < issued_us || expiry_us <= issued_us) return true;
  // Unsigned: the distance of two far times does not fit int64.
  const auto since = [issued_us](std::int64_t time) {
    return static_cast<std::uint64_t>(time) - static_cast<std::uint64_t>(issued_us);
  };
  return since(now_us) >= since(expiry_us) / 2;
}

}  // namespace postern::policy
