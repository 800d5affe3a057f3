// postern audit pubkey: the key to hand to auditors.
#include "app/audit_task.hpp"
#include "app/printable.hpp"
#include "base/codes/tools.hpp"
#include "crypto/init.hpp"

namespace postern::app {
namespace {

constexpr Flag kFlags[] = {kConfigFlag, kJsonFlag};

Exit run(const Arguments& arguments) {
  config::Config config;
  const Exit loaded = load_config(arguments, "audit pubkey", config);
  if (loaded != Exit::kGood) return loaded;
  if (!config.audit) return fail(make_error(pst::kSectionNeeded, "[audit]"));
  if (const Status ready = crypto::init(); !ready) return fail(ready.error());
  const auto key = read_log_key(log_key_file(*config.audit));
  if (!key) return fail(key.error());
  if (arguments.has("--json")) {
    print_json({{"origin", key->name}, {"key", key->text()}});
  } else {
    print_line(key->text());
  }
  return Exit::kGood;
}

}  // namespace

extern const Command kAuditPubkeyCommand;
const Command kAuditPubkeyCommand{
    "audit pubkey",
    "",
    0,
    "print the public key that verifies the access log",
    "Hand it to auditors before it is needed; serve makes the key at its first start.",
    kFlags,
    run,
};

}  // namespace postern::app
