// What fuzz targets share: a reader that turns arbitrary bytes into choices, and cheap
// cryptography that gives the same answers in every run.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/bytes.hpp"
#include "base/check.hpp"
#include "protocol/scram_secret.hpp"

/// Promised to libFuzzer; in the replay program each target has a name of its own instead.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace postern::fuzz {

/// The input as text.
inline ByteView view(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// Takes choices from the front of the input; at its end every choice is 0 and every text empty.
class Feed {
 public:
  explicit Feed(ByteView bytes) : rest_(bytes) {}

  [[nodiscard]] bool empty() const { return rest_.empty(); }
  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const auto value = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }
  /// 0 to `count` - 1.
  unsigned below(unsigned count) { return byte() % count; }
  std::uint64_t number() {
    std::uint64_t value = 0;
    for (int i = 0; i < 8; ++i) value = value << 8 | byte();
    return value;
  }
  /// A text whose length the next byte tells, shorter where the input ends.
  ByteView text() {
    const std::size_t wished = byte();
    const std::size_t size = std::min(wished, rest_.size());
    const ByteView taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  ByteView rest() {
    const ByteView all = rest_;
    rest_ = {};
    return all;
  }

 private:
  ByteView rest_;
};

/// Not cryptography: 32 bytes that depend on everything given, so that kept inputs can hold proofs.
inline bool mix(ByteView a, ByteView b, char* out) {
  std::uint64_t state = 0x9E3779B97F4A7C15U;
  for (const ByteView part : {a, b}) {
    for (const char c : part) state = (state ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
    state ^= part.size();
  }
  for (int i = 0; i < 32; ++i) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    out[i] = static_cast<char>(state >> 56);
  }
  return true;
}

inline bool fake_sha256(ByteView data, char* out) {
  return mix(data, "sha", out);
}
inline bool fake_pbkdf2(ByteView password, ByteView salt, std::uint32_t, char* out) {
  return mix(password, salt, out);
}
inline bool fake_random(char* out, std::size_t size) {
  std::memset(out, 'r', size);
  return true;
}
inline bool fake_saslprep(ByteView password, Bytes& out) {
  out = Bytes(password);
  return true;
}
inline bool fake_md5(ByteView data, char* out) {
  char all[32];
  mix(data, "md5", all);
  std::memcpy(out, all, 16);
  return true;
}

inline constexpr protocol::ScramPrimitives kFakePrimitives{fake_sha256, mix, fake_pbkdf2,
                                                           fake_random, fake_saslprep};

}  // namespace postern::fuzz
