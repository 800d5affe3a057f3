// postern keys init: creates the key files a configuration names, where they are absent.
#include <unistd.h>

#include "app/keys_task.hpp"
#include "app/printable.hpp"
#include "base/codes/tools.hpp"
#include "config/guard_key.hpp"
#include "crypto/init.hpp"

namespace postern::app {
namespace {

constexpr Flag kFlags[] = {kConfigFlag, kJsonFlag};

struct KeyFileState {
  std::string what;
  std::string path;
  bool created = false;
};
using States = std::vector<KeyFileState>;

bool exists(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

/// A new root key for an existing store would open nothing.
Status make_root_key(const config::KeysOptions& keys, States& states) {
  if (keys.kek_file.empty()) return ok();  // a passphrase is its owner's to choose
  const std::string& path = keys.kek_file.path;
  const bool needed = !exists(path) && !exists(keys.file.path);
  if (needed) POSTERN_TRY(crypto::create_root_key_file(path));
  states.push_back({"root key", path, needed});
  return ok();
}

Status make_key_store(const config::KeysOptions& keys, States& states) {
  const bool needed = !exists(keys.file.path);
  const auto options = key_store_options(keys);
  const auto store =
      needed ? crypto::KeyStore::create(options, now_seconds()) : crypto::KeyStore::open(options);
  if (!store) return store.error();
  states.push_back({"key store", keys.file.path, needed});
  return ok();
}

Status make_guard_key(const config::TenantOptions& tenant, States& states) {
  const std::string& path = tenant.guard_key_file.path;
  const bool needed = !exists(path);
  if (needed) POSTERN_TRY(config::create_guard_key(path));
  POSTERN_ASSIGN(const Secret key, config::load_guard_key(path));
  states.push_back({"guard key " + config::guard_kid(key.reveal()), path, needed});
  return ok();
}

Status make_all(const config::Config& config, States& states) {
  POSTERN_TRY(crypto::init());
  const bool guard = config.tenant && !config.tenant->guard_key_file.empty();
  if (!config.keys && !guard) {
    return make_error(pst::kSectionNeeded, "[keys], or [tenant] with guard_key_file");
  }
  if (config.keys) {
    POSTERN_TRY(make_root_key(*config.keys, states));
    POSTERN_TRY(make_key_store(*config.keys, states));
  }
  if (guard) POSTERN_TRY(make_guard_key(*config.tenant, states));
  return ok();
}

void print_states(const States& states, bool json) {
  nlohmann::ordered_json out = nlohmann::ordered_json::array();
  TextTable table({"KEY", "STATE", "FILE"});
  for (const KeyFileState& state : states) {
    const char* word = state.created ? "created" : "present";
    out.push_back({{"key", state.what}, {"state", word}, {"file", state.path}});
    table.add({state.what, word, state.path});
  }
  if (json) return print_json(out);
  table.print();
  print_line(
      "Keep copies of these files apart from the database's backups: without them every\n"
      "encrypted value is lost.");
}

Exit run(const Arguments& arguments) {
  config::Config config;
  const Exit loaded = load_config(arguments, "keys init", config);
  if (loaded != Exit::kGood) return loaded;
  States states;
  const Status made = make_all(config, states);
  if (!made) return fail(made.error(), Exit::kEnvironment);
  print_states(states, arguments.has("--json"));
  return Exit::kGood;
}

}  // namespace

extern const Command kKeysInitCommand;
const Command kKeysInitCommand{
    "keys init",
    "",
    0,
    "create the root key, the key store and the guard key, where absent",
    "What is present is opened and checked, never changed.",
    kFlags,
    run,
};

}  // namespace postern::app
