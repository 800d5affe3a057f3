// postern keys tenant list: who has keys, never the keys.
#include <array>

#include "app/keys_task.hpp"
#include "app/printable.hpp"

namespace postern::app {
namespace {

constexpr Flag kFlags[] = {kConfigFlag, kJsonFlag};

std::string hex_id(crypto::KeyId id) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%08x", static_cast<unsigned>(id));
  return text.data();
}

const char* word(crypto::KeyPurpose purpose) {
  return purpose == crypto::KeyPurpose::kDeterministic ? "deterministic" : "randomized";
}

const char* word(crypto::KeyInfo::State state) {
  switch (state) {
    case crypto::KeyInfo::State::kCurrent:
      return "current";
    case crypto::KeyInfo::State::kOld:
      return "old";
    case crypto::KeyInfo::State::kShredded:
      return "shredded";
  }
  return "?";
}

void print_text(const std::vector<crypto::TenantInfo>& tenants) {
  TextTable table({"TENANT", "STATE", "CREATED", "KEYS"});
  for (const crypto::TenantInfo& tenant : tenants) {
    std::vector<std::string> keys;
    for (const crypto::KeyInfo& key : tenant.keys) {
      keys.push_back(hex_id(key.id) + " " + word(key.purpose) +
                     (key.state == crypto::KeyInfo::State::kCurrent
                          ? std::string()
                          : std::string(" (") + word(key.state) + ")"));
    }
    const bool global = tenant.tenant.is_none();
    table.add({global ? "- (global scope)" : tenant.tenant.text(),
               tenant.shredded ? "shredded" : "active", utc_text(tenant.created), joined(keys)});
  }
  table.print();
}

nlohmann::ordered_json as_json(const std::vector<crypto::TenantInfo>& tenants) {
  nlohmann::ordered_json out = nlohmann::ordered_json::array();
  for (const crypto::TenantInfo& tenant : tenants) {
    nlohmann::ordered_json keys = nlohmann::ordered_json::array();
    for (const crypto::KeyInfo& key : tenant.keys) {
      keys.push_back({{"id", hex_id(key.id)},
                      {"purpose", word(key.purpose)},
                      {"state", word(key.state)},
                      {"created", utc_text(key.created)}});
    }
    out.push_back({{"tenant", tenant.tenant.text()},
                   {"state", tenant.shredded ? "shredded" : "active"},
                   {"created", utc_text(tenant.created)},
                   {"keys", std::move(keys)}});
  }
  return out;
}

Exit run(const Arguments& arguments) {
  config::Config config;
  const Exit loaded = load_config(arguments, "keys tenant list", config);
  if (loaded != Exit::kGood) return loaded;
  const auto store = open_key_store(config);
  if (!store) return fail(store.error());
  if (arguments.has("--json")) {
    print_json(as_json(store->list()));
  } else {
    print_text(store->list());
  }
  return Exit::kGood;
}

}  // namespace

extern const Command kKeysTenantListCommand;
const Command kKeysTenantListCommand{
    "keys tenant list",
    "",
    0,
    "list tenants and their keys' ids, states and ages",
    "\"-\" is the scope of columns with key_scope = \"global\". Key material is never shown.",
    kFlags,
    run,
};

}  // namespace postern::app
