#include "audit/tree.hpp"

#include <algorithm>
#include <array>
#include <bit>

namespace postern::audit {

Hash leaf_hash(ByteView leaf) {
  return sha256({ByteView("\0", 1), leaf});
}

Hash node_hash(const Hash& left, const Hash& right) {
  std::array<char, 65> input;
  input[0] = 1;
  std::copy(left.begin(), left.end(), input.begin() + 1);
  std::copy(right.begin(), right.end(), input.begin() + 33);
  return sha256({ByteView(input.data(), input.size())});
}

void CompactTree::append(const Hash& leaf) {
  Hash hash = leaf;
  // As in binary addition: every trailing one bit of the size is a subtree to join.
  for (int joins = std::countr_one(size_); joins > 0; --joins) {
    hash = node_hash(peaks_.back(), hash);
    peaks_.pop_back();
  }
  peaks_.push_back(hash);
  ++size_;
}

Hash CompactTree::root() const {
  if (peaks_.empty()) return sha256({});
  Hash hash = peaks_.back();
  for (auto peak = peaks_.rbegin() + 1; peak != peaks_.rend(); ++peak) {
    hash = node_hash(*peak, hash);
  }
  return hash;
}

}  // namespace postern::audit
