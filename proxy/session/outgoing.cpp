#include "proxy/session/outgoing.hpp"

#include <utility>

namespace postern::proxy {

void Outgoing::add_view(ByteView bytes) {
  if (bytes.empty()) return;
  viewed_ += bytes.size();
  if (!pieces_.empty() && !pieces_.back().is_own) {
    ByteView& last = pieces_.back().view;
    if (last.data() + last.size() == bytes.data()) {
      last = ByteView(last.data(), last.size() + bytes.size());
      return;
    }
  }
  pieces_.push_back({false, own_.size(), bytes});
}

Bytes& Outgoing::own() {
  if (pieces_.empty() || !pieces_.back().is_own) pieces_.push_back({true, own_.size(), {}});
  return own_;
}

const std::vector<ByteView>& Outgoing::views() {
  views_.clear();
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    const Piece& piece = pieces_[i];
    if (!piece.is_own) {
      views_.push_back(piece.view);
      continue;
    }
    const std::size_t end = i + 1 < pieces_.size() ? pieces_[i + 1].begin : own_.size();
    if (end > piece.begin) views_.push_back(ByteView(own_).substr(piece.begin, end - piece.begin));
  }
  return views_;
}

void Outgoing::clear() {
  own_.clear();
  if (own_.capacity() > kKeptBytes) own_.shrink_to_fit();
  pieces_.clear();
  views_.clear();
  viewed_ = 0;
}

void Outgoing::detach() {
  Bytes copy;
  copy.reserve(total());
  for (const ByteView part : views()) copy.append(part);
  clear();
  own() = std::move(copy);
}

}  // namespace postern::proxy
