// SQL that the proxy sends on a server connection to set, clear and learn about the tenant context.
//
// Arming is a Sync group of its own (Parse, Bind, Execute, Sync) in front of the client's first
// message; the token is a bound parameter, so it never stands in pg_stat_activity or a log of
// statements. Every name is qualified: the session's search_path is the client's.
#pragma once

#include <string_view>

namespace postern::policy {

/// $1 text: the context. Exactly one row whose value is $1, byte for byte, means armed. No row
/// means that the connection still carried a context: it must be closed, its output dropped.
inline constexpr std::string_view kArmSql =
    "SELECT pg_catalog.set_config('postern.ctx', $1::pg_catalog.text, false) "
    "WHERE COALESCE(pg_catalog.current_setting('postern.ctx', true), ''::pg_catalog.text) "
    "OPERATOR(pg_catalog.=) ''::pg_catalog.text";

/// Back to the empty context. Exactly one row with an empty value means done. Sent in front of
/// kArmSql when a context is renewed.
inline constexpr std::string_view kDisarmSql =
    "SELECT pg_catalog.set_config('postern.ctx', '', false)";

/// As kDisarmSql, in front of another tenant's context in the same session. No row where the
/// session holds what the other tenant must not see.
inline constexpr std::string_view kSwitchSql =
    "SELECT pg_catalog.set_config('postern.ctx', '', false)"
    " WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class WHERE relnamespace OPERATOR(pg_catalog.=)"
    " pg_catalog.pg_my_temp_schema())"
    " AND NOT EXISTS (SELECT FROM pg_catalog.pg_type WHERE typnamespace OPERATOR(pg_catalog.=)"
    " pg_catalog.pg_my_temp_schema())"
    " AND NOT EXISTS (SELECT FROM pg_catalog.pg_proc WHERE pronamespace OPERATOR(pg_catalog.=)"
    " pg_catalog.pg_my_temp_schema())"
    " AND NOT EXISTS (SELECT FROM pg_catalog.pg_cursors WHERE is_holdable)"
    " AND NOT EXISTS (SELECT FROM pg_catalog.pg_listening_channels())"
    " AND NOT EXISTS (SELECT FROM pg_catalog.pg_locks WHERE locktype OPERATOR(pg_catalog.=)"
    " 'advisory' AND pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid())";
/// In front of kSwitchSql: what currval() and lastval() remember.
inline constexpr std::string_view kForgetSequencesSql = "DISCARD SEQUENCES";

/// What SHOW postern.tenant stands for in a prepared statement: the tenant of the context.
inline constexpr std::string_view kShowTenantSql =
    "SELECT COALESCE(pg_catalog.convert_from(pg_catalog.decode(pg_catalog.split_part("
    "pg_catalog.current_setting('postern.ctx', true), '.', 4), 'hex'), 'UTF8'),"
    " ''::pg_catalog.text) AS \"postern.tenant\"";

/// In front of pooling: as kDisarmSql, but no row where the session made a temporary schema. That
/// outlives DISCARD ALL, and the next session would see that it is not the first.
inline constexpr std::string_view kReleaseSql =
    "SELECT pg_catalog.set_config('postern.ctx', '', false) "
    "WHERE pg_catalog.pg_my_temp_schema() OPERATOR(pg_catalog.=) 0::pg_catalog.oid";

/// Once at login of a server connection: database oid, pid, backend start in microseconds since
/// 1970, all as text. One row; the pid must equal BackendKeyData's.
inline constexpr std::string_view kLearnBackendSql =
    "SELECT a.datid::pg_catalog.text, a.pid::pg_catalog.text, "
    "(EXTRACT(epoch FROM a.backend_start) OPERATOR(pg_catalog.*) 1000000)"
    "::pg_catalog.int8::pg_catalog.text "
    "FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) AS a";

}  // namespace postern::policy
