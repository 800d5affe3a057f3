#include "proxy/net/transport.hpp"

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <utility>

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include "base/codes/net.hpp"

namespace postern::proxy {
namespace {

/// Ciphertext asked from the kernel at once. The scratch belongs to the thread and is never in use
/// across a suspension.
constexpr std::size_t kReceiveScratch = 32 * 1024;
/// Header, explicit nonce, tag and padding of a record, generously.
constexpr std::size_t kRecordOverhead = 512;
/// Ciphertext produced before it is sent.
constexpr std::size_t kSendBatch = 4 * TlsEngine::kMaxRecord;
/// Views that have no more bytes together are joined: copying so few is cheaper than having the
/// kernel gather them.
constexpr std::size_t kJoined = 512;
/// Receives of one read without plaintext before other sessions get their turn.
constexpr int kMaxSilentReceives = 16;

std::span<char> receive_scratch(std::size_t wanted) {
  thread_local std::array<char, kReceiveScratch> scratch;
  return std::span<char>(scratch).first(std::min(wanted, kReceiveScratch));
}

std::span<char> record_scratch() {
  thread_local std::array<char, TlsEngine::kMaxRecord> scratch;
  return scratch;
}

/// Marks an operation as under way; two of one kind at a time would mix their bytes.
class Busy {
 public:
  explicit Busy(bool* flag) : flag_(flag) {
    POSTERN_CHECK(!*flag_);
    *flag_ = true;
  }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;
  ~Busy() { *flag_ = false; }

 private:
  bool* flag_;
};

/// Read at once of what nobody wants.
constexpr std::size_t kDropped = 4096;

/// The bytes of the parts in one piece; how many, or 0 where there is no room for them.
std::size_t join(std::span<const ByteView> parts, std::span<char> room) {
  std::size_t size = 0;
  for (const ByteView part : parts) {
    if (part.size() > room.size() - size) return 0;
    size += part.copy(room.data() + size, part.size());
  }
  return size;
}

Error closed_here() {
  return make_error(pst::kTransportClosed);
}

IdleState peek_stream(int fd, const TlsEngine* tls) {
  if (fd < 0 || (tls != nullptr && tls->peer_closed())) return IdleState::kGone;
  if (tls != nullptr && !tls->wants_input()) return IdleState::kHasInput;
  return peek_idle(fd);
}

}  // namespace

UnboundTransport UnboundTransport::from_fd(UniqueFd fd) {
  std::string peer = peer_text(fd.get());
  return {std::move(fd), nullptr, std::move(peer)};
}

IdleState UnboundTransport::peek() const {
  return peek_stream(fd.get(), tls.get());
}

Transport::Transport(ReadySocket socket, UnboundTransport unbound)
    : socket_(std::move(socket)),
      watch_(new InputWatch(socket_)),
      tls_(std::move(unbound.tls)),
      peer_(std::move(unbound.peer)) {}

Transport::~Transport() {
  close();
}

Result<Transport> Transport::adopt(const Executor& executor, UnboundTransport unbound) {
  ReadySocket socket(executor);
  boost::system::error_code error;
  // The family matters only to a socket Asio opens itself.
  const asio::generic::stream_protocol protocol(AF_UNSPEC, 0);
  socket.assign(protocol, unbound.fd.get(), error);
  if (error) return make_error(pst::kTransportBroken, errno_text(error.value()));
  (void)unbound.fd.release();  // the socket owns it now
  return Transport(std::move(socket), std::move(unbound));
}

UnboundTransport Transport::release() {
  POSTERN_CHECK(!reading_ && !writing_);
  UnboundTransport unbound;
  if (!is_open()) return unbound;
  watch_->end();
  boost::system::error_code error;
  unbound.fd = UniqueFd(socket_.release(error));
  unbound.tls = std::move(tls_);
  unbound.peer = peer_;
  return unbound;
}

UnboundTransport Transport::leave_shell() {
  POSTERN_CHECK(!reading_ && !writing_);
  UnboundTransport unbound;
  unbound.fd = UniqueFd(::fcntl(fd(), F_DUPFD_CLOEXEC, 0));
  unbound.tls = std::move(tls_);
  unbound.peer = peer_;
  return unbound;
}

IdleState Transport::glance() {
  const bool knows =
      is_open() && left_ != Left::kUnknown && (tls_ == nullptr || tls_->wants_input());
  if (!knows) return peek();
  watch();
  return watch_->seen() ? peek() : IdleState::kQuiet;
}

IdleState Transport::peek() const {
  return is_open() ? peek_stream(fd(), tls_.get()) : IdleState::kGone;
}

Error Transport::broken(int error) const {
  return make_error(pst::kTransportBroken, errno_text(error));
}

// ---- waiting ---------------------------------------------------------------------------------

Status Transport::waited(const boost::system::error_code& error) {
  if (!is_open()) return closed_here();
  // After interrupt() every wait under way returns; writers try again by themselves.
  const bool interrupted = error == asio::error::operation_aborted;
  if (error && !interrupted) return broken(error.value());
  return ok();
}

void Transport::watch() {
  using Empty = InputWatch::Empty;
  watch_->begin(socket_, left_ == Left::kNothing ? Empty::kSeen : Empty::kThought);
}

// The last receive must have left nothing, by what it said.
Task<Status> Transport::wait_input() {
  streak_ = 0;
  watch();
  InputWatch::Await wait{{}, watch_.get()};
  const boost::system::error_code error = co_await wait;
  co_return heard(error);
}

Status Transport::heard(const boost::system::error_code& error) {
  if (watch_->seen()) left_ = Left::kUnknown;
  return waited(error);
}

Task<Status> Transport::wait_output() {
  streak_ = 0;
  auto operation = socket_.async_wait(StreamSocket::wait_write, kAwait);
  const auto [error] = co_await std::move(operation);
  co_return waited(error);
}

Task<void> Transport::give_turn() {
  streak_ = 0;
  auto operation = asio::post(socket_.get_executor(), kAwait);
  co_await std::move(operation);
}

Transport::Readable Transport::readable() {
  return Readable(this);
}

bool Transport::Readable::await_ready() {
  Transport& transport = *transport_;
  POSTERN_CHECK(!transport.reading_);
  const bool decrypted = transport.tls_ != nullptr && !transport.tls_->wants_input();
  if (!transport.is_open() || decrypted) return true;
  if (transport.left_ == Left::kUnknown) {
    if (peek_idle(transport.fd()) != IdleState::kQuiet) return true;
    transport.left_ = Left::kNothing;
  }
  watches_ = true;
  transport.reading_ = true;
  transport.streak_ = 0;
  transport.watch();
  return InputWatch::Await{{}, transport.watch_.get()}.await_ready();
}

Status Transport::Readable::await_resume() {
  Transport& transport = *transport_;
  if (!watches_) return transport.is_open() ? ok() : closed_here();
  transport.reading_ = false;
  transport.interrupted_ = false;
  return transport.heard(InputWatch::Await{{}, transport.watch_.get()}.await_resume());
}

void Transport::interrupt() {
  if (!is_open() || !reading_) return;
  interrupted_ = true;
  boost::system::error_code ignored;
  socket_.cancel(ignored);
}

// ---- reading ---------------------------------------------------------------------------------

Prompt<Result<std::size_t>> Transport::read_some(char* into, std::size_t size) {
  POSTERN_CHECK(size > 0 && !reading_);
  const std::span<char> room(into, size);
  if (is_open() && !turn_ends()) {
    if (auto got = read_now(room)) {
      ++streak_;
      return std::move(*got);
    }
  }
  return read_later(room);
}

Task<Result<std::size_t>> Transport::read_later(std::span<char> room) {
  const Busy busy(&reading_);
  for (;;) {
    if (!is_open()) co_return closed_here();
    std::optional<Result<std::size_t>> got = read_now(room);
    if (got) {
      if (turn_over()) co_await give_turn();
      co_return std::move(*got);
    }
    if (left_ == Left::kUnknown ||
        (tls_ != nullptr && !tls_->wants_input())) {  // only the turn is over
      co_await give_turn();
      continue;
    }
    const Status ready = co_await wait_input();
    if (!ready) co_return ready.error();
    if (std::exchange(interrupted_, false)) co_return closed_here();
  }
}

IoStep Transport::receive(std::span<char> into) {
  if (left_ != Left::kUnknown) return {IoStep::Kind::kWouldBlock, 0, 0};
  const IoStep step = receive_now(fd(), into);
  if (step.kind == IoStep::Kind::kWouldBlock) left_ = Left::kNothing;
  if (step.kind == IoStep::Kind::kMoved && step.size < into.size()) left_ = Left::kHardlyAnything;
  return step;
}

std::optional<Result<std::size_t>> Transport::read_now(std::span<char> into) {
  if (tls_ != nullptr) return read_tls_now(into);
  const IoStep step = receive(into);
  if (step.kind == IoStep::Kind::kWouldBlock) return std::nullopt;
  if (step.kind == IoStep::Kind::kFailed) return broken(step.error);
  return step.size;  // 0 at the end
}

std::optional<Result<std::size_t>> Transport::read_tls_now(std::span<char> into) {
  ByteView more;
  for (int i = 0; i < kMaxSilentReceives; ++i) {
    if (!more.empty() || !tls_->wants_input()) {
      Result<std::size_t> got = tls_->decrypt(more, into);
      // Never waits to send a reply: a peer that is busy writing to us may not be reading. What
      // does not go now goes ahead of the next write.
      if (tls_->wants_output()) flush_now();
      if (!got || *got > 0 || tls_->peer_closed()) return got;
    }
    const IoStep step = receive(receive_scratch(into.size() + kRecordOverhead));
    if (step.kind == IoStep::Kind::kWouldBlock) return std::nullopt;
    if (step.kind == IoStep::Kind::kFailed) return broken(step.error);
    if (step.kind == IoStep::Kind::kEnd) return tls_end();
    more = ByteView(receive_scratch(step.size).data(), step.size);
  }
  tls_->feed(more);
  return std::nullopt;
}

Result<std::size_t> Transport::tls_end() {
  POSTERN_TRY(tls_->end_of_input());
  return std::size_t{0};
}

// ---- writing ---------------------------------------------------------------------------------

Prompt<Status> Transport::write(std::span<const ByteView> views) {
  POSTERN_CHECK(!writing_);
  Gather left(views);
  if (!turn_ends()) {
    const Result<Wrote> wrote = write_once(left);
    if (!wrote) return wrote.error();
    ++streak_;
    if (*wrote == Wrote::kAll) return ok();
  }
  return write_rest(left);
}

Task<Status> Transport::write_rest(Gather left) {
  const Busy busy(&writing_);
  for (;;) {
    const Result<Wrote> wrote = write_once(left);
    if (!wrote) co_return wrote.error();
    if (*wrote == Wrote::kBlocked) {
      const Status ready = co_await wait_output();
      if (!ready) co_return ready.error();
    } else if (turn_over()) {
      co_await give_turn();
    }
    if (*wrote == Wrote::kAll) co_return ok();
  }
}

bool Transport::written(const Gather& left) const {
  return left.done() && (tls_ == nullptr || !tls_->wants_output());
}

Result<Transport::Wrote> Transport::write_once(Gather& left) {
  if (!is_open()) return closed_here();
  POSTERN_TRY(encrypt_batch(left));
  if (written(left)) return Wrote::kAll;
  const IoStep step = tls_ != nullptr ? flush_now() : send_views(left);
  if (step.kind == IoStep::Kind::kFailed) return broken(step.error);
  if (step.kind == IoStep::Kind::kWouldBlock) return Wrote::kBlocked;
  return written(left) ? Wrote::kAll : Wrote::kPart;
}

Task<Status> Transport::write(ByteView bytes) {
  const std::array<ByteView, 1> one = {bytes};
  co_return co_await write(std::span<const ByteView>(one));
}

Status Transport::encrypt_batch(Gather& left) {
  // A new batch only once the last has gone, so that a slow peer holds one batch at most.
  if (tls_ == nullptr || tls_->wants_output()) return ok();
  while (!left.done() && tls_->pending().size() < kSendBatch) {
    POSTERN_TRY(tls_->encrypt(left.take(record_scratch())));
  }
  return ok();
}

IoStep Transport::send_views(Gather& left) {
  IoStep step;
  if (left.is_last()) {
    step = send_now(fd(), left.front());
  } else {
    std::array<ByteView, kMaxGather> room;
    const auto parts = std::span<const ByteView>(room).first(left.peek(room));
    std::array<char, kJoined> copy;
    const std::size_t copied = join(parts, copy);
    step = copied > 0 ? send_now(fd(), ByteView(copy.data(), copied)) : send_now(fd(), parts);
  }
  if (step.kind == IoStep::Kind::kMoved) left.advance(step.size);
  return step;
}

IoStep Transport::flush_now() {
  // Send and take away in one go: reader and writer may both flush, the queue keeps the order.
  const ByteView pending = tls_->pending();
  const IoStep step = send_now(fd(), pending);
  if (step.kind == IoStep::Kind::kMoved) tls_->sent(step.size);
  return step;
}

// ---- TLS and the end -------------------------------------------------------------------------

Task<Status> Transport::upgrade_server(const TlsContext* context, Bytes early) {
  POSTERN_CHECK(context->role() == TlsContext::Role::kServer);
  const Status started = start_tls(*context, {});
  if (!started) co_return started.error();
  tls_->feed(early);
  co_return co_await handshake();
}

Task<Status> Transport::upgrade_client(const TlsContext* context, std::string host) {
  POSTERN_CHECK(context->role() == TlsContext::Role::kClient);
  const Status started = start_tls(*context, host);
  if (!started) co_return started.error();
  co_return co_await handshake();
}

Status Transport::start_tls(const TlsContext& context, const std::string& host) {
  POSTERN_CHECK(!reading_ && !writing_);
  if (!is_open()) return closed_here();
  if (tls_ != nullptr) return make_error(pst::kTlsHandshake, "TLS is already in place");
  POSTERN_ASSIGN(tls_, TlsEngine::create(context, host));
  return ok();
}

Task<Status> Transport::handshake() {
  for (;;) {
    const Result<TlsEngine::Handshake> state = tls_->handshake();
    if (!state) {
      if (tls_->wants_output()) flush_now();  // the alert, if it goes at once
      co_return state.error();
    }
    const Status sent = co_await write(std::span<const ByteView>());
    if (!sent) co_return sent.error();
    if (*state == TlsEngine::Handshake::kDone) co_return ok();
    const Status fed = co_await feed_handshake();
    if (!fed) co_return fed.error();
  }
}

Task<Status> Transport::feed_handshake() {
  const Busy busy(&reading_);
  for (;;) {
    if (!is_open()) co_return closed_here();
    const IoStep step = receive(receive_scratch(kReceiveScratch));
    if (step.kind == IoStep::Kind::kFailed) co_return broken(step.error);
    if (step.kind == IoStep::Kind::kEnd) co_return tls_->end_of_input();
    if (step.kind == IoStep::Kind::kMoved) {
      tls_->feed(ByteView(receive_scratch(step.size).data(), step.size));
      co_return ok();
    }
    const Status ready = co_await wait_input();
    if (!ready) co_return ready.error();
  }
}

Task<Status> Transport::finish() {
  if (tls_ != nullptr) tls_->close();
  const Status sent = co_await write(std::span<const ByteView>());
  if (!sent) co_return sent.error();
  boost::system::error_code error;
  socket_.shutdown(StreamSocket::shutdown_send, error);
  if (error) co_return broken(error.value());
  co_return ok();
}

Task<Status> Transport::drop_input(std::size_t most) {
  if (peek_stream(fd(), tls_.get()) != IdleState::kHasInput) co_return ok();
  std::array<char, kDropped> unwanted;
  for (std::size_t dropped = 0; dropped < most;) {
    const Result<std::size_t> got = co_await read_some(unwanted.data(), unwanted.size());
    if (!got) co_return got.error();
    if (*got == 0) co_return ok();
    dropped += *got;
  }
  co_return ok();
}

void Transport::close() {
  if (!is_open()) return;
  if (tls_ != nullptr) {
    tls_->close();
    if (tls_->wants_output()) flush_now();
  }
  watch_->end();
  boost::system::error_code ignored;
  socket_.close(ignored);
}

}  // namespace postern::proxy
