#include "audit/prove.hpp"

#include <algorithm>
#include <bit>

#include "audit/tree.hpp"

namespace postern::audit {
namespace {

// Largest power of two smaller than n (n > 1): where RFC 6962 splits a tree.
std::uint64_t split_of(std::uint64_t n) {
  return std::bit_floor(n - 1);
}

void consistency_path(std::span<const Hash> leaves, std::uint64_t old_size, bool whole,
                      std::vector<Hash>& out) {
  if (old_size == leaves.size()) {
    if (!whole) out.push_back(tree_root(leaves));
    return;
  }
  const std::uint64_t k = split_of(leaves.size());
  if (old_size <= k) {
    consistency_path(leaves.first(k), old_size, whole, out);
    out.push_back(tree_root(leaves.subspan(k)));
  } else {
    consistency_path(leaves.subspan(k), old_size - k, false, out);
    out.push_back(tree_root(leaves.first(k)));
  }
}

}  // namespace

Hash tree_root(std::span<const Hash> leaves) {
  CompactTree tree;
  for (const Hash& leaf : leaves) tree.append(leaf);
  return tree.root();
}

std::vector<Hash> inclusion_proof(std::span<const Hash> leaves, std::uint64_t index) {
  std::vector<Hash> path;
  if (index >= leaves.size()) return path;
  while (leaves.size() > 1) {
    const std::uint64_t k = split_of(leaves.size());
    const bool left = index < k;
    path.push_back(tree_root(left ? leaves.subspan(k) : leaves.first(k)));
    leaves = left ? leaves.first(k) : leaves.subspan(k);
    if (!left) index -= k;
  }
  std::reverse(path.begin(), path.end());
  return path;
}

std::vector<Hash> consistency_proof(std::span<const Hash> leaves, std::uint64_t old_size) {
  std::vector<Hash> path;
  if (old_size == 0 || old_size >= leaves.size()) return path;
  consistency_path(leaves, old_size, true, path);
  return path;
}

bool verify_inclusion(const Hash& leaf, std::uint64_t index, const TreeHead& head,
                      std::span<const Hash> proof) {
  if (index >= head.size) return false;
  std::uint64_t node = index;
  std::uint64_t last = head.size - 1;
  Hash hash = leaf;
  for (const Hash& sibling : proof) {
    if (last == 0) return false;
    if ((node & 1) == 1 || node == last) {
      hash = node_hash(sibling, hash);
      const int skip = (node & 1) == 1 ? 0 : std::countr_zero(node);
      node >>= skip;
      last >>= skip;
    } else {
      hash = node_hash(hash, sibling);
    }
    node >>= 1;
    last >>= 1;
  }
  return last == 0 && hash == head.root;
}

bool verify_consistency(const TreeHead& older, const TreeHead& newer, std::span<const Hash> proof) {
  if (older.size > newer.size) return false;
  if (older.size == newer.size) return proof.empty() && older.root == newer.root;
  if (older.size == 0) return proof.empty() && older.root == sha256({});
  // An old tree that is a complete subtree is its own first node and is left out of the proof.
  const bool complete = std::has_single_bit(older.size);
  if (!complete && proof.empty()) return false;
  std::uint64_t node = older.size - 1;
  std::uint64_t last = newer.size - 1;
  const int shared = std::countr_one(node);
  node >>= shared;
  last >>= shared;
  Hash old_hash = complete ? older.root : proof[0];
  Hash new_hash = old_hash;
  for (const Hash& sibling : proof.subspan(complete ? 0 : 1)) {
    if (last == 0) return false;
    if ((node & 1) == 1 || node == last) {
      old_hash = node_hash(sibling, old_hash);
      new_hash = node_hash(sibling, new_hash);
      const int skip = (node & 1) == 1 || node == 0 ? 0 : std::countr_zero(node);
      node >>= skip;
      last >>= skip;
    } else {
      new_hash = node_hash(new_hash, sibling);
    }
    node >>= 1;
    last >>= 1;
  }
  return last == 0 && old_hash == older.root && new_hash == newer.root;
}

}  // namespace postern::audit
