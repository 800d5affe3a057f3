#include "proxy/runtime/shapes.hpp"

#include <algorithm>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/codes/config.hpp"
#include "base/codes/gate.hpp"
#include "config/assign.hpp"
#include "crypto/hash.hpp"
#include "proxy/sinks/log.hpp"

namespace postern::proxy {
namespace {

constexpr std::size_t kNameLength = 64;
constexpr std::size_t kMaxFileBytes = 64U << 20;

// Names of savepoints, cursors and channels vary, and say nothing.
bool always_passes(const sql::Statement& statement) {
  switch (statement.kind) {
    case sql::StatementKind::kEmpty:
    case sql::StatementKind::kBegin:
    case sql::StatementKind::kCommit:
    case sql::StatementKind::kRollback:
    case sql::StatementKind::kSavepoint:
    case sql::StatementKind::kReleaseSavepoint:
    case sql::StatementKind::kRollbackToSavepoint:
    case sql::StatementKind::kDeallocate:
    case sql::StatementKind::kDiscard:
      return true;
    default:
      return false;
  }
}

bool confined(const policy::Ruleset& rules, policy::Profile profile) {
  return profile == policy::Profile::kApp || profile == policy::Profile::kAnalyst ||
         (profile == policy::Profile::kTransparent && rules.is_protected);
}

}  // namespace

std::string shape_name(std::string_view normalized) {
  return to_hex(crypto::sha256(normalized).view());
}

std::string shape_line(std::string_view normalized) {
  std::string line = shape_name(normalized) + " ";
  append_json_string(line, normalized);
  return line;
}

Result<std::string> shape_of_line(std::string_view line) {
  if (line.empty() || line.front() == '#') return std::string();
  const auto unusable = [](const char* why) { return make_error(pst::kPinsUnusable, why); };
  if (line.size() < kNameLength + 2 || line[kNameLength] != ' ') return unusable("not NAME SHAPE");
  const auto shape = nlohmann::json::parse(line.substr(kNameLength + 1), nullptr, false);
  if (!shape.is_string()) return unusable("the shape is no JSON string");
  std::string text = shape.get<std::string>();
  if (shape_name(text) != line.substr(0, kNameLength)) return unusable("a name of another shape");
  return text;
}

Result<std::unordered_set<std::string>> read_shapes(const std::string& path) {
  POSTERN_ASSIGN(const Bytes content, config::read_whole_file(path, kMaxFileBytes));
  std::unordered_set<std::string> names;
  std::string_view rest = content;
  for (std::size_t number = 1; !rest.empty(); ++number) {
    const auto end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    auto shape = shape_of_line(line);
    if (!shape) {
      return make_error(pst::kPinsUnusable,
                        path + ":" + std::to_string(number) + ": " + shape.error().what);
    }
    if (!shape->empty()) names.emplace(line.substr(0, kNameLength));
  }
  return names;
}

Status Shapes::configure(const config::PolicyOptions& options) {
  std::unordered_set<std::string> pinned;
  if (!options.pins_file.empty()) {
    POSTERN_ASSIGN(pinned, read_shapes(options.pins_file.path));
  }
  const std::lock_guard lock(mutex_);
  pinned_ = std::move(pinned);
  learn_path_ = options.learn_file.path;
  generation_.fetch_add(1);
  return ok();
}

void Shapes::judge(const sql::Facts& facts, const policy::Ruleset& rules,
                   const policy::Principal& principal, policy::Decision& decision) {
  if (!confined(rules, principal.profile)) return;
  if (std::all_of(facts.statements.begin(), facts.statements.end(), always_passes)) return;
  const std::lock_guard lock(mutex_);
  if (rules.mode != policy::Mode::kPinned && learn_path_.empty()) return;
  const std::string name = shape_name(facts.normalized);
  if (pinned_.contains(name)) return;
  learn(name, facts.normalized);
  if (rules.mode != policy::Mode::kPinned || decision.refusal) return;
  decision.refusal =
      policy::Refusal{make_error(pst::kNotPinned, name.substr(0, 16)), "gate.pinned"};
}

// One write per line, so that lines of several processes stay whole.
void Shapes::learn(const std::string& name, std::string_view shape) {
  const bool room = learnt_.size() < kMaxLearnt && shape.size() <= kMaxShapeBytes;
  if (learn_path_.empty() || !room || !learnt_.insert(name).second) return;
  const int fd = ::open(learn_path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const std::string line = shape_line(shape) + "\n";
  const bool written =
      fd >= 0 && ::write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  if (fd >= 0) ::close(fd);
  if (!written) log_warning("shape_not_learnt", {{"path", learn_path_}});
}

Shapes& shapes() {
  static Shapes the_shapes;
  return the_shapes;
}

}  // namespace postern::proxy
