// Files of the access log as a verifier meets them: lines, headers, records, notes; and the text
// that records take in.
#include "audit/checkpoint.hpp"
#include "audit/json.hpp"
#include "audit/segment.hpp"
#include "audit/tree.hpp"
#include "tests/fuzz/support.hpp"

using namespace postern;
using namespace postern::audit;

namespace {

void lines(ByteView bytes) {
  const std::size_t at = find_frame(bytes, 0);
  POSTERN_CHECK(at == std::string_view::npos || parse_frame(bytes.substr(at)).has_value());
  const auto frame = parse_frame(bytes);
  if (!frame) return;
  std::string out;
  append_frame(out, frame->type, frame->json, frame->leaf);
  POSTERN_CHECK(out == bytes.substr(0, frame->size));
}

void records(ByteView json) {
  if (const auto header = parse_header(json)) POSTERN_CHECK(header_json(*header) == json);
  if (const auto envelope = parse_envelope(json)) {
    POSTERN_CHECK(envelope->prev.size() == 64 && envelope->body.size() < json.size());
    (void)outcome_ref(envelope->body);
  }
  (void)outcome_ref(json);
}

void notes(ByteView text) {
  static const VerifierKey key{"fuzz", Bytes(32, 'k')};
  std::uint64_t torn = 0;
  std::size_t total = 0;
  for (const NoteSpan& note : split_notes(text, torn)) {
    POSTERN_CHECK(note.offset == total);
    total += note.text.size();
    (void)read_checkpoint(key, note.text).has_value();
  }
  POSTERN_CHECK(torn == total && torn <= text.size());
  (void)read_checkpoint(key, text).has_value();
  if (const auto parsed = VerifierKey::parse(text)) POSTERN_CHECK(parsed->text() == text);
  (void)LogKey::parse(text).has_value();
  if (const auto first = segment_first(text)) POSTERN_CHECK(segment_name(*first) == text);
}

void strings(ByteView text) {
  std::string out;
  const bool cut = append_canonical_string(out, text, 64);
  POSTERN_CHECK(out.size() <= 66 && is_utf8(out));
  std::string whole;
  POSTERN_CHECK(!append_canonical_string(whole, text, 6 * text.size() + 64));
  POSTERN_CHECK(cut || whole == out);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView bytes = fuzz::view(data, size);
  lines(bytes);
  records(bytes);
  notes(bytes);
  strings(bytes);
  // The check of a line is a hash, which no fuzzer guesses: give it one.
  if (size <= 4096 && bytes.find('\n') == ByteView::npos) {
    std::string line;
    append_frame(line, FrameType::kRecord, bytes, leaf_hash(bytes));
    const auto frame = parse_frame(line);
    POSTERN_CHECK(frame && frame->json == bytes && frame->size == line.size());
  }
  return 0;
}
