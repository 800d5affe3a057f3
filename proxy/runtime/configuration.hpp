// The configuration in force, and all that were.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "config/options.hpp"

namespace postern::proxy {

/// Points at the configuration in force. Each one that was ever adopted lives as long as the
/// process, so a reference taken from here stays good across suspension points: keep one where
/// several values must come from the same configuration. Reading is one atomic load; any thread.
class Configuration {
 public:
  Configuration() = default;
  Configuration(const Configuration&) = delete;
  Configuration& operator=(const Configuration&) = delete;

  [[nodiscard]] const config::Config* get() const { return now_.load(); }
  const config::Config& operator*() const { return *get(); }
  const config::Config* operator->() const { return get(); }

  void adopt(std::shared_ptr<const config::Config> config) {
    const std::lock_guard lock(mutex_);
    now_ = config.get();
    all_.push_back(std::move(config));
  }

 private:
  std::atomic<const config::Config*> now_{nullptr};
  std::mutex mutex_;
  std::vector<std::shared_ptr<const config::Config>> all_;
};

}  // namespace postern::proxy
