// The writing end of the log's files. Used by one thread; no queue, no clock.
#pragma once

#include <cstdint>
#include <string>

#include "audit/file_ops.hpp"
#include "audit/segment.hpp"
#include "audit/tree.hpp"

namespace postern::audit {

/// Where a log stands, and in whose name it goes on.
struct LogPosition {
  std::string folder;
  std::string origin;
  std::uint64_t incarnation = 0;
  std::string process;
  CompactTree tree;
  Hash last_leaf{};
};

/// Appends records to segments. After a failed write or sync every call fails: a page that the
/// kernel dropped after a failed sync can look written, so the segment is never touched again.
class SegmentWriter {
 public:
  SegmentWriter(const FileOps& ops, LogPosition position)
      : ops_(ops), position_(std::move(position)) {}

  /// Adds a record to the buffer, giving it index and link.
  void add(const EncodedRecord& record);
  /// Writes and syncs the buffer, opening the next segment where needed.
  Status flush();
  /// Adds the trailer, flushes and closes; the next record opens a new segment.
  Status seal();

  [[nodiscard]] TreeHead head() const { return {position_.tree.size(), position_.tree.root()}; }
  [[nodiscard]] std::uint64_t size() const { return position_.tree.size(); }
  /// Bytes of the present segment, with the buffer.
  [[nodiscard]] std::uint64_t segment_bytes() const { return segment_bytes_ + buffer_.size(); }
  [[nodiscard]] std::uint64_t syncs() const { return syncs_; }

 private:
  Status write_buffer();
  Status create_segment();

  const FileOps& ops_;
  LogPosition position_;
  Fd file_;
  std::string buffer_;
  std::string scratch_;  // the record being built
  std::uint64_t segment_first_ = 0;
  std::uint64_t segment_bytes_ = 0;
  std::uint64_t syncs_ = 0;
  bool open_ = false;  // the buffer or file holds a header
  bool failed_ = false;
};

/// An append-only file of notes. After a failed append the file is cut back before the next one.
class NoteFile {
 public:
  NoteFile(const FileOps& ops, std::string path) : ops_(ops), path_(std::move(path)) {}

  Status append(ByteView note);

 private:
  const FileOps& ops_;
  std::string path_;
  std::uint64_t size_ = 0;  // before the last append
  bool dirty_ = false;
};

}  // namespace postern::audit
