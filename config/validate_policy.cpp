// Rules of [policy]: what no configuration can free from the gate, and what a mode needs.
#include <algorithm>

#include "config/findings.hpp"
#include "config/key.hpp"
#include "policy/ruleset.hpp"

namespace postern::config {
namespace {

void validate_permits(Findings& findings, const std::string& path,
                      const std::vector<std::string>& functions,
                      const std::vector<std::string>& settings) {
  for (const std::string& name : functions) {
    const std::string why = policy::why_never_function(name);
    if (why.empty()) continue;
    findings.add(pst::kConfigBadValue, path + ".allow_functions",
                 "\"" + name + "\" cannot be allowed: " + why);
  }
  for (const std::string& name : settings) {
    const std::string why = policy::why_never_setting(name);
    if (why.empty()) continue;
    findings.add(pst::kConfigBadValue, path + ".allow_settings",
                 "\"" + name + "\" cannot be allowed: " + why);
  }
}

}  // namespace

void validate_policy(Findings& findings) {
  const PolicyOptions& options = findings.config().policy;
  validate_permits(findings, "policy", options.allow_functions, options.allow_settings);
  for (const auto& [name, profile] : options.profile) {
    const std::string path = "policy.profile." + name;
    const auto names = profile_names().subspan(1);
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      findings.add(pst::kConfigBadValue, path, "there is no profile \"" + name + "\"");
    }
    validate_permits(findings, path, profile.allow_functions, profile.allow_settings);
  }
  if (options.mode == PolicyMode::kPinned && options.pins_file.empty()) {
    findings.missing("policy.pins_file", "mode \"pinned\" lets pass what stands there");
  }
}

}  // namespace postern::config
