// A configuration of arbitrary text: the TOML tree, the key table, and what is checked across keys.
// In memory; includes and the users file are not followed.
#include "config/key.hpp"
#include "config/reader.hpp"
#include "config/validate.hpp"
#include "tests/fuzz/support.hpp"

using namespace postern;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto root = config::parse_toml(fuzz::view(data, size), "fuzz.toml");
  if (!root) return 0;
  config::Config config;
  config.file = "fuzz.toml";
  std::vector<Error> errors;
  const config::Environment environment = [](const std::string& name) {
    return name == "KNOWN" ? std::optional<std::string>("value") : std::nullopt;
  };
  config::Reader reader(config.origins, errors, environment);
  reader.read_file(*root, config::keys_of(config), "fuzz.toml");
  (void)reader.take_includes();
  reader.check_required();
  if (errors.empty()) errors = config::validate(config);
  if (errors.empty()) (void)config::startup_warnings(config);
  for (const Error& error : errors) POSTERN_CHECK(!error.what.empty());
  return 0;
}
