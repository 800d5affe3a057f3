// PostgreSQL itself as the oracle: we log in to a real server, real clients log in to us, and the
// reply queue must agree with what a real server sends.
#include <thread>
#include <vector>

#include "base/codes/auth.hpp"
#include "protocol/client_login.hpp"
#include "protocol/copy.hpp"
#include "protocol/error_message.hpp"
#include "protocol/extended.hpp"
#include "protocol/function_call.hpp"
#include "protocol/reply_queue.hpp"
#include "protocol/rows.hpp"
#include "protocol/server_login.hpp"
#include "protocol/session_setup.hpp"
#include "protocol/simple.hpp"
#include "tests/protocol/postgres_server.hpp"

using namespace postern;
using namespace postern::protocol;
using namespace postern::protocol::test;

namespace {

/// Logs in over `socket`; the step that ended it.
ServerStep::Kind log_in(const Socket& socket, ServerLogin& login) {
  Bytes unread;
  while (true) {
    Bytes out;
    const ServerStep step = login.advance(unread, out);
    unread.erase(0, step.consumed);
    if (!out.empty()) socket.write(out);
    switch (step.kind) {
      case ServerStep::Kind::kReadOneByte:
        REQUIRE(socket.read(unread, 1));
        break;
      case ServerStep::Kind::kRead:
        REQUIRE(socket.read(unread));
        break;
      default:
        return step.kind;
    }
  }
}

ServerLogin::Options login_options(ByteView password, std::uint16_t minor = 0) {
  ServerLogin::Options o;
  o.ssl = SslMode::kPrefer;
  o.user = "postgres";
  o.database = "postgres";
  o.password = Secret(Bytes(password));
  o.parameters = {{"application_name", "postern test"}};
  o.minor = minor;
  o.primitives = &kOpenssl;
  return o;
}

/// A session whose every request goes through a reply queue.
class Session {
 public:
  explicit Session(const PostgresServer& server) : socket_(server.connect()) {
    ServerLogin login(login_options("secret"));
    REQUIRE(log_in(socket_, login) == ServerStep::Kind::kReady);
  }

  template <typename Message>
  Session& add(Request request, const Message& message) {
    REQUIRE(queue.push({request, Disposition::kForward, ++tag_}));
    encode(message);
    return *this;
  }
  Session& query(ByteView text) { return add(Request::kQuery, Query{text}); }
  Session& parse(ByteView text) { return add(Request::kParse, Parse{"", text, {}}); }
  Session& bind() { return add(Request::kBind, Bind{}); }
  Session& describe(Target target) {
    return add(target == Target::kPortal ? Request::kDescribePortal : Request::kDescribeStatement,
               Describe{target, ""});
  }
  Session& execute(std::int32_t rows = 0) { return add(Request::kExecute, Execute{"", rows}); }
  Session& sync() { return add(Request::kSync, Sync{}); }
  Session& flush() { return add(Request::kFlush, Flush{}); }
  Session& data(ByteView bytes) {
    encode(CopyData{bytes});
    return *this;
  }
  Session& copy_done() { return add(Request::kCopyDone, CopyDone{}); }

  /// Sends what was added and reads while the queue expects something; the types of all messages
  /// but asynchronous ones. '#' where the queue disagrees. `talk` stops where COPY asks for data.
  std::string talk() { return converse(true); }
  std::string talk_through_copy() { return converse(false); }

  ReplyQueue queue;

 private:
  std::string converse(bool stop_at_copy) {
    socket_.write(std::exchange(out_, {}));
    std::string types;
    settle();
    while (!queue.empty() && !(stop_at_copy && queue.in_copy_in())) {
      const auto framed = framer_.next(unread_);
      REQUIRE(framed);
      if (!framed->complete()) {
        if (!socket_.read(unread_)) return types + "...";
        continue;
      }
      const Frame frame = framed->item;
      const auto disposal = queue.on_backend(frame.backend(), frame.body);
      if (!disposal) return types + "#" + frame.type;
      if (!disposal->asynchronous) types.push_back(frame.type);
      unread_.erase(0, frame.whole.size());
      settle();
    }
    if (queue.releasable()) CHECK(unread_.empty());
    return types;
  }
  template <typename Message>
  void encode(const Message& message) {
    if constexpr (std::is_void_v<decltype(message.encode(out_))>) {
      message.encode(out_);
    } else {
      REQUIRE(message.encode(out_));
    }
  }
  void settle() {
    while (queue.next_completion()) {
    }
  }

  Socket socket_;
  Framer framer_{Direction::kFromBackend, Phase::kReady};
  Bytes out_;
  Bytes unread_;
  std::uint64_t tag_ = 0;
};

/// One text value from a simple query.
Bytes scalar(const Socket& socket, ByteView sql) {
  Bytes out;
  REQUIRE(Query{sql}.encode(out));
  socket.write(out);
  const Framer framer(Direction::kFromBackend, Phase::kReady);
  Bytes unread, value;
  while (true) {
    const auto framed = framer.next(unread);
    REQUIRE(framed);
    if (!framed->complete()) {
      REQUIRE(socket.read(unread));
      continue;
    }
    if (framed->item.type == 'D') value = *DataRow::decode(framed->item.body)->values[0];
    if (framed->item.type == 'Z') return value;
    unread.erase(0, framed->item.whole.size());
  }
}

/// Plays the server for one client over `listener` and answers its query with one row.
LoginStep::Kind serve_one(int listener, UserAnswer answer) {
  Socket socket(::accept(listener, nullptr, nullptr));
  ClientLogin login({TlsPolicy::kRefuse, &kOpenssl, "mock key", 4096, openssl_md5});
  Bytes unread, out;
  while (true) {
    const LoginStep step = login.advance(unread, out);
    unread.erase(0, step.consumed);
    socket.write(std::exchange(out, {}));
    if (step.kind == LoginStep::Kind::kLookupUser) {
      login.answer(std::move(answer));
    } else if (step.kind == LoginStep::Kind::kRead) {
      if (!socket.read(unread)) return step.kind;
    } else if (step.kind != LoginStep::Kind::kAuthenticated) {
      return step.kind;
    } else {
      break;
    }
  }
  REQUIRE(BackendKeyData{1, "1234"}.encode(out));
  ReadyForQuery{}.encode(out);
  socket.write(std::exchange(out, {}));
  REQUIRE(socket.read(unread));
  RowDescriptionWriter description(out, 1);
  description.field({"greeting", 0, 0, 25, -1, -1, 0});
  REQUIRE(description.finish());
  DataRowWriter row(out, 1);
  row.value("hello " + login.request().user);
  REQUIRE(row.finish());
  REQUIRE(CommandComplete{"SELECT 1"}.encode(out));
  ReadyForQuery{}.encode(out);
  socket.write(out);
  return LoginStep::Kind::kAuthenticated;
}

struct PsqlRun {
  LoginStep::Kind login;
  std::string output;
};

PsqlRun psql_against_us(const std::string& password, UserAnswer answer) {
  const TempFolder folder;
  const Socket listener(::socket(AF_UNIX, SOCK_STREAM, 0));
  const sockaddr_un address = address_of(folder.socket());
  REQUIRE(::bind(listener.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(listener.fd(), 1) == 0);
  std::string output;
  std::thread client([&] {
    const std::string command = "PGPASSWORD=" + password +
                                " timeout 20 /usr/lib/postgresql/15/bin/psql -X -A -t -h " +
                                folder.path() + " -U alice -d app -c 'select greeting' 2>&1";
    FILE* pipe = ::popen(command.c_str(), "r");
    char buffer[4096];
    while (pipe != nullptr && std::fgets(buffer, sizeof buffer, pipe) != nullptr) output += buffer;
    if (pipe != nullptr) ::pclose(pipe);
  });
  const LoginStep::Kind kind = serve_one(listener.fd(), std::move(answer));
  client.join();
  return {kind, output};
}

/// Login, at both protocol minors, and its facts.
void login_and_facts(const PostgresServer& server) {
  for (const std::uint16_t minor : {0, 2}) {
    const Socket socket = server.connect();
    ServerLogin login(login_options("secret", minor));
    REQUIRE(log_in(socket, login) == ServerStep::Kind::kReady);
    const ServerFacts facts = login.take_facts();
    CHECK(facts.parameter("server_version").starts_with("15"));
    CHECK(facts.parameter("application_name") == "postern test");
    CHECK(facts.pid != 0);
    CHECK(facts.cancel_key.size() == 4);
    CHECK(facts.minor == 0);  // PostgreSQL 15 speaks 3.0 only
  }
}

/// A wrong password is told in the server's words.
void wrong_password(const PostgresServer& server) {
  const Socket socket = server.connect();
  ServerLogin login(login_options("wrong"));
  CHECK(log_in(socket, login) == ServerStep::Kind::kFailed);
  CHECK(login.error().code == pst::kUpstreamLoginFailed);
  CHECK(login.server_error()->get('C') == "28P01");
}

/// Our stored secret equals PostgreSQL's.
void stored_secret(const PostgresServer& server) {
  const Socket socket = server.connect();
  ServerLogin login(login_options("secret"));
  REQUIRE(log_in(socket, login) == ServerStep::Kind::kReady);
  const Bytes theirs =
      scalar(socket, "select rolpassword from pg_authid where rolname = 'postgres'");
  const auto parsed = ScramSecret::parse(theirs);
  REQUIRE(parsed);
  const auto ours = build_scram_secret(kOpenssl, "secret", parsed->salt, parsed->iterations);
  REQUIRE(ours);
  CHECK(ours->format() == theirs);
}

/// The reply queue agrees with the server.
void queries_and_batches(const PostgresServer& server) {
  Session s(server);
  CHECK(s.query("select 1; select 2").talk() == "TDCTDCZ");
  CHECK(s.query("").talk() == "IZ");
  CHECK(s.query("select 1/0; select 2").talk() == "EZ");
  CHECK(s.query("create temp table t (i int primary key deferrable initially deferred)").talk() ==
        "CZ");
  CHECK(s.parse("select generate_series(1,3)")
            .describe(Target::kStatement)
            .bind()
            .describe(Target::kPortal)
            .execute(2)
            .execute(2)
            .sync()
            .talk() == "1tT2TDDsDCZ");
  CHECK(s.queue.releasable());
  // The server stops at the first error of a batch, and a Query in it gets no answer.
  CHECK(s.parse("select 1")
            .parse("bad sql")
            .bind()
            .query("select 3")
            .execute()
            .sync()
            .parse("select 4")
            .bind()
            .execute()
            .sync()
            .talk() == "1EZ12DCZ");
  // A Query in a sound batch does, and ends its transaction.
  CHECK(s.parse("select 1").query("select 3").sync().talk() == "1TDCZZ");
  // A deferred constraint fails at Sync.
  CHECK(s.parse("insert into t values (1), (1)").bind().execute().sync().query("select 1").talk() ==
        "12CEZTDCZ");
  // Flush, and an error seen before Sync was sent.
  CHECK(s.parse("bad sql").flush().talk() == "E");
  CHECK(s.queue.skipping());
  CHECK(s.parse("select 1").bind().sync().talk() == "Z");
  CHECK(s.query("begin").talk() == "CZ");
  CHECK(s.queue.transaction_status() == TransactionStatus::kInTransaction);
  CHECK(s.query("bad").query("rollback").talk() == "EZCZ");
  CHECK(s.queue.releasable());
}

/// Function calls.
void function_calls(const PostgresServer& server) {
  Session s(server);
  Bytes formats, values;
  const std::int16_t binary[] = {1};
  ValueList::append(values, lit("\0\0\0\x05"));
  // int4abs is function 1397.
  s.add(Request::kFunctionCall,
        FunctionCall{1397, FormatList::pack(binary, formats), ValueList::over(values, 1), 1});
  CHECK(s.talk() == "VZ");
  s.add(Request::kFunctionCall, FunctionCall{1, {}, {}, 0});
  CHECK(s.talk() == "EZ");
}

/// COPY, in every way the protocol allows.
void copy_step_by_step(const PostgresServer& server) {
  Session s(server);
  CHECK(s.query("create temp table c (i int)").talk() == "CZ");
  CHECK(s.query("copy c from stdin; copy c from stdin").talk() == "G");
  CHECK(s.data("1\n").copy_done().talk() == "CG");
  CHECK(s.data("2\n").copy_done().talk() == "CZ");
  CHECK(s.query("copy c to stdout").talk() == "HddcCZ");
  CHECK(s.query("copy c from stdin").talk() == "G");
  CHECK(s.data("not a number\n").copy_done().query("select 1").talk() == "EZTDCZ");
  CHECK(s.query("copy c from stdin").talk() == "G");
  CHECK(s.add(Request::kCopyFail, CopyFail{"changed my mind"}).talk() == "EZ");
  CHECK(s.queue.releasable());
  const ByteView copy = "copy c from stdin";
  // Extended: with Sync behind CopyDone, with a Sync sent blindly before, and all at once.
  CHECK(s.parse(copy).bind().execute().flush().talk() == "12G");
  CHECK(s.data("3\n").copy_done().sync().talk() == "CZ");
  CHECK(s.parse(copy).bind().execute().sync().talk() == "12G");
  CHECK(s.data("4\n").copy_done().sync().talk() == "CZ");
}

/// COPY sent all at once, good and bad.
void copy_at_once(const PostgresServer& server) {
  Session s(server);
  CHECK(s.query("create temp table c (i int)").talk() == "CZ");
  const ByteView copy = "copy c from stdin";
  s.parse(copy).bind().execute().data("5\n").copy_done().sync();
  CHECK(s.talk_through_copy() == "12GCZ");
  s.parse(copy).bind().execute().data("x\n").copy_done().sync().query("select 1");
  CHECK(s.talk_through_copy() == "12GEZTDCZ");
  CHECK_FALSE(s.queue.uncertain());
  CHECK(s.parse(copy).bind().execute().sync().talk() == "12G");
  s.data("x\n").copy_done().sync();
  CHECK(s.talk_through_copy() == "EZ");
  CHECK(s.queue.uncertain());
}

}  // namespace

TEST_CASE("psql logs in to us with SCRAM") {
  auto secret = build_scram_secret(kOpenssl, "pw", "0123456789abcdef");
  REQUIRE(secret);
  const PsqlRun good = psql_against_us("pw", KnownUser{*secret});
  CHECK(good.login == LoginStep::Kind::kAuthenticated);
  CHECK(good.output == "hello alice\n");
  for (const bool known : {true, false}) {
    const PsqlRun bad = psql_against_us(
        "wrong", known ? UserAnswer(KnownUser{*secret}) : UserAnswer(UnknownUser{}));
    CHECK(bad.login == LoginStep::Kind::kFailed);
    CHECK(bad.output.find("FATAL:  password authentication failed for user \"alice\"") !=
          std::string::npos);
  }
}

TEST_CASE("psql is told that md5 needs TLS") {
  auto hash = md5_hash(openssl_md5, "pw", "alice");
  REQUIRE(hash);
  const PsqlRun run = psql_against_us("pw", Md5User{std::move(*hash)});
  CHECK(run.login == LoginStep::Kind::kFailed);
  CHECK(run.output.find("FATAL:  md5 is taken over TLS only") != std::string::npos);
}

TEST_CASE("a real server") {
  const PostgresServer server;
  login_and_facts(server);
  wrong_password(server);
  stored_secret(server);
  queries_and_batches(server);
  function_calls(server);
  copy_step_by_step(server);
  copy_at_once(server);
}
