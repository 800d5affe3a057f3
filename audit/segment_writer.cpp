#include "audit/segment_writer.hpp"

#include <filesystem>
#include <unistd.h>

#include "base/codes/audit.hpp"

namespace postern::audit {
namespace {

Error failed_call(const char* call, const std::string& path) {
  return make_error(pst::kAuditUnavailable, std::string(call) + " " + path + ": " + errno_text());
}

std::string folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

}  // namespace

void SegmentWriter::add(const EncodedRecord& record) {
  if (!open_) {
    segment_first_ = size();
    const std::string json =
        header_json({position_.origin, position_.incarnation, position_.process, segment_first_,
                     position_.last_leaf, position_.tree.root()});
    append_frame(buffer_, FrameType::kHeader, json, leaf_hash(json));
    open_ = true;
  }
  write_envelope(scratch_, size(), position_.last_leaf, record);
  position_.last_leaf = leaf_hash(scratch_);
  append_frame(buffer_, FrameType::kRecord, scratch_, position_.last_leaf);
  position_.tree.append(position_.last_leaf);
}

Status SegmentWriter::flush() {
  if (failed_) return make_error(pst::kAuditUnavailable, "an earlier write failed");
  if (buffer_.empty()) return ok();
  auto written = write_buffer();
  failed_ = !written;
  return written;
}

Status SegmentWriter::write_buffer() {
  if (!file_.valid()) POSTERN_TRY(create_segment());
  POSTERN_TRY(write_all(ops_, file_.get(), buffer_));
  segment_bytes_ += buffer_.size();
  buffer_.clear();
  ++syncs_;
  if (ops_.sync(file_.get()) != 0) return failed_call("sync", segment_name(segment_first_));
  return ok();
}

Status SegmentWriter::create_segment() {
  const std::string path = position_.folder + "/" + segment_name(segment_first_);
  file_ = Fd(ops_.create(path));
  if (!file_.valid()) return failed_call("create", path);
  if (ops_.sync_folder(position_.folder) != 0) return failed_call("sync", position_.folder);
  return ok();
}

Status SegmentWriter::seal() {
  if (open_) {
    const std::string json = trailer_json(head(), position_.last_leaf);
    append_frame(buffer_, FrameType::kTrailer, json, leaf_hash(json));
  }
  POSTERN_TRY(flush());
  file_.reset();
  segment_bytes_ = 0;
  open_ = false;
  return ok();
}

Status NoteFile::append(ByteView note) {
  if (dirty_ && ops_.truncate(path_, size_) != 0) return failed_call("truncate", path_);
  const Fd file(ops_.append(path_));
  if (!file.valid()) return failed_call("open", path_);
  const off_t end = ::lseek(file.get(), 0, SEEK_END);
  if (end < 0) return failed_call("seek", path_);
  size_ = static_cast<std::uint64_t>(end);
  dirty_ = true;
  POSTERN_TRY(write_all(ops_, file.get(), note));
  if (ops_.sync(file.get()) != 0) return failed_call("sync", path_);
  if (size_ == 0 && ops_.sync_folder(folder_of(path_)) != 0) return failed_call("sync", path_);
  dirty_ = false;
  return ok();
}

}  // namespace postern::audit
