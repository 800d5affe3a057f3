/* The server wants its own header first. */
/* clang-format off */
#include "postgres.h"

#include "settings.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
/* clang-format on */

#include "errors.h"

PG_MODULE_MAGIC;

void _PG_init(void);
PG_FUNCTION_INFO_V1(postern_guard_tenant);
PG_FUNCTION_INFO_V1(postern_guard_subject);
PG_FUNCTION_INFO_V1(postern_guard_has_role);
PG_FUNCTION_INFO_V1(postern_guard_version);

void _PG_init(void) {
  if (!process_shared_preload_libraries_in_progress) {
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("postern_guard must be loaded by shared_preload_libraries")));
  }
  guard_define_settings();
}

/* NULL without a context. */
static const GuardContext* live_context(void) {
  const GuardContext* context = guard_context();
  if (context == NULL) return NULL;
  if (guard_has_expired(context->expiry_us)) {
    ereport(ERROR, (errcode(GUARD_EXPIRED_STATE), errmsg(GUARD_EXPIRED),
                    errdetail(GUARD_EXPIRED_DETAIL), errhint(GUARD_EXPIRED_HINT)));
  }
  return context;
}

/* The bytes are valid UTF-8: that was checked when the context was set. */
static Datum as_text(const char* bytes, size_t size) {
  char* converted;
  if (GetDatabaseEncoding() == PG_UTF8) {
    return PointerGetDatum(cstring_to_text_with_len(bytes, (int)size));
  }
  converted = pg_any_to_server(bytes, (int)size, PG_UTF8);
  if (converted == bytes) return PointerGetDatum(cstring_to_text_with_len(bytes, (int)size));
  return PointerGetDatum(cstring_to_text(converted));
}

Datum postern_guard_tenant(PG_FUNCTION_ARGS) {
  const GuardContext* context = live_context();
  if (context == NULL || context->tenant_size == 0) PG_RETURN_NULL();
  return as_text(guard_tenant(context), context->tenant_size);
}

Datum postern_guard_subject(PG_FUNCTION_ARGS) {
  const GuardContext* context = live_context();
  if (context == NULL || context->subject_size == 0) PG_RETURN_NULL();
  return as_text(guard_subject(context), context->subject_size);
}

/* Called on NULL too: an expired context is an error whatever is asked about it. */
Datum postern_guard_has_role(PG_FUNCTION_ARGS) {
  const GuardContext* context = live_context();
  const text* role;
  const char* bytes;
  char* utf8;
  size_t size;
  if (context == NULL || PG_ARGISNULL(0)) PG_RETURN_BOOL(false);
  role = PG_GETARG_TEXT_PP(0);
  bytes = VARDATA_ANY(role);
  size = VARSIZE_ANY_EXHDR(role);
  utf8 = pg_server_to_any(bytes, (int)size, PG_UTF8);
  if (utf8 != bytes) size = strlen(utf8);
  PG_RETURN_BOOL(guard_has_role(context, utf8, size));
}

Datum postern_guard_version(PG_FUNCTION_ARGS) {
  PG_RETURN_TEXT_P(cstring_to_text(GUARD_VERSION));
}
