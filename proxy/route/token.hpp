// What a session wrote, as a position in the write-ahead log; replicas behind it may not answer it.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "proxy/route/cluster_state.hpp"

namespace postern::proxy {

/// A place in the history of one cluster: all transactions up to `lsn` on `timeline`.
/// Default: nothing was written, any place satisfies it.
struct Token {
  std::uint64_t system_identifier = 0;
  std::uint32_t timeline = 0;
  std::uint64_t lsn = 0;

  [[nodiscard]] bool is_none() const { return lsn == 0; }
  friend bool operator==(const Token&, const Token&) = default;
};

/// Raises `floor` to `other` where that is later: by timeline, then by LSN, so it never falls
/// within one cluster. A token of another system replaces the floor: the data was replaced.
void raise(Token& floor, const Token& other);

/// What a node's last known position says about a token.
enum class Reached : std::uint8_t {
  kYes,
  kNotYet,   ///< on the way there: the position known is a lower bound
  kLost,     ///< the node's timeline left the token's before that position: the write is gone
  kUnknown,  ///< another system or an unrelated timeline: cannot be told
};

/// Of any node with a role. `switch_lsn` and the rest of the history come from `cluster`.
Reached reached(const ClusterState& cluster, const NodeState& node, const Token& token);

/// Reads "X/Y" as pg_lsn prints it: two numbers of one to eight hexadecimal digits.
/// kBadWalPosition.
Result<std::uint64_t> parse_lsn(std::string_view text);
/// As pg_lsn prints it.
std::string lsn_text(std::uint64_t lsn);

/// The position that flush and replay reach when everything before insert position `insert` is
/// there. pg_current_wal_insert_lsn() lies behind the next page's header (24 bytes, 40 on the first
/// page of a segment of `segment_bytes`) when a record ended exactly at the end of a page; replay
/// would come there only with the next record, perhaps never. Pages have 8192 bytes, PostgreSQL's
/// default build.
std::uint64_t without_page_header(std::uint64_t insert, std::uint64_t segment_bytes);

}  // namespace postern::proxy
