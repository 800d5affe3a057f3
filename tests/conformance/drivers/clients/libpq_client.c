// The common script with libpq: text and binary values, portals, pipeline mode.
#include "libpq_client.h"

#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static PGconn* db;
static char why[2048];

// --- tools ---------------------------------------------------------------------------------------

void failed(const char* format, ...) {
  if (why[0] != '\0') return;
  va_list values;
  va_start(values, format);
  vsnprintf(why, sizeof why, format, values);
  va_end(values);
  for (char* c = why; *c != '\0'; c++) {
    if (*c == '\n') *c = '|';
  }
}

void begin_step(void) {
  why[0] = '\0';
}
bool step_failed(void) {
  return why[0] != '\0';
}

void end_step(const char* name) {
  if (step_failed())
    printf("FAIL %s %s\n", name, why);
  else
    printf("ok %s\n", name);
  fflush(stdout);
}

static void step(const char* name, void (*action)(void)) {
  begin_step();
  action();
  end_step(name);
}

bool contains(const char* text, const char* part) {
  return text != NULL && strstr(text, part) != NULL;
}

void expect_text(const char* actual, const char* wanted) {
  if (actual == NULL || strcmp(actual, wanted) != 0) {
    failed("%.200s instead of %.200s", actual ? actual : "(null)", wanted);
  }
}

static void expect(long actual, long wanted) {
  if (actual != wanted) failed("%ld instead of %ld", actual, wanted);
}

const char* settings(void) {
  static char text[2048];
  snprintf(text, sizeof text,
           "host=%s port=%s user=%s password=%s dbname=%s sslmode=verify-full sslrootcert='%s' "
           "application_name='driver libpq'",
           getenv("D_HOST"), getenv("D_PORT"), getenv("D_USER"), getenv("D_PASSWORD"),
           getenv("D_DBNAME"), getenv("D_CA"));
  return text;
}

PGconn* connect_to(const char* base, const char* changes) {
  char text[8192];
  snprintf(text, sizeof text, "%s %s", base, changes);
  return PQconnectdb(text);
}

PGconn* connect_with(const char* changes) {
  return connect_to(settings(), changes);
}

// The result of a text with up to one parameter; kept until the next call.
static PGresult* ask_on(PGconn* on, const char* sql, const char* value) {
  static PGresult* last;
  PQclear(last);
  last = value == NULL ? PQexec(on, sql) : PQexecParams(on, sql, 1, NULL, &value, NULL, NULL, 0);
  return last;
}

static PGresult* good(PGresult* result) {
  ExecStatusType status = PQresultStatus(result);
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
    failed("%s", PQresultErrorMessage(result));
  }
  return result;
}

static PGresult* run(const char* sql) {
  return good(ask_on(db, sql, NULL));
}

const char* one(PGconn* on, const char* sql) {
  return PQgetvalue(good(ask_on(on, sql, NULL)), 0, 0);
}

static const char* field(const PGresult* result, int code) {
  const char* text = PQresultErrorField(result, code);
  return text != NULL ? text : "(none)";
}

// The text must fail with this SQLSTATE.
static PGresult* fails(const char* sql, const char* value, const char* sqlstate) {
  PGresult* result = ask_on(db, sql, value);
  expect_text(field(result, PG_DIAG_SQLSTATE), sqlstate);
  return result;
}

// --- logins --------------------------------------------------------------------------------------

static void connecting(void) {
  expect_text(one(db, "SELECT current_user"), getenv("D_USER"));
  expect_text(one(db, "SELECT current_database()"), getenv("D_DBNAME"));
  expect(PQsslInUse(db), 1);
}

static void refused(const char* changes, const char* part) {
  PGconn* conn = connect_with(changes);
  if (PQstatus(conn) == CONNECTION_OK)
    failed("connected");
  else if (!contains(PQerrorMessage(conn), part))
    failed("%s", PQerrorMessage(conn));
  PQfinish(conn);
}

static void tls_verify(void) {
  char changes[1024];
  snprintf(changes, sizeof changes, "sslrootcert='%s'", getenv("D_WRONG_CA"));
  refused(changes, "certificate verify failed");
}

static void wrong_password(void) {
  refused("password=wrong", "password authentication failed");
}

static void connections(void) {
  PGconn* many[8];
  for (int n = 0; n < 8; n++) many[n] = connect_with("");
  for (int n = 0; n < 8; n++) {
    char sql[32];
    snprintf(sql, sizeof sql, "SELECT %d", n);
    expect_text(one(many[n], sql), sql + 7);
    PQfinish(many[n]);
  }
}

static void application_name(void) {
  expect_text(one(db, "SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()"),
              "driver libpq");
}

// --- values --------------------------------------------------------------------------------------

static void text_value(char** type) {
  char sql[256];
  snprintf(sql, sizeof sql, "SELECT ($1::text)::%s%s", type[1], type[3]);
  expect_text(PQgetvalue(good(ask_on(db, sql, type[2])), 0, 0), type[2]);
}

// The server's binary form is sent back as it came.
static void native_value(char** type) {
  char sql[256];
  const char* literal = type[2];
  snprintf(sql, sizeof sql, "SELECT ($1::text)::%s", type[1]);
  PGresult* fetched = good(PQexecParams(db, sql, 1, NULL, &literal, NULL, NULL, 1));
  const char* value = PQgetvalue(fetched, 0, 0);
  int length = PQgetlength(fetched, 0, 0), binary = 1;
  expect(PQfformat(fetched, 0), 1);
  snprintf(sql, sizeof sql, "SELECT ($1::%s)%s", type[1], type[3]);
  PGresult* sent = good(PQexecParams(db, sql, 1, NULL, &value, &length, &binary, 0));
  expect_text(PQgetvalue(sent, 0, 0), literal);
  PQclear(sent);
  PQclear(fetched);
}

static void value_steps(const char* prefix, void (*check)(char**)) {
  char line[512], name[128];
  FILE* file = fopen(getenv("D_TYPES"), "r");
  while (file != NULL && fgets(line, sizeof line, file) != NULL) {
    char *type[4], *rest = line;
    line[strcspn(line, "\n")] = '\0';
    for (int i = 0; i < 4; i++) type[i] = strsep(&rest, "\t");
    snprintf(name, sizeof name, "%s%s", prefix, type[0]);
    begin_step();
    check(type);
    end_step(name);
  }
  if (file != NULL) fclose(file);
}

static void nulls(void) {
  const char* value = NULL;
  PGresult* result = good(
      PQexecParams(db, "SELECT $1::text IS NULL, NULL::int4, ''", 1, NULL, &value, NULL, NULL, 0));
  expect_text(PQgetvalue(result, 0, 0), "t");
  expect(PQgetisnull(result, 0, 1), 1);
  expect(PQgetisnull(result, 0, 2), 0);
  PQclear(result);
}

// --- statements ----------------------------------------------------------------------------------

static void prepare(const char* name, const char* sql) {
  PQclear(good(PQprepare(db, name, sql, 0, NULL)));
}

static void execute(const char* name, const char* value, const char* wanted) {
  PGresult* result = good(PQexecPrepared(db, name, 1, &value, NULL, NULL, 0));
  expect_text(PQgetvalue(result, 0, 0), wanted);
  PQclear(result);
}

static void prepared(void) {
  prepare("plus_one", "SELECT $1::int4 + 1");
  prepare("twice", "SELECT $1::text || $1");
  for (int n = 0; n < 12; n++) {
    char value[16], wanted[16];
    snprintf(value, sizeof value, "%d", n);
    snprintf(wanted, sizeof wanted, "%d", n + 1);
    execute("plus_one", value, wanted);
    execute("twice", "a", "aa");
  }
  PGresult* told = good(PQdescribePrepared(db, "plus_one"));
  expect(PQnparams(told), 1);
  expect(PQparamtype(told, 0), 23);
  PQclear(told);
  PGresult* again = PQprepare(db, "twice", "SELECT 1", 0, NULL);
  expect_text(field(again, PG_DIAG_SQLSTATE), "42P05");
  PQclear(again);
  run("DEALLOCATE plus_one");
  const char* value = "1";
  PGresult* gone = PQexecPrepared(db, "plus_one", 1, &value, NULL, NULL, 0);
  expect_text(field(gone, PG_DIAG_SQLSTATE), "26000");
  PQclear(gone);
  run("DEALLOCATE ALL");
}

static long sum(const PGresult* result) {
  long total = 0;
  for (int i = 0; i < PQntuples(result); i++) total += atol(PQgetvalue(result, i, 0));
  return total;
}

static void cursor(void) {
  long total = 0;
  run("BEGIN");
  run("DECLARE rows CURSOR FOR SELECT generate_series(1, 1000)");
  PGresult* told = good(PQdescribePortal(db, "rows"));
  expect(PQnfields(told), 1);
  PQclear(told);
  for (PGresult* part = run("FETCH 100 FROM rows"); PQntuples(part) > 0 && !step_failed();
       part = run("FETCH 100 FROM rows")) {
    total += sum(part);
  }
  run("COMMIT");
  expect(total, 500500);
  expect(PQsendQuery(db, "SELECT generate_series(1, 1000)") && PQsetSingleRowMode(db), 1);
  for (PGresult* row = PQgetResult(db); row != NULL; row = PQgetResult(db)) {
    total += sum(row);
    PQclear(row);
  }
  expect(total, 1001000);
}

static void put_line(const char* line) {
  if (PQputCopyData(db, line, (int)strlen(line)) != 1) failed("%s", PQerrorMessage(db));
}

static void end_copy(const char* sqlstate) {
  expect(PQputCopyEnd(db, NULL), 1);
  for (PGresult* result = PQgetResult(db); result != NULL; result = PQgetResult(db)) {
    if (sqlstate != NULL)
      expect_text(field(result, PG_DIAG_SQLSTATE), sqlstate);
    else
      good(result);
    PQclear(result);
  }
}

static void copy_in(void) {
  char line[64];
  PQclear(PQexec(db, "COPY numbers FROM STDIN"));
  for (int n = 0; n < 10000; n++) {
    snprintf(line, sizeof line, "%d\tlabel %d\n", n, n);
    put_line(line);
  }
  end_copy(NULL);
  expect_text(one(db, "SELECT sum(n) FROM numbers"), "49995000");
  PQclear(PQexec(db, "COPY numbers FROM STDIN"));
  put_line("not a number\tx\n");
  end_copy("22P02");
  PQclear(PQexec(db, "COPY numbers FROM STDIN"));
  put_line("1\tx\n");
  expect(PQputCopyEnd(db, "changed my mind"), 1);
  PGresult* result = PQgetResult(db);
  expect_text(field(result, PG_DIAG_SQLSTATE), "57014");
  PQclear(result);
  expect(PQgetResult(db) == NULL, 1);
  expect_text(one(db, "SELECT count(*) FROM numbers"), "10000");
}

static void copy_out(void) {
  long total = 0;
  char* line = NULL;
  PQclear(PQexec(db, "COPY (SELECT generate_series(1, 10000)) TO STDOUT"));
  while (PQgetCopyData(db, &line, 0) > 0) {
    total += atol(line);
    PQfreemem(line);
  }
  PQclear(good(PQgetResult(db)));
  expect(PQgetResult(db) == NULL, 1);
  expect(total, 50005000);
}

static void* canceller(void* unused) {
  (void)unused;
  static char told[256];
  PGcancel* request = PQgetCancel(db);
  usleep(500000);
  if (PQcancel(request, told, sizeof told) != 1) failed("%s", told);
  PQfreeCancel(request);
  return NULL;
}

static void cancel(void) {
  pthread_t thread;
  time_t started = time(NULL);
  pthread_create(&thread, NULL, canceller, NULL);
  fails("SELECT pg_sleep(20)", NULL, "57014");
  pthread_join(thread, NULL);
  if (time(NULL) - started > 10) failed("too slow");
  expect_text(one(db, "SELECT 1"), "1");
}

// --- errors and news -----------------------------------------------------------------------------

static void error_unique(void) {
  PGresult* told = fails("INSERT INTO items VALUES (2, $1)", "one", "23505");
  expect_text(field(told, PG_DIAG_SCHEMA_NAME), "public");
  expect_text(field(told, PG_DIAG_TABLE_NAME), "items");
  expect_text(field(told, PG_DIAG_CONSTRAINT_NAME), "items_name_key");
  expect_text(field(told, PG_DIAG_MESSAGE_DETAIL), "Key (name)=(one) already exists.");
  expect_text(field(told, PG_DIAG_SEVERITY_NONLOCALIZED), "ERROR");
  expect_text(field(told, PG_DIAG_SOURCE_FUNCTION), "_bt_check_unique");
}

static void error_syntax(void) {
  PGresult* told = fails("SELECT 1 FRM items", NULL, "42601");
  expect_text(field(told, PG_DIAG_STATEMENT_POSITION), "14");
}

static void error_in_transaction(void) {
  run("BEGIN");
  run("INSERT INTO items VALUES (3, 'three')");
  fails("SELECT 1 / $1::int4", "0", "22012");
  expect(PQtransactionStatus(db), PQTRANS_INERROR);
  fails("SELECT 1", NULL, "25P02");
  run("ROLLBACK");
  expect(PQtransactionStatus(db), PQTRANS_IDLE);
  expect_text(one(db, "SELECT count(*) FROM items WHERE id = 3"), "0");
}

static void hear(void* into, const PGresult* told) {
  snprintf(into, 64, "%s", field(told, PG_DIAG_MESSAGE_PRIMARY));
}

static void notice(void) {
  static char heard[64];
  PQsetNoticeReceiver(db, hear, heard);
  good(ask_on(db, "SELECT say($1)", "libpq"));
  expect_text(heard, "heard libpq");
}

static void listen_notify(void) {
  run("LISTEN news");
  PGconn* other = connect_with("");
  one(other, "SELECT pg_notify('news', 'hello')");
  PQfinish(other);
  PGnotify* note = NULL;
  for (int n = 0; n < 100 && note == NULL; n++) {
    struct pollfd ready = {.fd = PQsocket(db), .events = POLLIN};
    poll(&ready, 1, 100);
    PQconsumeInput(db);
    note = PQnotifies(db);
  }
  expect_text(note ? note->relname : NULL, "news");
  expect_text(note ? note->extra : NULL, "hello");
  PQfreemem(note);
  run("UNLISTEN news");
}

// --- pipelines and transactions ------------------------------------------------------------------

static void send(const char* sql, const char* value) {
  if (!PQsendQueryParams(db, sql, 1, NULL, &value, NULL, NULL, 0)) failed("%s", PQerrorMessage(db));
}

// The next result of a pipeline: its status, and its first value or SQLSTATE.
static void next(ExecStatusType status, const char* wanted) {
  PGresult* result = PQgetResult(db);
  expect(PQresultStatus(result), status);
  if (status == PGRES_TUPLES_OK) expect_text(PQgetvalue(result, 0, 0), wanted);
  if (status == PGRES_FATAL_ERROR) expect_text(field(result, PG_DIAG_SQLSTATE), wanted);
  PQclear(result);
  if (status != PGRES_PIPELINE_SYNC) expect(PQgetResult(db) == NULL, 1);
}

static void pipeline(void) {
  char value[16];
  expect(PQenterPipelineMode(db), 1);
  for (int n = 0; n < 100; n++) {
    snprintf(value, sizeof value, "%d", n);
    send("SELECT $1::int4", value);
  }
  send("INSERT INTO numbers VALUES ($1)", "-1");
  expect(PQpipelineSync(db), 1);
  send("INSERT INTO numbers VALUES ($1)", "-2");
  send("SELECT 1 / $1::int4", "0");
  send("SELECT $1", "skipped");
  expect(PQpipelineSync(db), 1);
  send("SELECT $1", "after");
  expect(PQsendFlushRequest(db), 1);
  for (int n = 0; n < 100; n++) {
    snprintf(value, sizeof value, "%d", n);
    next(PGRES_TUPLES_OK, value);
  }
  next(PGRES_COMMAND_OK, NULL);
  next(PGRES_PIPELINE_SYNC, NULL);
  next(PGRES_COMMAND_OK, NULL);
  next(PGRES_FATAL_ERROR, "22012");
  next(PGRES_PIPELINE_ABORTED, NULL);
  next(PGRES_PIPELINE_SYNC, NULL);
  next(PGRES_TUPLES_OK, "after");
  expect(PQpipelineSync(db), 1);
  next(PGRES_PIPELINE_SYNC, NULL);
  expect(PQexitPipelineMode(db), 1);
  expect_text(one(db, "SELECT array_agg(n) FROM numbers WHERE n < 0"), "{-1}");
}

static void transaction(void) {
  run("BEGIN");
  run("INSERT INTO items VALUES (10, 'ten')");
  expect(PQtransactionStatus(db), PQTRANS_INTRANS);
  run("ROLLBACK");
  run("BEGIN ISOLATION LEVEL SERIALIZABLE");
  run("INSERT INTO items VALUES (11, 'eleven')");
  run("COMMIT");
  expect_text(one(db, "SELECT array_agg(id) FROM items WHERE id IN (10, 11)"), "{11}");
}

static void savepoint(void) {
  run("BEGIN");
  run("INSERT INTO items VALUES (20, 'twenty')");
  run("SAVEPOINT a");
  fails("INSERT INTO items VALUES (20, 'x')", NULL, "23505");
  run("ROLLBACK TO SAVEPOINT a");
  run("INSERT INTO items VALUES (21, 'twenty-one')");
  run("RELEASE SAVEPOINT a");
  run("COMMIT");
  expect_text(one(db, "SELECT array_agg(id ORDER BY id) FROM items WHERE id IN (20, 21)"),
              "{20,21}");
}

static void set_and_show(void) {
  run("SET statement_timeout = '54321ms'");
  run("SET DateStyle = 'German'");
  for (int n = 0; n < 5; n++) {
    expect_text(one(db, "SHOW statement_timeout"), "54321ms");
    expect_text(one(db, "SELECT '2024-02-29'::date::text"), "29.02.2024");
  }
  if (!contains(PQparameterStatus(db, "DateStyle"), "German")) failed("no ParameterStatus");
  run("RESET statement_timeout");
  run("RESET DateStyle");
  expect_text(one(db, "SHOW statement_timeout"), "0");
}

static void search_path(void) {
  expect_text(one(db, "SELECT place FROM marker"), "public");
  run("SET search_path = other, public");
  for (int n = 0; n < 5; n++) expect_text(one(db, "SELECT place FROM marker"), "other");
  run("RESET search_path");
  expect_text(one(db, "SELECT place FROM marker"), "public");
}

// --- sizes ---------------------------------------------------------------------------------------

static void big(const char* sql, int size, int binary, char first) {
  char* value = malloc((size_t)size + 1);
  for (int i = 0; i < size; i++) value[i] = (char)(first + (binary ? i % 256 : i % 26));
  value[size] = '\0';
  const char* values = value;
  PGresult* result = good(PQexecParams(db, sql, 1, NULL, &values, &size, &binary, binary));
  expect(PQgetlength(result, 0, 0), size);
  if (!step_failed()) expect(memcmp(PQgetvalue(result, 0, 0), value, (size_t)size), 0);
  PQclear(result);
  free(value);
}

static void big_text(void) {
  big("SELECT $1::text", 6000000, 0, 'a');
}
static void big_bytea(void) {
  big("SELECT $1::bytea", 5 << 20, 1, '\0');
}

static void many_rows(void) {
  PGresult* result = run("SELECT i, 'row ' || i FROM generate_series(1, 100000) i");
  expect(PQntuples(result), 100000);
  expect_text(PQgetvalue(result, 99999, 1), "row 100000");
  expect(sum(result), 5000050000);
}

static void closing_steps(void) {
  step("pipeline", pipeline);
  step("transaction", transaction);
  step("savepoint", savepoint);
  step("settings", set_and_show);
  step("search_path", search_path);
  step("big_text", big_text);
  step("big_bytea", big_bytea);
  step("many_rows", many_rows);
}

int main(void) {
  db = connect_with("");
  if (PQstatus(db) != CONNECTION_OK) printf("%s", PQerrorMessage(db));
  step("connect", connecting);
  step("tls_verify", tls_verify);
  step("wrong_password", wrong_password);
  step("connections", connections);
  step("application_name", application_name);
  value_steps("text_", text_value);
  value_steps("native_", native_value);
  step("nulls", nulls);
  step("prepared", prepared);
  step("cursor", cursor);
  step("copy_in", copy_in);
  step("copy_out", copy_out);
  step("cancel", cancel);
  step("error_unique", error_unique);
  step("error_syntax", error_syntax);
  step("error_in_transaction", error_in_transaction);
  step("notice", notice);
  step("listen_notify", listen_notify);
  closing_steps();
  more_steps();
  keyword_steps();
  PQfinish(db);
  return 0;
}
