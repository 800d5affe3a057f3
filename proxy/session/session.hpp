// One client session: its state. What happens to it stands in the files beside this one, in the
// order of a query's path (query_path.cpp).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "protocol/client_login.hpp"
#include "protocol/session_fsm.hpp"
#include "proxy/cache/result_cache.hpp"
#include "proxy/identity/choice.hpp"
#include "proxy/identity/token.hpp"
#include "proxy/route/token.hpp"
#include "proxy/runtime/runtime.hpp"
#include "proxy/session/batch.hpp"
#include "proxy/session/client_out.hpp"
#include "proxy/session/pooled_state.hpp"
#include "proxy/session/server_link.hpp"
#include "proxy/session/time_limits.hpp"
#include "proxy/session/unit.hpp"
#include "types/render.hpp"

namespace postern::proxy {

/// Who the client is: fixed at login, but for those it acts for (acting.hpp).
struct Identity {
  std::string login;
  std::string application;
  std::string address;  ///< host:port of the client
  std::string upstream_user;
  TenantId tenant;                  ///< none() where no tenant is in force
  std::string schema;               ///< of the tenant, where tenants have schemas; else empty
  std::string subject;              ///< the end user it acts for; empty: not known
  std::string purpose;              ///< as asserted, for the access log
  std::vector<std::string> roles;   ///< of the end user, from a token
  std::int64_t valid_until_us = 0;  ///< since 1970: until when its proof holds; 0: for ever
  std::string context_scope;        ///< differs where tenant contexts must differ; empty: no tenant
  policy::Profile profile = policy::Profile::kTransparent;
  std::vector<std::pair<Bytes, Bytes>> startup;  ///< parameters passed on to servers
  std::string pool_identity;  ///< what pools never mix: tenant, and parameters of the startup
  std::string_view method = "scram-sha-256";  ///< how it proved itself; static storage
  /// What it gave away doing so, for logging in upstream in its name; null where nothing.
  std::shared_ptr<const protocol::LoginProof> proof;
  std::shared_ptr<const TokenIdentity> token;  ///< what a verified token says; null: none
  bool rule_replication = false;               ///< the rule that admitted it permits replication
  bool guarded = false;  ///< its database was protected when it logged in, its startup was judged
  bool harmless = true;  ///< a startup that was not judged would have passed as well
};

/// A lone Bind and Execute, kept until its answer (retry.hpp).
struct Retry {
  BatchItems items;                ///< empty: nothing is kept
  std::uint64_t ready_number = 0;  ///< of its ReadyForQuery
  Bytes error;                     ///< the server's message, held back
  bool due = false;                ///< the client's coroutine has to run it again
  bool second_attempt = false;     ///< it does
};

/// The pool a session takes its primary from, looked up once per node and configuration.
struct PrimaryPool {
  PoolHandle handle;
  Endpoint node;
  const config::Config* configured = nullptr;  ///< the one in force at the look-up
};

struct ReplicationLink;
class CopyInsert;

/// Everything a session owns. Pinned to its worker; owned by its coroutines.
struct Session : std::enable_shared_from_this<Session> {
  Session(WorkerContext* worker_context, Transport transport, LoadTicket load);
  ~Session();

  [[nodiscard]] Runtime& runtime() { return *context->runtime; }
  [[nodiscard]] Worker* worker() { return context->worker; }
  /// The configuration in force. It lives as long as the process; take it once where several values
  /// must belong together.
  [[nodiscard]] const config::Config& config() { return *context->runtime->config; }

  WorkerContext* context;
  LoadTicket load;
  bool admitted = false;  ///< counts among those that limits.max_clients bounds
  ClientTicket place;     ///< among the clients of its database and login
  Transport client;
  ReadBuffer input;
  ClientOut out;
  protocol::Framer framer;
  protocol::SessionFsm fsm;
  Deadline deadline;             ///< login and farewell: closes the client's transport
  Deadline watch;                ///< time limits of requests, transactions and silence (clock.hpp)
  Moment moment;                 ///< what those count from
  std::optional<Pst> timed_out;  ///< which of them passed

  SessionStatistics statistics;
  std::uint64_t id;
  std::string audit_id;  ///< session id in the access log
  Identity identity;
  Database* database = nullptr;  ///< null on the console
  bool on_console = false;
  std::unique_ptr<Choice> choice;  ///< null: whom it acts for never changes, and never expires
  const config::Config* configured = nullptr;  ///< what the identity was last found to agree with
  /// Of the process's stop: no message since then; during login its beginning.
  SteadyClock::time_point quiet_since = SteadyClock::now();
  bool serving = false;  ///< the login is behind it
  bool woken = false;    ///< look_up() was called since the last look
  std::uint32_t cancel_id = 0;
  std::uint32_t process_id = 0;  ///< of its server, as the client was told
  types::Render render;          ///< settings that decide how values look
  std::vector<std::string> search_path;
  std::string search_path_text;  ///< as the server words it; where known
  bool search_path_known = false;
  std::uint64_t statements_run = 0;  ///< counter in the access log

  /// Transaction or statement pooling: the server connection goes back between transactions.
  bool pooled = false;
  bool per_statement = false;   ///< statement pooling
  PooledState state;            ///< what follows the session to its next connection; if pooled
  ReportedParameters reported;  ///< what the client was told by ParameterStatus
  Settings greeted;             ///< at its login, of parameters it came with; if pooled
  bool schema_changed = false;  ///< by a statement since the last ReadyForQuery outside one
  bool reset_done = false;      ///< a RESET or DISCARD ALL since the last ReadyForQuery
  bool state_differs = false;   ///< the kept connection has other settings than the session wants
  bool parked = false;          ///< waits for the client, using no server connection

  PrimaryPool primary_pool;
  std::unique_ptr<ServerLink> primary;           ///< null where none is needed at the moment
  std::unique_ptr<ReplicationLink> replication;  ///< of a replication connection, instead
  std::unique_ptr<ServerLink> replica;           ///< kept for further reads once one went there
  ServerLink* active = nullptr;   ///< where the messages of a batch go: primary or replica
  ServerLink* reading = nullptr;  ///< another link that a read is under way on
  Token floor;                    ///< what reads elsewhere must contain
  bool position_due = false;      ///< wrote since the last captured position
  bool position_asked = false;    ///< the question goes out behind the present message
  std::set<Oid> write_set;        ///< tables written since the last publication
  bool writes_any = false;        ///< and possibly any other
  /// Marks of writes about to be committed, by the number of the ReadyForQuery that ends them.
  std::vector<std::pair<std::uint64_t, WriteMark>> marks;
  std::uint64_t ready_sent = 0;   ///< Query and Sync messages sent to the primary so far
  bool path_due = false;          ///< search_path has to be asked before the next analysis
  bool path_asked = false;        ///< and is, behind the present message
  bool path_touched = false;      ///< it was changed once: a rollback may change it back
  bool effect_under_way = false;  ///< a statement that changes settings awaits its answer
  bool unseen_under_way = false;  ///< one does that runs code of the database, which may do so too
  bool names_under_way = false;   ///< one does by which names of statements and portals come and go
  std::vector<std::optional<audit::Ticket>> pending_tickets;  ///< intents already on record
  std::shared_ptr<CacheFill> pending_fill;  ///< for the read about to go to the primary
  std::map<std::string, std::shared_ptr<PreparedStatement>, std::less<>> statements;
  std::map<std::string, std::shared_ptr<Portal>, std::less<>> portals;
  /// What the server has confirmed, for names whose redefinition fails.
  std::map<std::string, std::shared_ptr<PreparedStatement>, std::less<>> confirmed_statements;
  std::map<std::string, std::shared_ptr<Portal>, std::less<>> confirmed_portals;
  /// Transaction pooling: names of SQL PREPARE on the server connection.
  std::set<std::string, std::less<>> sql_names;
  /// Likewise: executions under way of texts that may make or end names.
  std::size_t name_changes = 0;
  std::uint64_t next_statement = 1;
  std::shared_ptr<std::size_t> statement_bytes;  ///< of named statements; null before the first
  Batch batch;
  std::vector<BatchItems> unflushed;  ///< what a link's output may still point to
  Retry retry;
  std::size_t drop_left = 0;  ///< bytes of a client's long message still to be passed over
  bool batch_sent = false;    ///< something of the present batch went to the server
  std::vector<std::uint64_t> described_in_batch;  ///< statements whose Describe is under way
  std::unique_ptr<CopyInsert> copying;            ///< a COPY whose rows are inserted here
  std::size_t notices = 0;                        ///< to a tenant, since the last ReadyForQuery
  bool refused_locally = false;    ///< a batch is skipped to Sync without the server's knowledge
  bool bypass_told = false;        ///< the alert of tell_bypass() was raised
  std::unique_ptr<Error> failure;  ///< why the session ends, where the server's side found out
  bool attaching = false;          ///< a statement waits for its connection, or for settings there
  bool cancel_due = false;         ///< and a cancel request came for it
  bool ending = false;             ///< no further client message is taken
  bool said_goodbye = false;       ///< by Terminate: what it sent before is still carried out
  bool settings_changed = false;   ///< SET was used: reads stay on the primary's connection
};

using SessionPtr = std::shared_ptr<Session>;

/// Of a process that stops, towards clients that said nothing: while a successor may listen beside
/// it (so_reuseport), one that is about to send gets the time to do so.
inline constexpr std::chrono::seconds kPatience{1};

/// Makes a session look up from its wait for the client. A login under way is left alone, unless
/// the process stops and has no patience left. Its worker.
void look_up(Session* session);

/// Makes every session of a worker look up from its wait for the client, so that it sees that the
/// process stops or that the configuration is another. Any thread.
void wake_sessions(WorkerContext* context);

/// Serves one client from its first byte to its end. Spawned on the worker.
Task<void> serve_client(WorkerContext* context, UnboundTransport unbound, LoadTicket load);

}  // namespace postern::proxy
