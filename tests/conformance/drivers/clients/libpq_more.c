// What only libpq itself has: function calls, pings, resets, parameters, sending without waiting.
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpq/libpq-fs.h>

#include "libpq_client.h"

static PGconn* db;

// Large objects go by FunctionCall messages.
static void large_object(void) {
  static char in[100000], out[sizeof in];
  for (size_t i = 0; i < sizeof in; i++) in[i] = (char)(i * 7);
  PQclear(PQexec(db, "BEGIN"));
  Oid oid = lo_creat(db, INV_READ | INV_WRITE);
  int handle = lo_open(db, oid, INV_READ | INV_WRITE);
  if (lo_write(db, handle, in, sizeof in) != sizeof in) failed("write: %s", PQerrorMessage(db));
  if (lo_lseek64(db, handle, 0, SEEK_SET) != 0) failed("seek: %s", PQerrorMessage(db));
  if (lo_read(db, handle, out, sizeof out) != sizeof out) failed("read: %s", PQerrorMessage(db));
  if (memcmp(in, out, sizeof in) != 0) failed("other bytes");
  if (lo_close(db, handle) != 0) failed("close: %s", PQerrorMessage(db));
  if (lo_unlink(db, oid) != 1) failed("unlink: %s", PQerrorMessage(db));
  if (lo_open(db, oid, INV_READ) >= 0) failed("it is still there");
  if (!contains(PQerrorMessage(db), "does not exist")) failed("%s", PQerrorMessage(db));
  PQclear(PQexec(db, "ROLLBACK"));
  expect_text(one(db, "SELECT 'fine'"), "fine");
}

static void ping(void) {
  if (PQping(settings()) != PQPING_OK) failed("no answer");
  char nobody[2100];
  snprintf(nobody, sizeof nobody, "%s user=nobody_knows", settings());
  if (PQping(nobody) != PQPING_OK) failed("no answer to a stranger");
}

static void reset(void) {
  one(db, "SELECT set_config('statement_timeout', '4321ms', false)");
  PQreset(db);
  expect_text(one(db, "SHOW statement_timeout"), "0");
  expect_text(one(db, "SHOW application_name"), "driver libpq");
}

// What the server reports unasked, as it stands and after it changes.
static void parameters(void) {
  static const char* const kNames[] = {"server_version",
                                       "server_encoding",
                                       "client_encoding",
                                       "application_name",
                                       "is_superuser",
                                       "session_authorization",
                                       "DateStyle",
                                       "IntervalStyle",
                                       "TimeZone",
                                       "integer_datetimes",
                                       "standard_conforming_strings",
                                       "in_hot_standby",
                                       "default_transaction_read_only"};
  for (size_t i = 0; i < sizeof kNames / sizeof kNames[0]; i++) {
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT current_setting('%s')", kNames[i]);
    expect_text(PQparameterStatus(db, kNames[i]), one(db, sql));
  }
  one(db, "SELECT set_config('TimeZone', 'Asia/Kolkata', false)");
  expect_text(PQparameterStatus(db, "TimeZone"), "Asia/Kolkata");
  PQclear(PQexec(db, "BEGIN; SET LOCAL TimeZone = 'Europe/Prague'"));
  expect_text(PQparameterStatus(db, "TimeZone"), "Europe/Prague");
  PQclear(PQexec(db, "ROLLBACK"));
  expect_text(PQparameterStatus(db, "TimeZone"), "Asia/Kolkata");
  PQclear(PQexec(db, "RESET TimeZone"));
  expect_text(PQparameterStatus(db, "TimeZone"), "UTC");
  if (PQserverVersion(db) < 150000 || PQserverVersion(db) >= 160000) failed("server version");
  if (PQprotocolVersion(db) != 3 || PQbackendPID(db) == 0) failed("protocol or process");
}

enum { kFloodCount = 1000, kFloodBytes = 20000 };

// Reads and writes until everything is sent; results wait in libpq.
static void drain(void) {
  int left = PQflush(db);
  while (left == 1 && !step_failed()) {
    struct pollfd ready = {.fd = PQsocket(db), .events = POLLIN | POLLOUT};
    if (poll(&ready, 1, 20000) <= 0) failed("nothing moves");
    if ((ready.revents & POLLIN) && !PQconsumeInput(db)) failed("%s", PQerrorMessage(db));
    left = PQflush(db);
  }
  if (left < 0) failed("%s", PQerrorMessage(db));
}

// 20 MB each way in one pipeline whose answers begin before its end is sent.
static void flood(void) {
  char* value = malloc(kFloodBytes + 1);
  memset(value, 'x', kFloodBytes);
  value[kFloodBytes] = '\0';
  const char* values = value;
  PQsetnonblocking(db, 1);
  PQenterPipelineMode(db);
  for (int n = 0; n < kFloodCount && !step_failed(); n++) {
    PQsendQueryParams(db, "SELECT $1::text", 1, NULL, &values, NULL, NULL, 0);
    drain();
  }
  PQpipelineSync(db);
  drain();
  for (int n = 0; n < kFloodCount && !step_failed(); n++) {
    PGresult* result = PQgetResult(db);
    if (PQgetlength(result, 0, 0) != kFloodBytes) failed("answer %d: %s", n, PQerrorMessage(db));
    PQclear(result);
    if (PQgetResult(db) != NULL) failed("answer %d goes on", n);
  }
  PQclear(PQgetResult(db));
  PQexitPipelineMode(db);
  PQsetnonblocking(db, 0);
  free(value);
  expect_text(one(db, "SELECT 'fine'"), "fine");
}

// Twenty cancels in a row, some of them early, none of them late.
static void cancel_often(void) {
  for (int n = 0; n < 20 && !step_failed(); n++) {
    char told[256];
    PGcancel* request = PQgetCancel(db);
    PQsendQuery(db, "SELECT pg_sleep(20)");
    struct pollfd nothing = {.fd = -1};
    poll(&nothing, 1, 20 + n * 3);
    if (!PQcancel(request, told, sizeof told)) failed("%s", told);
    PGresult* result = PQgetResult(db);
    expect_text(PQresultErrorField(result, PG_DIAG_SQLSTATE), "57014");
    PQclear(result);
    while ((result = PQgetResult(db)) != NULL) PQclear(result);
    PQfreeCancel(request);
    expect_text(one(db, "SELECT 'fine'"), "fine");
  }
}

static void extra(const char* name, void (*action)(void)) {
  begin_step();
  action();
  end_step(name);
}

void more_steps(void) {
  db = connect_with("");
  extra("large_object", large_object);
  extra("ping", ping);
  extra("reset", reset);
  extra("parameters", parameters);
  extra("flood", flood);
  extra("cancel_often", cancel_often);
  PQfinish(db);
}
