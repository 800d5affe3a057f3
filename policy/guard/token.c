#include "token.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

enum Field {
  FIELD_VERSION,
  FIELD_DATABASE,
  FIELD_KID,
  FIELD_TENANT,
  FIELD_SUBJECT,
  FIELD_ROLES,
  FIELD_PID,
  FIELD_START,
  FIELD_EXPIRY,
  FIELD_MAC,
  FIELD_COUNT
};

#define MAC_BYTES 32

static const char kVersion[] = "pctx1";

/* False unless the text has exactly FIELD_COUNT fields. */
static bool split(const char* text, size_t size, GuardSpan* fields) {
  const char* end = text + size;
  for (int i = 0; i < FIELD_COUNT; ++i) {
    const char* dot = memchr(text, '.', (size_t)(end - text));
    const bool last = i == FIELD_COUNT - 1;
    if ((dot == NULL) != last) return false;
    fields[i].at = text;
    fields[i].size = (size_t)((last ? end : dot) - text);
    if (!last) text = dot + 1;
  }
  return true;
}

static int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

bool guard_from_hex(GuardSpan hex, uint8_t* out) {
  if (hex.size % 2 != 0) return false;
  for (size_t i = 0; i < hex.size; i += 2) {
    const int high = digit(hex.at[i]);
    const int low = digit(hex.at[i + 1]);
    if (high < 0 || low < 0) return false;
    out[i / 2] = (uint8_t)(high << 4 | low);
  }
  return true;
}

static const GuardKey* find_key(const GuardKeys* keys, GuardSpan kid) {
  for (size_t i = 0; i < keys->count; ++i) {
    if (kid.size == GUARD_KID_DIGITS && memcmp(keys->key[i].kid, kid.at, kid.size) == 0) {
      return &keys->key[i];
    }
  }
  return NULL;
}

static bool authentic(const GuardSpan* fields, const GuardKeys* keys) {
  const GuardKey* key = find_key(keys, fields[FIELD_KID]);
  uint8_t given[MAC_BYTES];
  uint8_t wanted[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  const char* message = fields[0].at;
  const size_t message_size = (size_t)(fields[FIELD_MAC].at - 1 - message);
  if (key == NULL || fields[FIELD_MAC].size != 2 * (size_t)MAC_BYTES) return false;
  if (!guard_from_hex(fields[FIELD_MAC], given)) return false;
  if (HMAC(EVP_sha256(), key->bytes, GUARD_KEY_BYTES, (const unsigned char*)message, message_size,
           wanted, &size) == NULL ||
      size != MAC_BYTES) {
    return false;
  }
  return CRYPTO_memcmp(given, wanted, MAC_BYTES) == 0;
}

/* Decimal without sign or leading zero, 1 to `most`. */
static bool read_number(GuardSpan text, uint64_t most, uint64_t* out) {
  uint64_t value = 0;
  if (text.size == 0 || text.at[0] == '0') return false;
  for (size_t i = 0; i < text.size; ++i) {
    const char c = text.at[i];
    if (c < '0' || c > '9') return false;
    const uint64_t add = (uint64_t)(c - '0');
    if (value > (most - add) / 10) return false;
    value = value * 10 + add;
  }
  *out = value;
  return true;
}

static bool is_hex(GuardSpan text, size_t most_bytes) {
  if (text.size % 2 != 0 || text.size > 2 * most_bytes) return false;
  for (size_t i = 0; i < text.size; ++i) {
    if (digit(text.at[i]) < 0) return false;
  }
  return true;
}

static bool is_role_list(GuardSpan text) {
  const char* end = text.at + text.size;
  size_t count = 0;
  if (text.size == 0) return true;
  for (const char* at = text.at;; ++count) {
    const char* comma = memchr(at, ',', (size_t)(end - at));
    const GuardSpan role = {at, (size_t)((comma == NULL ? end : comma) - at)};
    if (role.size == 0 || count == GUARD_MAX_ROLES || !is_hex(role, GUARD_MAX_ROLE_BYTES)) {
      return false;
    }
    if (comma == NULL) return true;
    at = comma + 1;
  }
}

static bool decode(const GuardSpan* fields, GuardToken* out) {
  uint64_t database, pid, start, expiry;
  if (!read_number(fields[FIELD_DATABASE], UINT32_MAX, &database) ||
      !read_number(fields[FIELD_PID], INT32_MAX, &pid) ||
      !read_number(fields[FIELD_START], INT64_MAX, &start) ||
      !read_number(fields[FIELD_EXPIRY], INT64_MAX, &expiry)) {
    return false;
  }
  out->database = (uint32_t)database;
  out->pid = (int32_t)pid;
  out->start_us = (int64_t)start;
  out->expiry_us = (int64_t)expiry;
  out->tenant = fields[FIELD_TENANT];
  out->subject = fields[FIELD_SUBJECT];
  out->roles = fields[FIELD_ROLES];
  return is_hex(out->tenant, GUARD_MAX_TENANT_BYTES) &&
         is_hex(out->subject, GUARD_MAX_SUBJECT_BYTES) && is_role_list(out->roles);
}

bool guard_read_token(const char* text, size_t size, const GuardKeys* keys, GuardToken* out) {
  GuardSpan fields[FIELD_COUNT];
  if (size > GUARD_MAX_TOKEN_BYTES || !split(text, size, fields)) return false;
  if (fields[FIELD_VERSION].size != sizeof kVersion - 1 ||
      memcmp(fields[FIELD_VERSION].at, kVersion, sizeof kVersion - 1) != 0) {
    return false;
  }
  if (keys != NULL && !authentic(fields, keys)) return false;
  return decode(fields, out);
}
