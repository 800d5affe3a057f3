#include "proxy/identity/certificate_map.hpp"

#include <utility>

#include "base/codes/config.hpp"

namespace postern::proxy {
namespace {

std::vector<std::string> names_of(const PeerCertificate& certificate,
                                  config::CertificateField field) {
  switch (field) {
    case config::CertificateField::kUri:
      return certificate.uris;
    case config::CertificateField::kDns:
      return certificate.dns;
    case config::CertificateField::kEmail:
      return certificate.emails;
    case config::CertificateField::kCn:
      return {certificate.cn};
    case config::CertificateField::kDn:
      return {certificate.dn};
  }
  return {};
}

// \1 to \9 become what the groups matched. What the groups hold is not looked at again.
std::string fill(const std::string& pattern, const std::smatch& groups) {
  std::string out;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const bool group = pattern[i] == '\\' && i + 1 < pattern.size() && pattern[i + 1] >= '1' &&
                       pattern[i + 1] <= '9';
    if (!group) {
      out.push_back(pattern[i]);
      continue;
    }
    const auto number = static_cast<std::size_t>(pattern[++i] - '0');
    if (number < groups.size()) out += groups[number].str();
  }
  return out;
}

}  // namespace

Status IdentityMaps::open(const std::vector<config::IdentityMapEntry>& entries) {
  for (const config::IdentityMapEntry& written : entries) {
    Entry entry{written, std::nullopt};
    if (written.match.starts_with('/')) {
      try {
        entry.regex.emplace(written.match.substr(1));
      } catch (const std::regex_error&) {
        return make_error(pst::kConfigBadValue, "identity.map match");
      }
    }
    entries_.push_back(std::move(entry));
  }
  return ok();
}

std::optional<CertificateIdentity> IdentityMaps::apply(const Entry& entry,
                                                       const std::string& name) {
  if (name.empty() || name.size() > kMaxName) return std::nullopt;
  if (!entry.regex) {
    if (entry.written.match != name) return std::nullopt;
    return CertificateIdentity{entry.written.tenant, entry.written.subject};
  }
  std::smatch groups;
  try {
    if (!std::regex_match(name, groups, *entry.regex)) return std::nullopt;
  } catch (const std::regex_error&) {
    return std::nullopt;  // too complex to decide
  }
  return CertificateIdentity{fill(entry.written.tenant, groups),
                             fill(entry.written.subject, groups)};
}

std::optional<CertificateIdentity> IdentityMaps::find(const PeerCertificate& certificate) const {
  for (const Entry& entry : entries_) {
    for (const std::string& name : names_of(certificate, entry.written.field)) {
      if (auto found = apply(entry, name)) return found;
    }
  }
  return std::nullopt;
}

}  // namespace postern::proxy
