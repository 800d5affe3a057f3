/* The server wants its own header first. */
/* clang-format off */
#include "postgres.h"

#include "settings.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/timestamp.h"
/* clang-format on */

#include "errors.h"
#include "keys.h"

/*
 * The text of postern.ctx and what was read from it. The second is the setting's "extra": the
 * server keeps both together through SET LOCAL, savepoints, ROLLBACK and RESET, and frees them.
 */
static char* context_text = NULL;
static GuardContext* context = NULL;

static char* key_file = NULL;
static GuardKeys* keys = NULL;

static char* version = NULL;
static char* kids = NULL;

/* Shown instead of a context; not empty, for Postern arms only what is. */
static const char kHidden[] = "postern_guard";

const GuardContext* guard_context(void) {
  return context;
}

static bool refuse(int state, const char* message, const char* detail, const char* hint) {
  GUC_check_errcode(state);
  /* Without a message of ours the server would print the value. */
  GUC_check_errmsg("%s", message);
  GUC_check_errdetail("%s", detail);
  GUC_check_errhint("%s", hint);
  return false;
}

static bool refuse_invalid(void) {
  return refuse(GUARD_INVALID_STATE, GUARD_INVALID, GUARD_INVALID_DETAIL, GUARD_INVALID_HINT);
}

static bool is_utf8(const char* text, size_t size) {
  return pg_verify_mbstr(PG_UTF8, text, (int)size, true);
}

static int64_t unix_us(TimestampTz time) {
  return time + (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
}

bool guard_has_expired(int64_t expiry_us) {
  return expiry_us < unix_us(GetCurrentTransactionStartTimestamp());
}

static bool is_for_this_backend(const GuardToken* token) {
  return token->database == MyDatabaseId && token->pid == MyProcPid &&
         token->start_us == unix_us(MyStartTimestamp);
}

static bool keep(const GuardToken* token, void** extra) {
  GuardContext* made = guard_make_context(token);
  if (made == NULL) return false;
  if (!is_utf8(guard_tenant(made), made->tenant_size) ||
      !is_utf8(guard_subject(made), made->subject_size)) {
    free(made);
    return false;
  }
  *extra = made;
  return true;
}

/* A parallel worker is given what its leader's session had verified, and cannot verify it. */
static bool take_over(const char* text, void** extra) {
  GuardToken token;
  if (!guard_read_token(text, strlen(text), NULL, &token) || !keep(&token, extra)) {
    return refuse_invalid();
  }
  ((GuardContext*)*extra)->shown = true;
  return true;
}

static bool check_context(char** value, void** extra, GucSource source) {
  static const GuardKeys kNoKeys = {0};
  const char* text = *value;
  GuardToken token;
  if (text == NULL || text[0] == '\0') return true;
  if (InitializingParallelWorker) return take_over(text, extra);
  /* Neither at login nor in ALTER ROLE ... SET: there a context is never right. */
  if (source != PGC_S_SESSION || !IsTransactionState()) return refuse_invalid();
  if (!guard_read_token(text, strlen(text), keys == NULL ? &kNoKeys : keys, &token) ||
      !is_for_this_backend(&token)) {
    return refuse_invalid();
  }
  if (guard_has_expired(token.expiry_us)) {
    return refuse(GUARD_EXPIRED_STATE, GUARD_EXPIRED, GUARD_EXPIRED_DETAIL, GUARD_EXPIRED_HINT);
  }
  return keep(&token, extra) || refuse_invalid();
}

static void assign_context(const char* value, void* extra) {
  context = extra;
}

/*
 * set_config() returns the value it set, and by that Postern knows that it armed: so the text is
 * given out once, to whoever set it. From then on only roles see it that may see everybody's
 * activity; one of them is the owner of the wall's functions in their SQL form.
 */
static const char* show_context(void) {
  if (context == NULL) return "";
  if (!context->shown) {
    context->shown = true;
    return context_text;
  }
  if (IsTransactionState() && has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS)) {
    return context_text;
  }
  return kHidden;
}

/* At start and with every reload: a file that cannot be used leaves the keys of before in force. */
static bool check_key_file(char** value, void** extra, GucSource source) {
  const char* wrong;
  GuardKeys* loaded;
  if (*value == NULL || (*value)[0] == '\0') return true;
  /* A worker verifies nothing, and must not fail because the file is being replaced. */
  if (InitializingParallelWorker) return true;
  loaded = malloc(sizeof *loaded);
  if (loaded == NULL) return false;
  wrong = guard_load_keys(*value, loaded);
  if (wrong != NULL) {
    free(loaded);
    GUC_check_errdetail("\"%s\" %s.", *value, wrong);
    return false;
  }
  *extra = loaded;
  return true;
}

/*
 * The server frees the former keys after this; in a starting parallel worker, where all settings
 * begin anew, it did so before.
 */
static void assign_key_file(const char* value, void* extra) {
  if (keys != NULL && keys != extra && !InitializingParallelWorker) guard_wipe_keys(keys);
  keys = extra;
}

static const char* show_kids(void) {
  static char text[GUARD_MAX_KEYS * (GUARD_KID_DIGITS + 1) + 1];
  char* at = text;
  for (size_t i = 0; keys != NULL && i < keys->count; ++i) {
    if (i > 0) *at++ = ',';
    memcpy(at, keys->key[i].kid, GUARD_KID_DIGITS);
    at += GUARD_KID_DIGITS;
  }
  *at = '\0';
  return text;
}

static void define_context(void) {
  DefineCustomStringVariable("postern.ctx", "The signed tenant context of this session.", NULL,
                             &context_text, "", PGC_USERSET,
                             GUC_NO_SHOW_ALL | GUC_NOT_IN_SAMPLE | GUC_DISALLOW_IN_FILE,
                             check_context, assign_context, show_context);
}

void guard_define_settings(void) {
  const int told = GUC_NOT_IN_SAMPLE | GUC_DISALLOW_IN_FILE;
  define_context();
  DefineCustomStringVariable("postern_guard.key_file", "The file with the keys of tenant contexts.",
                             NULL, &key_file, "", PGC_SIGHUP, GUC_SUPERUSER_ONLY, check_key_file,
                             assign_key_file, NULL);
  DefineCustomStringVariable("postern_guard.kids", "The ids of the keys that are loaded.", NULL,
                             &kids, "", PGC_INTERNAL, told | GUC_SUPERUSER_ONLY, NULL, NULL,
                             show_kids);
  DefineCustomStringVariable("postern_guard.version", "The version of the library.", NULL, &version,
                             GUARD_VERSION, PGC_INTERNAL, told, NULL, NULL, NULL);
  MarkGUCPrefixReserved("postern_guard");
}
