// postern serve: the proxy itself.
#include <cstdio>
#include <memory>
#include <string>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "app/command.hpp"
#include "config/load.hpp"
#include "proxy/server.hpp"
#include "proxy/sinks/log.hpp"

namespace postern::app {
namespace {

constexpr Flag kFlags[] = {kConfigFlag};

// Memory holds keys and plaintext: no core file, and no reading by a debugger of the same user.
void forbid_dumps() {
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  prctl(PR_SET_DUMPABLE, 0);
}

// Every client may need two descriptors; take what the system allows.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

Exit run(const Arguments& arguments) {
  auto loaded = config::load(arguments.value("--config", "postern.toml"));
  if (!loaded) return fail(loaded.error(), Exit::kEnvironment);
  forbid_dumps();
  raise_descriptor_limit();
  const auto config = std::make_shared<const config::Config>(std::move(*loaded));
  if (const Status opened = proxy::open_log(config->log); !opened) {
    return fail(opened.error(), Exit::kEnvironment);
  }
  auto server = proxy::Server::open(config);
  if (!server) return fail(server.error(), Exit::kEnvironment);
  const Status served = (*server)->run();
  if (!served) return fail(served.error(), Exit::kEnvironment);
  return Exit::kGood;
}

}  // namespace

extern const Command kServeCommand;
const Command kServeCommand{
    "serve",
    "",
    0,
    "serve clients until SIGTERM",
    "Runs in the foreground as any user. SIGTERM and SIGINT end it gracefully: idle sessions end\n"
    "at once, busy ones within limits.shutdown_timeout; a second signal ends them at once.",
    kFlags,
    run};

}  // namespace postern::app
