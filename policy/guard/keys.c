#include "keys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#define KEY_DIGITS (2 * (size_t)GUARD_KEY_BYTES)
#define MAX_FILE_BYTES 4096

static void name_key(GuardKey* key) {
  static const char kDigits[] = "0123456789abcdef";
  uint8_t hash[SHA256_DIGEST_LENGTH];
  SHA256(key->bytes, GUARD_KEY_BYTES, hash);
  for (int i = 0; i < GUARD_KID_DIGITS; ++i) {
    key->kid[i] = kDigits[i % 2 == 0 ? hash[i / 2] >> 4 : hash[i / 2] & 15];
  }
}

static void lower(char* text, size_t size) {
  for (size_t i = 0; i < size; ++i) {
    if (text[i] >= 'A' && text[i] <= 'F') text[i] = (char)(text[i] - 'A' + 'a');
  }
}

static const char* add_line(char* line, size_t size, GuardKeys* keys) {
  const GuardSpan digits = {line, size};
  if (size == 0 || line[0] == '#') return NULL;
  if (keys->count == GUARD_MAX_KEYS) return "holds more than 8 keys";
  lower(line, size);
  if (size != KEY_DIGITS || !guard_from_hex(digits, keys->key[keys->count].bytes)) {
    return "has a line that is not 64 hexadecimal digits";
  }
  name_key(&keys->key[keys->count]);
  ++keys->count;
  return NULL;
}

static const char* parse(char* text, size_t size, GuardKeys* keys) {
  char* end = text + size;
  while (text < end) {
    char* newline = memchr(text, '\n', (size_t)(end - text));
    char* stop = newline == NULL ? end : newline;
    const char* wrong = add_line(text, (size_t)(stop - text), keys);
    if (wrong != NULL) return wrong;
    text = newline == NULL ? end : newline + 1;
  }
  return keys->count == 0 ? "holds no key" : NULL;
}

static const char* check_file(int fd) {
  struct stat info;
  if (fstat(fd, &info) != 0) return "cannot be examined";
  if (!S_ISREG(info.st_mode)) return "is not a regular file";
  if (info.st_uid != geteuid()) return "does not belong to the server's user";
  if ((info.st_mode & 077) != 0) return "may be read by others (chmod 600 it)";
  if (info.st_size > MAX_FILE_BYTES) return "is longer than 4096 bytes";
  return NULL;
}

static const char* load(int fd, GuardKeys* keys) {
  char text[MAX_FILE_BYTES];
  const char* wrong = check_file(fd);
  ssize_t size;
  if (wrong != NULL) return wrong;
  size = read(fd, text, sizeof text);
  wrong = size < 0 ? "cannot be read" : parse(text, (size_t)size, keys);
  OPENSSL_cleanse(text, sizeof text);
  return wrong;
}

const char* guard_load_keys(const char* path, GuardKeys* keys) {
  /* O_NONBLOCK: a FIFO in the file's place must not stop the server. */
  const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  const char* wrong;
  memset(keys, 0, sizeof *keys);
  if (fd < 0) return errno == ENOENT ? "does not exist" : "cannot be opened";
  wrong = load(fd, keys);
  close(fd);
  if (wrong != NULL) guard_wipe_keys(keys);
  return wrong;
}

void guard_wipe_keys(GuardKeys* keys) {
  OPENSSL_cleanse(keys, sizeof *keys);
}
