// Columns of every command. The names and their order are an interface: PgBouncer's users' scripts
// and exporters read them.
#include <iterator>

#include "proxy/console/reply.hpp"

namespace postern::proxy::console {
namespace {

using enum Type;

constexpr Column kHelp[] = {{"command"}, {"needs"}, {"what"}};

constexpr Column kPools[] = {{"database"},
                             {"user"},
                             {"cl_active", kInt4},
                             {"cl_waiting", kInt4},
                             {"cl_active_cancel_req", kInt4},
                             {"cl_waiting_cancel_req", kInt4},
                             {"sv_active", kInt4},
                             {"sv_active_cancel", kInt4},
                             {"sv_being_canceled", kInt4},
                             {"sv_idle", kInt4},
                             {"sv_used", kInt4},
                             {"sv_tested", kInt4},
                             {"sv_login", kInt4},
                             {"maxwait", kInt4},
                             {"maxwait_us", kInt4},
                             {"pool_mode"},
                             {"load_balance_hosts"},
                             // Ours.
                             {"node"},
                             {"pool_size", kInt4}};

constexpr Column kSockets[] = {{"type"},
                               {"user"},
                               {"database"},
                               {"replication"},
                               {"state"},
                               {"addr"},
                               {"port", kInt4},
                               {"local_addr"},
                               {"local_port", kInt4},
                               {"connect_time"},
                               {"request_time"},
                               {"wait", kInt4},
                               {"wait_us", kInt4},
                               {"close_needed", kInt4},
                               {"ptr"},
                               {"link"},
                               {"remote_pid", kInt4},
                               {"tls"},
                               {"application_name"},
                               {"prepared_statements", kInt4},
                               {"id", kInt8},
                               // Ours.
                               {"tenant"},
                               {"profile"},
                               {"worker", kInt4},
                               {"pinned_by"}};

constexpr Column kDatabases[] = {{"name"},
                                 {"host"},
                                 {"port", kInt4},
                                 {"database"},
                                 {"force_user"},
                                 {"pool_size", kInt4},
                                 {"min_pool_size", kInt4},
                                 {"reserve_pool_size", kInt4},
                                 {"server_lifetime", kInt4},
                                 {"pool_mode"},
                                 {"load_balance_hosts"},
                                 {"max_connections", kInt4},
                                 {"current_connections", kInt4},
                                 {"max_client_connections", kInt4},
                                 {"current_client_connections", kInt4},
                                 {"paused", kInt4},
                                 {"disabled", kInt4},
                                 // Ours.
                                 {"cluster"},
                                 {"protected", kInt4}};

constexpr Column kUsers[] = {{"name"},
                             {"pool_size"},
                             {"reserve_pool_size"},
                             {"pool_mode"},
                             {"max_user_connections", kInt4},
                             {"current_connections", kInt4},
                             {"max_user_client_connections", kInt4},
                             {"current_client_connections", kInt4},
                             // Ours.
                             {"profile"},
                             {"tenant"},
                             {"console"}};

constexpr Column kStats[] = {{"database"},
                             {"total_server_assignment_count", kInt8},
                             {"total_xact_count", kInt8},
                             {"total_query_count", kInt8},
                             {"total_received", kInt8},
                             {"total_sent", kInt8},
                             {"total_xact_time", kInt8},
                             {"total_query_time", kInt8},
                             {"total_wait_time", kInt8},
                             {"total_client_parse_count", kInt8},
                             {"total_server_parse_count", kInt8},
                             {"total_bind_count", kInt8},
                             {"avg_server_assignment_count", kInt8},
                             {"avg_xact_count", kInt8},
                             {"avg_query_count", kInt8},
                             {"avg_recv", kInt8},
                             {"avg_sent", kInt8},
                             {"avg_xact_time", kInt8},
                             {"avg_query_time", kInt8},
                             {"avg_wait_time", kInt8},
                             {"avg_client_parse_count", kInt8},
                             {"avg_server_parse_count", kInt8},
                             {"avg_bind_count", kInt8},
                             // Ours.
                             {"total_server_received", kInt8},
                             {"total_server_sent", kInt8},
                             {"total_error_count", kInt8}};

// Of STATS_TOTALS and STATS_AVERAGES.
constexpr Column kStatsHalf[] = {{"database"},
                                 {"server_assignment_count", kInt8},
                                 {"xact_count", kInt8},
                                 {"query_count", kInt8},
                                 {"bytes_received", kInt8},
                                 {"bytes_sent", kInt8},
                                 {"xact_time", kInt8},
                                 {"query_time", kInt8},
                                 {"wait_time", kInt8},
                                 {"client_parse_count", kInt8},
                                 {"server_parse_count", kInt8},
                                 {"bind_count", kInt8},
                                 // Ours.
                                 {"server_bytes_received", kInt8},
                                 {"server_bytes_sent", kInt8},
                                 {"error_count", kInt8}};

constexpr Column kTotals[] = {{"name"}, {"value", kInt8}};
constexpr Column kLists[] = {{"list"}, {"items", kInt4}};
constexpr Column kConfig[] = {{"key"}, {"value"}, {"default"}, {"changeable"}};
constexpr Column kMem[] = {
    {"name"}, {"size", kInt4}, {"used", kInt8}, {"free", kInt8}, {"memtotal", kInt8}};
constexpr Column kVersion[] = {{"version"}};
constexpr Column kState[] = {{"key"}, {"value"}};
constexpr Column kDnsHosts[] = {{"hostname"}, {"ttl", kInt8}, {"addrs"}};
constexpr Column kPrepared[] = {{"id", kInt8}, {"user"},         {"database"},
                                {"name"},      {"bytes", kInt8}, {"server_name"}};
constexpr Column kCache[] = {{"key"}, {"value", kInt8}};
constexpr Column kRoutes[] = {{"cluster"},         {"node"},     {"role"},
                              {"timeline", kInt4}, {"position"}, {"probed_ms", kInt8}};
constexpr Column kProtection[] = {{"database"},     {"protected", kInt4}, {"mode"},
                                  {"epoch", kInt8}, {"blocked"},          {"reason"}};
constexpr Column kRefusals[] = {
    {"database"}, {"user"},    {"application_name"}, {"code"},       {"rule"},
    {"shape"},    {"verdict"}, {"count", kInt8},     {"first_seen"}, {"last_seen"}};
constexpr Column kAudit[] = {{"key"}, {"value"}};

constexpr Column kOne[] = {{"?column?", kInt4}};
constexpr Column kSchema[] = {{"current_schema"}};
constexpr Column kDatabase[] = {{"current_database"}};
constexpr Column kUnlock[] = {{"pg_advisory_unlock_all"}};
constexpr Column kIsolation[] = {{"transaction_isolation"}};
constexpr Column kSetting[] = {{"setting"}};

}  // namespace

std::span<const Column> columns_of(Verb verb) {
  switch (verb) {
    case Verb::kShowHelp:
      return kHelp;
    case Verb::kShowPools:
      return kPools;
    case Verb::kShowClients:
    case Verb::kShowServers:
    case Verb::kShowSockets:
    case Verb::kShowActiveSockets:
      return kSockets;
    case Verb::kShowDatabases:
      return kDatabases;
    case Verb::kShowUsers:
      return kUsers;
    case Verb::kShowStats:
      return kStats;
    case Verb::kShowStatsTotals:
    case Verb::kShowStatsAverages:
      return kStatsHalf;
    case Verb::kShowTotals:
      return kTotals;
    case Verb::kShowLists:
      return kLists;
    case Verb::kShowConfig:
      return kConfig;
    case Verb::kShowMem:
      return kMem;
    case Verb::kShowVersion:
    case Verb::kSelectVersion:
    case Verb::kSelectCatalogVersion:
      return kVersion;
    case Verb::kShowState:
      return kState;
    case Verb::kShowDnsHosts:
      return kDnsHosts;
    case Verb::kShowPrepared:
      return kPrepared;
    case Verb::kShowCache:
      return kCache;
    case Verb::kShowRoutes:
      return kRoutes;
    case Verb::kShowProtection:
      return kProtection;
    case Verb::kShowRefusals:
      return kRefusals;
    case Verb::kShowAudit:
      return kAudit;
    case Verb::kSelectOne:
      return kOne;
    case Verb::kSelectSchema:
      return kSchema;
    case Verb::kSelectDatabase:
      return kDatabase;
    case Verb::kSelectUnlock:
      return kUnlock;
    case Verb::kShowIsolation:
      return kIsolation;
    case Verb::kShowSetting:
      return kSetting;
    default:
      return {};
  }
}

std::string tag_of(Verb verb) {
  const std::string_view words = row_of(verb).words;
  const std::string first(words.substr(0, words.find(' ')));
  if (first == "SELECT") return "SELECT 1";
  if (verb == Verb::kDiscardAll || verb == Verb::kDeallocateAll) return std::string(words);
  if (verb == Verb::kStartTransaction) return std::string(words);
  if (verb == Verb::kEnd) return "COMMIT";
  if (verb == Verb::kCloseAll) return "CLOSE CURSOR ALL";
  return first;
}

}  // namespace postern::proxy::console
