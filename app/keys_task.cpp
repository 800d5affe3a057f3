#include "app/keys_task.hpp"

#include <algorithm>
#include <array>
#include <ctime>

#include "base/codes/tools.hpp"
#include "crypto/init.hpp"

namespace postern::app {

crypto::KeyStore::Options key_store_options(const config::KeysOptions& keys) {
  crypto::KeyStore::Options out;
  out.path = keys.file.path;
  const bool passphrase = keys.kek_file.empty();
  out.root.kind = passphrase ? crypto::RootKeySource::Kind::kPassphraseFile
                             : crypto::RootKeySource::Kind::kKeyFile;
  out.root.path = passphrase ? keys.passphrase_file.path : keys.kek_file.path;
  return out;
}

std::int64_t now_seconds() {
  return static_cast<std::int64_t>(std::time(nullptr));
}

std::string utc_text(std::int64_t seconds) {
  constexpr std::int64_t kYear9999 = 253'402'300'799;
  const std::time_t clamped = std::clamp<std::int64_t>(seconds, 0, kYear9999);
  std::tm parts{};
  gmtime_r(&clamped, &parts);
  std::array<char, 32> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text.data(), size};
}

Result<crypto::KeyStore> open_key_store(const config::Config& config) {
  if (!config.keys) return make_error(pst::kSectionNeeded, "[keys]");
  POSTERN_TRY(crypto::init());
  return crypto::KeyStore::open(key_store_options(*config.keys));
}

}  // namespace postern::app
