#include "crypto/saslprep.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>
#include <stringprep.h>

namespace postern::crypto {
namespace {

bool is_ascii(ByteView bytes) {
  return std::all_of(bytes.begin(), bytes.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

}  // namespace

Secret saslprep(ByteView password) {
  Secret raw{Bytes(password)};
  // The library takes a C string; PostgreSQL passwords hold no NUL either.
  const bool preparable =
      !is_ascii(password) && is_utf8(password) && password.find('\0') == ByteView::npos;
  if (!preparable) return raw;
  char* prepared = nullptr;
  const int failed =
      stringprep_profile(raw.reveal().data(), &prepared, "SASLprep", STRINGPREP_NO_UNASSIGNED);
  if (failed != STRINGPREP_OK || prepared == nullptr) return raw;
  Secret result{Bytes(prepared)};
  wipe(prepared, std::strlen(prepared));
  std::free(prepared);
  return result.empty() ? std::move(raw) : std::move(result);
}

}  // namespace postern::crypto
