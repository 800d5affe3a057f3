// The binary form of COPY data: a header, then per row a field count and counted values.
#include "proxy/session/copy_reader.hpp"

namespace postern::proxy {
namespace {

constexpr std::string_view kSignature("PGCOPY\n\377\r\n\0", 11);
constexpr std::size_t kFixedHeader = 11 + 4 + 4;
constexpr std::uint32_t kCriticalFlags = 0xFFFF0000;
constexpr std::uint32_t kNull = 0xFFFF'FFFF;
constexpr std::uint16_t kTrailer = 0xFFFF;
constexpr const char* kBadFormat = "22P04";

}  // namespace

CopyReader::Step CopyReader::binary_header() {
  const std::string_view rest = std::string_view(buffer_).substr(at_);
  if (rest.size() < kFixedHeader) {
    return finished_ ? fail(kBadFormat, "COPY file signature not recognized") : Step::kMore;
  }
  if (!rest.starts_with(kSignature)) return fail(kBadFormat, "COPY file signature not recognized");
  const std::uint32_t flags = load_be32(rest.data() + kSignature.size());
  if ((flags & (1U << 16)) != 0) {
    return fail(kBadFormat, "invalid COPY file header (WITH OIDS)");
  }
  if ((flags & kCriticalFlags) != 0) {
    return fail(kBadFormat, "unrecognized critical flags in COPY file header");
  }
  const std::size_t extension = load_be32(rest.data() + kSignature.size() + 4);
  if (extension > 0x7FFF'FFFF) return fail(kBadFormat, "invalid COPY file header (missing length)");
  if (rest.size() - kFixedHeader < extension) {
    return finished_ ? fail(kBadFormat, "invalid COPY file header (wrong length)") : Step::kMore;
  }
  at_ += kFixedHeader + extension;
  header_due_ = false;
  return Step::kRow;
}

CopyReader::Step CopyReader::next_binary() {
  if (header_due_) {
    const Step step = binary_header();
    if (step != Step::kRow) return step;
  }
  const std::string_view rest = std::string_view(buffer_).substr(at_);
  if (rest.empty() && finished_) {
    ended_ = true;
    return Step::kEnd;
  }
  const auto lacking = [&] {
    if (!finished_) return Step::kMore;
    ++line_;
    return fail(kBadFormat, "unexpected EOF in COPY data");
  };
  if (rest.size() < 2) return lacking();
  const std::uint16_t count = load_be16(rest.data());
  if (count == kTrailer) {
    if (rest.size() == 2 && !finished_) return Step::kMore;  // nothing may follow
    ended_ = true;
    if (rest.size() == 2) return Step::kEnd;
    ++line_;
    return fail(kBadFormat, "received copy data after EOF marker");
  }
  if (count != names_.size()) {
    ++line_;
    return fail(kBadFormat, "row field count is " + std::to_string(count) + ", expected " +
                                std::to_string(names_.size()));
  }
  std::size_t i = 2;
  for (std::uint16_t field = 0; field < count; ++field) {
    if (rest.size() - i < 4) return lacking();
    const std::uint32_t size = load_be32(rest.data() + i);
    i += 4;
    if (size == kNull) continue;
    if (size > 0x7FFF'FFFF) {
      ++line_;
      return fail(kBadFormat, "invalid field size");
    }
    if (rest.size() - i < size) return lacking();
    i += size;
  }
  row_.values.assign(rest.substr(2, i - 2));
  row_.line = ++line_;
  at_ += i;
  scan_ = at_;
  return Step::kRow;
}

}  // namespace postern::proxy
