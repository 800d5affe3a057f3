/*
 * The signed tenant context as text (see policy/context_token.hpp) and its verification. Pure: no
 * PostgreSQL, no I/O, nothing is allocated.
 */
#ifndef POSTERN_GUARD_TOKEN_H
#define POSTERN_GUARD_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GUARD_KEY_BYTES 32
#define GUARD_KID_DIGITS 16
#define GUARD_MAX_KEYS 8

#define GUARD_MAX_TOKEN_BYTES 10240 /* 64 roles of 63 bytes make 8,970 */
#define GUARD_MAX_TENANT_BYTES 63
#define GUARD_MAX_SUBJECT_BYTES 255
#define GUARD_MAX_ROLES 64
#define GUARD_MAX_ROLE_BYTES 63

typedef struct GuardKey {
  char kid[GUARD_KID_DIGITS]; /* no terminator */
  uint8_t bytes[GUARD_KEY_BYTES];
} GuardKey;

typedef struct GuardKeys {
  size_t count;
  GuardKey key[GUARD_MAX_KEYS];
} GuardKeys;

/* Bytes of the text that was parsed; valid as long as it is. */
typedef struct GuardSpan {
  const char* at;
  size_t size;
} GuardSpan;

/* Times are microseconds since 1970-01-01 UTC. */
typedef struct GuardToken {
  uint32_t database;
  int32_t pid;
  int64_t start_us;
  int64_t expiry_us;
  GuardSpan tenant;  /* hex, 0 to 126 digits */
  GuardSpan subject; /* hex, 0 to 510 digits */
  GuardSpan roles;   /* hex words of 2 to 126 digits with a comma between, or empty */
} GuardToken;

/*
 * Whether `text` is a context signed by one of `keys`; fills `out`. Nothing but the place of the
 * dots is looked at before the MAC was found right. Without keys (NULL) the MAC is not checked: for
 * a text that was verified before.
 */
bool guard_read_token(const char* text, size_t size, const GuardKeys* keys, GuardToken* out);

/* Decodes lower-case hex of even length, as guard_read_token leaves it; `out` holds size / 2. */
bool guard_from_hex(GuardSpan hex, uint8_t* out);

#endif
