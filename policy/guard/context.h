/* What a verified context says, kept in one block of memory beside the setting's text. */
#ifndef POSTERN_GUARD_CONTEXT_H
#define POSTERN_GUARD_CONTEXT_H

#include "token.h"

typedef struct GuardContext {
  int64_t expiry_us; /* since 1970-01-01 UTC */
  bool shown;        /* the setting's text was given out once */
  size_t tenant_size;
  size_t subject_size;
  size_t roles_size;
  uint8_t bytes[]; /* tenant, subject, and of each role its length in one byte and itself */
} GuardContext;

/* From malloc, as a setting's extra has to be; NULL without memory or where hex is no hex. */
GuardContext* guard_make_context(const GuardToken* token);

const char* guard_tenant(const GuardContext* context);
const char* guard_subject(const GuardContext* context);
bool guard_has_role(const GuardContext* context, const char* role, size_t size);

#endif
