#include "proxy/auth/proof_ring.hpp"

#include <utility>

namespace postern::proxy {

void ProofRing::keep(const std::string& login, std::shared_ptr<const protocol::LoginProof> proof) {
  if (proof == nullptr || (!proof->scram && proof->password.empty())) return;
  const std::lock_guard lock(mutex_);
  Entry& entry = entries_[login];
  if (entry.age != 0) ages_.erase(entry.age);
  entry = {std::move(proof), next_age_++};
  ages_.emplace(entry.age, login);
  if (entries_.size() <= kMaxLogins) return;
  entries_.erase(ages_.begin()->second);
  ages_.erase(ages_.begin());
}

std::shared_ptr<const protocol::LoginProof> ProofRing::find(const std::string& login) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(login);
  return found == entries_.end() ? nullptr : found->second.proof;
}

}  // namespace postern::proxy
