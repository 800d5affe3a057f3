// Inclusion and consistency proofs (RFC 6962 sections 2.1.1 and 2.1.2; checks as in RFC 9162
// sections 2.1.3.2 and 2.1.4.2). Pure functions over leaf hashes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "audit/primitives.hpp"

namespace postern::audit {

/// Root of the tree over these leaf hashes. O(n).
Hash tree_root(std::span<const Hash> leaves);
/// Audit path of leaf `index` in the tree over `leaves`; empty if there is no such leaf.
std::vector<Hash> inclusion_proof(std::span<const Hash> leaves, std::uint64_t index);
/// Proof that the tree over the first `old_size` leaves is a prefix; empty for 0 and for all.
std::vector<Hash> consistency_proof(std::span<const Hash> leaves, std::uint64_t old_size);

/// A claim about a tree: how many leaves and which root.
struct TreeHead {
  std::uint64_t size = 0;
  Hash root{};
  friend bool operator==(const TreeHead&, const TreeHead&) = default;
};

/// True if `leaf` is leaf number `index` of the tree `head` names.
bool verify_inclusion(const Hash& leaf, std::uint64_t index, const TreeHead& head,
                      std::span<const Hash> proof);
/// True if the tree of `newer` begins with the tree of `older`.
bool verify_consistency(const TreeHead& older, const TreeHead& newer, std::span<const Hash> proof);

}  // namespace postern::audit
