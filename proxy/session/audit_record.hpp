// One statement as the access log sees it: views into the session and its facts.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "audit/record.hpp"
#include "proxy/session/session.hpp"

namespace postern::proxy {

/// Microseconds since 1970-01-01 UTC.
std::int64_t now_us();

/// Views into `identity`.
audit::Who who_of(const Identity& identity);

/// Collects the names an Intent refers to. Everything passed in must outlive it.
class StatementRecord {
 public:
  /// Numbers the statement within the session.
  StatementRecord(Session& session, const Execution& execution, std::size_t index);

  [[nodiscard]] const audit::Intent& intent() const { return intent_; }
  /// The same as a refusal. Valid until the next call.
  const audit::Intent& refusal(const Error& error, bool observed) const;

 private:
  void add_relations(const sql::Catalog& catalog, const sql::Statement& statement);
  void add_decrypted(const policy::Ruleset& rules, const policy::StatementDecision& decided);

  struct Names {
    std::string relation;
    std::vector<std::string_view> read;
    std::vector<std::string_view> written;
  };
  std::vector<Names> names_;
  std::vector<audit::RelationUse> relations_;
  std::vector<std::string> decrypted_names_;
  std::vector<std::string_view> decrypted_;
  mutable audit::Intent intent_;
  mutable std::string code_;
  std::string rule_;
};

}  // namespace postern::proxy
