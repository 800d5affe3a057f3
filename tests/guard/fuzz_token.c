/*
 * The token's parser alone, under sanitizers: random mutations of a right token, with and without a
 * right MAC, and a key file's reader. usage: fuzz_token COUNT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "context.h"
#include "keys.h"

#define ROOM 20000

static uint64_t state = 88172645463325252u;

static uint64_t next(uint64_t below) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state % below;
}

static size_t sign(char* text, size_t size, const GuardKeys* keys) {
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned int mac_size = 0;
  HMAC(EVP_sha256(), keys->key[0].bytes, GUARD_KEY_BYTES, (unsigned char*)text, size, mac,
       &mac_size);
  text[size++] = '.';
  for (unsigned int i = 0; i < mac_size; ++i) size += (size_t)sprintf(text + size, "%02x", mac[i]);
  return size;
}

static size_t mutate(char* text, size_t size) {
  static const char kBytes[] = "0123456789abcdef.,-AFgx \xff\x80\x01";
  for (uint64_t rounds = 1 + next(6); rounds > 0; --rounds) {
    const size_t at = next(size + 1);
    if (next(3) == 0 && at < size) {
      const size_t cut = 1 + next(size - at);
      memmove(text + at, text + at + cut, size - at - cut);
      size -= cut;
    } else if (next(2) == 0 && size + 300 < ROOM - 100) {
      const size_t more = 1 + next(next(50) == 0 ? 300 : 8);
      memmove(text + at + more, text + at, size - at);
      for (size_t i = 0; i < more; ++i) text[at + i] = kBytes[next(sizeof kBytes - 1)];
      size += more;
    } else if (at < size) {
      text[at] = kBytes[next(sizeof kBytes - 1)];
    }
  }
  return size;
}

/* Reads from memory of exactly the text's size, so that a byte too far is seen. */
static int try_text(const char* text, size_t size, const GuardKeys* keys) {
  char* exact = malloc(size == 0 ? 1 : size);
  GuardToken token;
  int read = 0;
  memcpy(exact, text, size);
  if (guard_read_token(exact, size, keys, &token)) {
    GuardContext* context = guard_make_context(&token);
    if (context == NULL || context->tenant_size > GUARD_MAX_TENANT_BYTES) abort();
    read = 1 + guard_has_role(context, "clerk", 5);
    guard_has_role(context, "", 0);
    free(context);
  }
  free(exact);
  return read;
}

static const char kRight[] =
    "pctx1.16384.0011223344556677.61636d65.6bc3a4.636c65726b,612c62.4711.1700000000000000."
    "1900000000000000";

int main(int argc, char** argv) {
  const long count = argc > 1 ? atol(argv[1]) : 100000;
  long signed_right = 0, trusted = 0;
  GuardKeys keys = {.count = 1};
  char text[ROOM];
  memcpy(keys.key[0].kid, "0011223344556677", GUARD_KID_DIGITS);
  memset(keys.key[0].bytes, 7, GUARD_KEY_BYTES);
  for (long i = 0; i < count; ++i) {
    size_t size = sizeof kRight - 1;
    memcpy(text, kRight, size);
    size = mutate(text, size);
    if (next(4) == 0) size = mutate(text, size);
    trusted += try_text(text, size, NULL) > 0;
    size = sign(text, size, &keys);
    signed_right += try_text(text, size, &keys) > 0;
    size = mutate(text, size);
    trusted += try_text(text, size, NULL) > 0;
    try_text(text, size, &keys);
  }
  memcpy(text, kRight, sizeof kRight - 1);
  if (try_text(text, sign(text, sizeof kRight - 1, &keys), &keys) != 2) return 1;
  printf("%ld rounds, %ld signed and right, %ld right without a key\n", count, signed_right,
         trusted);
  return signed_right > 0 && trusted > 0 ? 0 : 1;
}
