// Every keyword of PQconndefaults with a value that must show its effect.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "libpq_client.h"

// Connects with the changes; the connection, or NULL and the step has failed.
static PGconn* must(const char* changes) {
  PGconn* conn = connect_with(changes);
  if (PQstatus(conn) == CONNECTION_OK) return conn;
  failed("%s: %s", changes, PQerrorMessage(conn));
  PQfinish(conn);
  return NULL;
}

static void works(const char* changes) {
  PGconn* conn = must(changes);
  if (conn == NULL) return;
  expect_text(one(conn, "SELECT 'fine'"), "fine");
  PQfinish(conn);
}

static void shows(const char* changes, const char* sql, const char* wanted) {
  PGconn* conn = must(changes);
  if (conn == NULL) return;
  expect_text(one(conn, sql), wanted);
  PQfinish(conn);
}

// The connection must fail with a message that has this part.
static void refused(const char* changes, const char* part) {
  PGconn* conn = connect_with(changes);
  if (PQstatus(conn) == CONNECTION_OK) {
    failed("%s: connected", changes);
  } else if (!contains(PQerrorMessage(conn), part)) {
    failed("%s: %s", changes, PQerrorMessage(conn));
  }
  PQfinish(conn);
}

static const char* format(const char* pattern, const char* first, const char* second) {
  static char text[4096];
  snprintf(text, sizeof text, pattern, first, second);
  return text;
}

static const char* home_file(const char* name) {
  static char path[2][1024];
  static int which;
  which ^= 1;
  snprintf(path[which], sizeof path[which], "%s/%s", getenv("HOME"), name);
  return path[which];
}

static void write_file(const char* name, const char* text) {
  FILE* file = fopen(home_file(name), "w");
  if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0) failed("no %s", name);
  chmod(home_file(name), 0600);
}

// --- who and where -------------------------------------------------------------------------------

static void service(void) {
  char text[1024];
  snprintf(text, sizeof text,
           "[here]\nhost=%s\nport=%s\ndbname=%s\nuser=%s\napplication_name=served\n",
           getenv("D_HOST"), getenv("D_PORT"), getenv("D_DBNAME"), getenv("D_USER"));
  write_file("services", text);
  setenv("PGSERVICEFILE", home_file("services"), 1);
  PGconn* conn =
      connect_to("service=here sslmode=require", format("password=%s%s", getenv("D_PASSWORD"), ""));
  if (PQstatus(conn) != CONNECTION_OK)
    failed("%s", PQerrorMessage(conn));
  else
    expect_text(one(conn, "SHOW application_name"), "served");
  PQfinish(conn);
}

static void user(void) {
  shows("", "SELECT current_user", getenv("D_USER"));
  refused("user=nobody_knows", "password authentication failed for user \"nobody_knows\"");
}

static void password(void) {
  refused("password=wrong", "password authentication failed");
  setenv("PGPASSFILE", "/nonexistent", 1);
  refused("password=''", "no password supplied");
  unsetenv("PGPASSFILE");
}

static void passfile(void) {
  char text[1024];
  snprintf(text, sizeof text, "%s:%s:%s:%s:%s\n", getenv("D_HOST"), getenv("D_PORT"),
           getenv("D_DBNAME"), getenv("D_USER"), getenv("D_PASSWORD"));
  write_file("passwords", text);
  works(format("password='' passfile='%s'%s", home_file("passwords"), ""));
}

static void dbname(void) {
  shows("", "SELECT current_database()", getenv("D_DBNAME"));
  refused("dbname=no_such_database", "\"no_such_database\"");
}

// A port that nobody listens on, held by a socket that is bound only.
static int bound_port(bool listening) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  int handle = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(handle, (struct sockaddr*)&address, sizeof address) != 0) failed("no port");
  if (listening && listen(handle, 8) != 0) failed("no listener");
  getsockname(handle, (struct sockaddr*)&address, &length);
  return ntohs(address.sin_port);
}

static void several(int first_port, const char* more) {
  char changes[256];
  snprintf(changes, sizeof changes, "host=localhost,localhost port=%d,%s %s", first_port,
           getenv("D_PORT"), more);
  PGconn* conn = must(changes);
  if (conn == NULL) return;
  expect_text(PQport(conn), getenv("D_PORT"));
  expect_text(one(conn, "SELECT 'fine'"), "fine");
  PQfinish(conn);
}

static void host(void) {
  works("host=localhost");
  several(bound_port(false), "");
  refused("host=no-such-host.invalid", "could not translate host name");
}

static void hostaddr(void) {
  works("host=localhost hostaddr=127.0.0.1");
  refused("host=elsewhere.invalid hostaddr=127.0.0.1", "does not match host name");
}

static void port(void) {
  char changes[64];
  snprintf(changes, sizeof changes, "port=%d", bound_port(false));
  refused(changes, "Connection refused");
  works("");
}

static void connect_timeout(void) {
  works("connect_timeout=10");
  // A first host that takes the connection and says nothing is given up.
  time_t started = time(NULL);
  several(bound_port(true), "connect_timeout=2");
  if (time(NULL) - started > 8) failed("it took %ld s", (long)(time(NULL) - started));
}

// --- what the server is told ---------------------------------------------------------------------

static void client_encoding(void) {
  shows("client_encoding=LATIN1", "SHOW client_encoding", "LATIN1");
  shows("client_encoding=LATIN1", "SELECT chr(233)", "\xe9");
  shows("client_encoding=auto", "SELECT chr(233)", "\xc3\xa9");
  refused("client_encoding=no_such_encoding", "invalid value for parameter \"client_encoding\"");
}

static void options(void) {
  shows("options='-c statement_timeout=4321 -c search_path=other'", "SHOW statement_timeout",
        "4321ms");
  shows("options='-c statement_timeout=4321 -csearch_path=other'", "SELECT place FROM marker",
        "other");
  shows("options='-c geqo=off --work_mem=3MB'", "SHOW work_mem", "3MB");
  // libpq takes one of the two backslashes, the server the other.
  shows("options='-c DateStyle=German,\\\\ DMY'", "SHOW DateStyle", "German, DMY");
  refused("options='-c no_such_setting=1'", "unrecognized configuration parameter");
}

static const char* const kApplication =
    "SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()";

static void application_name(void) {
  shows("application_name='a name'", kApplication, "a name");
  PGconn* conn = must("application_name='a name'");
  if (conn == NULL) return;
  expect_text(PQparameterStatus(conn, "application_name"), "a name");
  PQfinish(conn);
}

static void fallback_application_name(void) {
  char nameless[2048];
  snprintf(nameless, sizeof nameless, "%s", settings());
  *strstr(nameless, "application_name") = '\0';
  PGconn* conn = connect_to(nameless, "fallback_application_name=second");
  if (PQstatus(conn) != CONNECTION_OK)
    failed("%s", PQerrorMessage(conn));
  else
    expect_text(one(conn, kApplication), "second");
  PQfinish(conn);
  shows("application_name=first fallback_application_name=second", kApplication, "first");
}

// --- the socket ----------------------------------------------------------------------------------

static void socket_option(const char* changes, int level, int option, int wanted) {
  PGconn* conn = must(changes);
  if (conn == NULL) return;
  int value = -1;
  socklen_t length = sizeof value;
  getsockopt(PQsocket(conn), level, option, &value, &length);
  if (value != wanted) failed("%s: %d instead of %d", changes, value, wanted);
  expect_text(one(conn, "SELECT 'fine'"), "fine");
  PQfinish(conn);
}

static void keepalives(void) {
  socket_option("keepalives=1", SOL_SOCKET, SO_KEEPALIVE, 1);
  socket_option("keepalives=0", SOL_SOCKET, SO_KEEPALIVE, 0);
}

static void keepalives_idle(void) {
  socket_option("keepalives_idle=77", IPPROTO_TCP, TCP_KEEPIDLE, 77);
}

static void keepalives_interval(void) {
  socket_option("keepalives_interval=7", IPPROTO_TCP, TCP_KEEPINTVL, 7);
}

static void keepalives_count(void) {
  socket_option("keepalives_count=5", IPPROTO_TCP, TCP_KEEPCNT, 5);
}

static void tcp_user_timeout(void) {
  socket_option("tcp_user_timeout=12345", IPPROTO_TCP, TCP_USER_TIMEOUT, 12345);
}

// --- TLS -----------------------------------------------------------------------------------------

static void encrypted(const char* changes) {
  PGconn* conn = must(changes);
  if (conn == NULL) return;
  if (!PQsslInUse(conn)) failed("%s: without TLS", changes);
  expect_text(one(conn, "SELECT 'fine'"), "fine");
  PQfinish(conn);
}

// The server wants TLS of this login: `allow` tries without first.
static void sslmode(void) {
  refused("sslmode=disable", "FATAL:");
  encrypted("sslmode=allow sslrootcert=''");
  encrypted("sslmode=prefer sslrootcert=''");
  encrypted("sslmode=require sslrootcert=''");
  encrypted("sslmode=verify-ca");
  encrypted("sslmode=verify-full");
}

static void channel_binding(void) {
  works("channel_binding=disable");
  works("channel_binding=prefer");
  works("channel_binding=require");
}

static void sslcompression(void) {
  encrypted("sslcompression=0");
  encrypted("sslcompression=1");
}

static void sslcert(void) {
  encrypted(format("sslcert='%s' sslkey='%s'", home_file("client.crt"), home_file("client.key")));
}

static void sslkey(void) {
  sslcert();
  refused(format("sslcert='%s' sslkey='%s'", home_file("client.crt"), "/nonexistent"),
          "private key file \"/nonexistent\"");
}

static void sslpassword(void) {
  char changes[2048];
  snprintf(changes, sizeof changes, "sslcert='%s' sslkey='%s' sslpassword=secret",
           home_file("client.crt"), home_file("locked.key"));
  encrypted(changes);
}

static void sslrootcert(void) {
  encrypted(format("sslrootcert='%s'%s", getenv("D_CA"), ""));
  refused(format("sslrootcert='%s'%s", getenv("D_WRONG_CA"), ""), "certificate verify failed");
}

static void sslcrl(void) {
  encrypted(format("sslcrl='%s'%s", home_file("empty.crl"), ""));
  refused(format("sslcrl='%s'%s", home_file("revoked.crl"), ""), "certificate verify failed");
}

static void sslcrldir(void) {
  encrypted(format("sslcrldir='%s'%s", home_file("crl-empty"), ""));
  refused(format("sslcrldir='%s'%s", home_file("crl-revoked"), ""), "certificate verify failed");
}

static void sslsni(void) {
  encrypted("sslsni=0");
  encrypted("sslsni=1");
}

static void protocol(const char* changes, const char* wanted) {
  PGconn* conn = must(changes);
  if (conn == NULL) return;
  expect_text(PQsslAttribute(conn, "protocol"), wanted);
  PQfinish(conn);
}

static void ssl_min_protocol_version(void) {
  protocol("ssl_min_protocol_version=TLSv1.3", "TLSv1.3");
}

static void ssl_max_protocol_version(void) {
  protocol("ssl_max_protocol_version=TLSv1.2", "TLSv1.2");
}

// --- the rest ------------------------------------------------------------------------------------

static void requirepeer(void) {
  works("requirepeer=postgres");
}  // Unix sockets only

static void gssencmode(void) {
  works("gssencmode=disable");
  works("gssencmode=prefer");
}

static void krbsrvname(void) {
  works("krbsrvname=postgres");
}

static void gsslib(void) {
  works("gsslib=gssapi");
}

static void replication(void) {
  shows("replication=false", "SELECT 1", "1");
  shows("replication=database", "SELECT 1", "1");
  PGconn* conn = must("replication=database");
  if (conn == NULL) return;
  PGresult* result = PQexec(conn, "IDENTIFY_SYSTEM");
  if (PQntuples(result) != 1 || PQnfields(result) != 4) failed("%s", PQerrorMessage(conn));
  PQclear(result);
  PQfinish(conn);
}

static void target_session_attrs(void) {
  works("target_session_attrs=any");
  works("target_session_attrs=read-write");
  works("target_session_attrs=primary");
  works("target_session_attrs=prefer-standby");
  refused("target_session_attrs=standby", "server is not in hot standby mode");
  refused("target_session_attrs=read-only", "session is not read-only");
  works("target_session_attrs=read-only options='-c default_transaction_read_only=on'");
  refused("target_session_attrs=read-write options='-c default_transaction_read_only=on'",
          "session is read-only");
  several(bound_port(false), "target_session_attrs=read-write");
}

static const struct {
  const char* name;
  void (*check)(void);
} kChecks[] = {
#define CHECK(name) {#name, name}
    CHECK(service),
    CHECK(user),
    CHECK(password),
    CHECK(passfile),
    CHECK(channel_binding),
    CHECK(connect_timeout),
    CHECK(dbname),
    CHECK(host),
    CHECK(hostaddr),
    CHECK(port),
    CHECK(client_encoding),
    CHECK(options),
    CHECK(application_name),
    CHECK(fallback_application_name),
    CHECK(keepalives),
    CHECK(keepalives_idle),
    CHECK(keepalives_interval),
    CHECK(keepalives_count),
    CHECK(tcp_user_timeout),
    CHECK(sslmode),
    CHECK(sslcompression),
    CHECK(sslcert),
    CHECK(sslkey),
    CHECK(sslpassword),
    CHECK(sslrootcert),
    CHECK(sslcrl),
    CHECK(sslcrldir),
    CHECK(sslsni),
    CHECK(requirepeer),
    CHECK(ssl_min_protocol_version),
    CHECK(ssl_max_protocol_version),
    CHECK(gssencmode),
    CHECK(krbsrvname),
    CHECK(gsslib),
    CHECK(replication),
    CHECK(target_session_attrs),
#undef CHECK
};

static void check_keyword(const char* keyword) {
  for (size_t i = 0; i < sizeof kChecks / sizeof kChecks[0]; i++) {
    if (strcmp(kChecks[i].name, keyword) == 0) {
      kChecks[i].check();
      return;
    }
  }
  failed("no check for this keyword of libpq");
}

void keyword_steps(void) {
  PQconninfoOption* all = PQconndefaults();
  for (PQconninfoOption* each = all; each->keyword != NULL; each++) {
    char name[80];
    snprintf(name, sizeof name, "keyword_%s", each->keyword);
    begin_step();
    check_keyword(each->keyword);
    end_step(name);
  }
  PQconninfoFree(all);
}
