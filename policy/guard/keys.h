/* The key file of the extension: guard keys as `postern keys init` makes them, one on a line. */
#ifndef POSTERN_GUARD_KEYS_H
#define POSTERN_GUARD_KEYS_H

#include "token.h"

/*
 * Reads a regular file of the process's own user that nobody else may read: lines of 64 hexadecimal
 * digits, empty lines and lines that begin with '#'. A key's id is the beginning of its SHA-256.
 * Returns NULL, or what is wrong (static text); `keys` is then empty.
 */
const char* guard_load_keys(const char* path, GuardKeys* keys);

/* Forgets the keys so that the compiler cannot leave it out. */
void guard_wipe_keys(GuardKeys* keys);

#endif
