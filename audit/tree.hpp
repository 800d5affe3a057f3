// The Merkle tree of RFC 6962 section 2.1, grown leaf by leaf.
#pragma once

#include <cstdint>
#include <vector>

#include "audit/primitives.hpp"

namespace postern::audit {

/// SHA-256(0x00 || leaf).
Hash leaf_hash(ByteView leaf);
/// SHA-256(0x01 || left || right).
Hash node_hash(const Hash& left, const Hash& right);

/// The roots of the complete subtrees of a tree of `size` leaves (at most 64 hashes): enough to
/// append and to give the root at the present size. Not thread-safe.
class CompactTree {
 public:
  void append(const Hash& leaf);
  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// SHA-256 of nothing for an empty tree.
  [[nodiscard]] Hash root() const;

 private:
  std::uint64_t size_ = 0;
  std::vector<Hash> peaks_;  // largest subtree first
};

}  // namespace postern::audit
