// Shapes of statements: what mode `pinned` lets pass, and what was seen besides.
//
// A shape is a text with its literals replaced ($1, $2, ...); its name is the SHA-256 of that. The
// other rules of the gate judge the literals: a shape is never more than a further condition.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_set>

#include "base/result.hpp"
#include "config/options.hpp"
#include "policy/decision.hpp"

namespace postern::proxy {

/// The name of a shape: 64 hexadecimal digits.
std::string shape_name(std::string_view normalized);
/// "NAME SHAPE" in one line without its end, as the files hold it; the shape as a JSON string.
std::string shape_line(std::string_view normalized);
/// The shape of such a line; kPinsUnusable where the name is not that of the shape. Empty for
/// comments (#) and empty lines.
Result<std::string> shape_of_line(std::string_view line);

/// Names of the shapes in a file of such lines. kConfigUnreadable, kPinsUnusable.
Result<std::unordered_set<std::string>> read_shapes(const std::string& path);

/// The process's shapes. Thread-safe.
class Shapes {
 public:
  /// Most shapes written to the learn file by one process.
  static constexpr std::size_t kMaxLearnt = 10'000;
  /// Longer ones are not learnt.
  static constexpr std::size_t kMaxShapeBytes = 64 * 1024;

  /// Takes over what [policy] says: its pins are read, its learn file is opened. Nothing changes
  /// where that fails.
  Status configure(const config::PolicyOptions& options);

  /// Distinguishes what was in force when a decision was made.
  [[nodiscard]] std::uint64_t generation() const { return generation_.load(); }

  /// Judges a text of an application or analyst, beyond `decision`: not pinned is refused in mode
  /// `pinned`, and learnt in every mode.
  void judge(const sql::Facts& facts, const policy::Ruleset& rules,
             const policy::Principal& principal, policy::Decision& decision);

 private:
  void learn(const std::string& name, std::string_view shape);

  std::atomic<std::uint64_t> generation_{0};
  std::mutex mutex_;
  std::unordered_set<std::string> pinned_;
  std::unordered_set<std::string> learnt_;
  std::string learn_path_;
};

/// The one of the process.
Shapes& shapes();

}  // namespace postern::proxy
