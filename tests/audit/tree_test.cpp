#include "audit/prove.hpp"
#include "tests/audit/support.hpp"

using namespace postern;
using namespace postern::audit;
using namespace postern::audit::test;

namespace {

// Leaves and roots published with Certificate Transparency's reference implementation.
std::vector<Hash> reference_leaves() {
  std::vector<Hash> leaves;
  for (const char* hex : {"", "00", "10", "2021", "3031", "40414243", "5051525354555657",
                          "606162636465666768696a6b6c6d6e6f"}) {
    leaves.push_back(leaf_hash(*from_hex(hex)));
  }
  return leaves;
}

std::vector<Hash> many_leaves(std::size_t count) {
  std::vector<Hash> leaves;
  for (std::size_t i = 0; i < count; ++i) leaves.push_back(leaf_hash(std::to_string(i)));
  return leaves;
}

// RFC 6962 section 2.1, word by word.
Hash defined_root(std::span<const Hash> leaves) {
  if (leaves.empty()) return sha256({});
  if (leaves.size() == 1) return leaves[0];
  std::size_t k = 1;
  while (k * 2 < leaves.size()) k *= 2;
  return node_hash(defined_root(leaves.first(k)), defined_root(leaves.subspan(k)));
}

}  // namespace

TEST_CASE("the tree gives the published roots of RFC 6962 trees") {
  const char* roots[] = {"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                         "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                         "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
                         "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
                         "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                         "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
                         "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
                         "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
                         "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};
  const auto leaves = reference_leaves();
  CompactTree tree;
  CHECK(hex_of(tree.root()) == roots[0]);
  for (std::size_t n = 0; n < leaves.size(); ++n) {
    tree.append(leaves[n]);
    CHECK(hex_of(tree.root()) == roots[n + 1]);
  }
}

TEST_CASE("the incremental root equals the definition at every size") {
  const auto leaves = many_leaves(200);
  CompactTree tree;
  for (std::size_t n = 0; n < leaves.size(); ++n) {
    tree.append(leaves[n]);
    CHECK(tree.root() == defined_root(std::span(leaves).first(n + 1)));
  }
}

TEST_CASE("inclusion proofs hold for their leaf and for nothing else") {
  const auto leaves = many_leaves(70);
  for (std::size_t size = 1; size <= leaves.size(); ++size) {
    const auto tree = std::span(leaves).first(size);
    const TreeHead head{size, defined_root(tree)};
    for (std::size_t i = 0; i < size; ++i) {
      auto proof = inclusion_proof(tree, i);
      CHECK(verify_inclusion(leaves[i], i, head, proof));
      CHECK_FALSE(verify_inclusion(leaf_hash("other"), i, head, proof));
      CHECK_FALSE(verify_inclusion(leaves[i], i + 1, head, proof));
      if (proof.empty()) continue;
      proof.back()[0] ^= 1;
      CHECK_FALSE(verify_inclusion(leaves[i], i, head, proof));
      proof.pop_back();
      CHECK_FALSE(verify_inclusion(leaves[i], i, head, proof));
    }
  }
  CHECK(inclusion_proof(leaves, leaves.size()).empty());
}

TEST_CASE("consistency proofs hold for a prefix and for nothing else") {
  const auto leaves = many_leaves(50);
  for (std::size_t newer = 1; newer <= leaves.size(); ++newer) {
    const TreeHead new_head{newer, defined_root(std::span(leaves).first(newer))};
    for (std::size_t older = 0; older <= newer; ++older) {
      const TreeHead old_head{older, defined_root(std::span(leaves).first(older))};
      auto proof = consistency_proof(std::span(leaves).first(newer), older);
      CHECK(verify_consistency(old_head, new_head, proof));
      if (older == 0) continue;
      CHECK_FALSE(verify_consistency({older, leaf_hash("x")}, new_head, proof));
      CHECK_FALSE(verify_consistency(old_head, {newer, leaf_hash("x")}, proof));
      proof.push_back(leaf_hash("x"));
      CHECK_FALSE(verify_consistency(old_head, new_head, proof));
    }
  }
}
