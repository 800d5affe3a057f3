/* The settings postern.ctx, postern_guard.key_file, .kids and .version. */
#ifndef POSTERN_GUARD_SETTINGS_H
#define POSTERN_GUARD_SETTINGS_H

#include "context.h"

#define GUARD_VERSION "1.0"

void guard_define_settings(void);

/*
 * The context of this session as verified when it was set, or NULL. Valid until the next statement
 * that changes a setting. Its expiry is for the caller to check.
 */
const GuardContext* guard_context(void);

/* Whether a time lies before the start of the present transaction. */
bool guard_has_expired(int64_t expiry_us);

#endif
