// PE1, the container of one encrypted value (docs: encryption, point 1).
//
//   offset  bytes  field
//        0      2  magic F5 50 (F5 never occurs in UTF-8, so text is never mistaken for a
//        container) 2      1  format version, 1 3      1  suite 4      4  key id, big-endian,
//        unique in the key store 8     24  nonce (suite 01: random; suite 11: synthetic)
//       32   n+16  ciphertext and Poly1305 tag
//
// Additional data is a sequence of fields, each a 4-byte big-endian length and the bytes, so that
// no two different sequences have the same encoding. It is authenticated, not stored:
//
//   suite 01: "postern/pe1", header (offset 0 to 7), tenant, column uuid, logical type
//   suite 11: "postern/pe1", header (offset 0 to 7), tenant, link-group uuid, type family
//
// The suite is part of the header, so an additional data of one suite never equals one of the
// other. Suite 11's nonce is BLAKE2b-192 keyed with a MAC subkey over two such fields: the
// additional data and the plaintext. It is recomputed and compared when the value is opened (an SIV
// construction): a value that opens was made by a holder of both subkeys.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

namespace postern::crypto {

using KeyId = std::uint32_t;

enum class Suite : std::uint8_t {
  kRandomized = 0x01,     ///< XChaCha20-Poly1305, random nonce
  kDeterministic = 0x11,  ///< XChaCha20-Poly1305, synthetic nonce
};

inline constexpr std::size_t kContainerHeaderBytes = 8;
inline constexpr std::size_t kContainerOverhead = 48;
/// A value is authenticated as a whole and cannot be released in part, hence the limit.
inline constexpr std::size_t kMaxPlaintextBytes = 16 * 1024 * 1024;
inline constexpr std::size_t kMaxContainerBytes = kMaxPlaintextBytes + kContainerOverhead;

struct ContainerHeader {
  Suite suite = Suite::kRandomized;
  KeyId key_id = 0;
  friend bool operator==(const ContainerHeader&, const ContainerHeader&) = default;
};

/// Cheap structural check (magic, version, known suite, length); says nothing about authenticity.
[[nodiscard]] bool looks_like_container(ByteView bytes) noexcept;

/// The header of a well-formed container; kNotAContainer otherwise.
Result<ContainerHeader> read_header(ByteView container);

/// The 8 bytes at offset 0.
void append_header(const ContainerHeader& header, Bytes& out);

/// Appends one length-prefixed field of additional data.
void append_aad_field(Bytes& aad, ByteView field);

/// What the additional data of a column's values is made of. Views must outlive the call.
struct AadParts {
  ContainerHeader header;
  std::string_view tenant;
  ByteView binding_uuid;  ///< column uuid (suite 01) or link-group uuid (suite 11), 16 bytes
  std::string_view type;  ///< logical type (suite 01) or type family (suite 11)
};
[[nodiscard]] Bytes build_aad(const AadParts& parts);

/// Subkeys and additional data of one (key id, column). Views must outlive the call.
struct SealContext {
  ContainerHeader header;
  ByteView encryption_key;  ///< 32 bytes
  ByteView mac_key;         ///< 32 bytes, suite 11 only
  ByteView aad;             ///< of build_aad with the same header
};

/// A complete container. kPlaintextTooLarge beyond kMaxPlaintextBytes. Any thread; init() first.
Result<Bytes> seal_container(const SealContext& context, ByteView plaintext);

/// The plaintext; kNotAContainer where the structure or header differs from the context's,
/// kDecryptFailed where authentication fails. Nothing is released on failure. Any thread.
Result<Secret> open_container(const SealContext& context, ByteView container);

}  // namespace postern::crypto
