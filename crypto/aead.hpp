// XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03, libsodium's "ietf" form).
#pragma once

#include <cstddef>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace postern::crypto {

inline constexpr std::size_t kAeadKeyBytes = 32;
inline constexpr std::size_t kAeadNonceBytes = 24;
inline constexpr std::size_t kAeadTagBytes = 16;

/// What a message is sealed under. Views must outlive the call; key 32 and nonce 24 bytes, anything
/// else ends the process (their lengths are constants of the program).
struct AeadInput {
  ByteView key;
  ByteView nonce;
  ByteView aad;
};

/// Appends ciphertext and tag (16 bytes more than the plaintext) to `out`. A nonce must never be
/// used twice with one key unless message and aad are the same too. Any thread.
void aead_seal(const AeadInput& input, ByteView plaintext, Bytes& out);

/// Appends the plaintext to `out`; kDecryptFailed, with `out` as it was, where anything differs
/// from what was sealed. Any thread.
Status aead_open(const AeadInput& input, ByteView ciphertext, Bytes& out);

/// As aead_open, into memory of the caller (kAeadTagBytes less than the ciphertext).
Status aead_open_to(const AeadInput& input, ByteView ciphertext, char* out);

}  // namespace postern::crypto
