// A byte stream to a peer, plain or TLS, over TCP or a unix socket.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "proxy/net/asio.hpp"
#include "proxy/net/fd.hpp"
#include "proxy/net/gather.hpp"
#include "proxy/net/ready_socket.hpp"
#include "proxy/net/socket_ops.hpp"
#include "proxy/net/tls_engine.hpp"

namespace postern::proxy {

/// A connection bound to no worker: what an idle server connection is. Any thread; closing is
/// destruction.
struct UnboundTransport {
  UniqueFd fd;
  std::unique_ptr<TlsEngine> tls;  ///< null while plain
  std::string peer;                ///< as Transport::peer

  /// A fresh connection just accepted or connected; reads the peer's address.
  static UnboundTransport from_fd(UniqueFd fd);
  /// Is the connection still as an idle one should be? kHasInput also where decrypted or
  /// undecrypted bytes wait in the TLS engine.
  [[nodiscard]] IdleState peek() const;
};

/// A connection bound to one worker. All members run on that worker's thread. At most one reading
/// operation (read_some, readable) and one writing operation (write, finish) may be under way
/// at a time; one of each may. It must stay where it is and outlive its operations.
///
/// Operations never throw and are never cancelled: close() makes those under way return
/// kTransportClosed. Idle transports own no buffers.
class Transport {
 public:
  /// Operations that complete without waiting before the worker gets a turn for its other sessions.
  static constexpr unsigned kMaxStreak = 16;

  /// Binds a connection to the worker of `executor`. kTransportBroken where the system refuses.
  static Result<Transport> adopt(const Executor& executor, UnboundTransport unbound);

  Transport(Transport&&) noexcept = default;
  Transport& operator=(Transport&&) = delete;
  ~Transport();

  /// Reads 1 to `size` plaintext bytes, or 0 at the peer's orderly end (TLS: close_notify). Tries
  /// without waiting first. `into` must live until the end of the operation.
  /// kTransportBroken, kTransportClosed, kTlsProtocol, kTlsTruncated.
  Prompt<Result<std::size_t>> read_some(char* into, std::size_t size);

  /// Waits until read_some has something to say, holding no buffer; at once where decrypted bytes
  /// are left. A TLS record that is only partly here makes it return early: read_some then waits.
  /// Keeps no frame of its own, since every idle connection would:
  ///     Transport::Readable readable = transport.readable();
  ///     const Status ready = co_await readable;
  class Readable;
  [[nodiscard]] Readable readable();
  /// TLS is in place and both sides agreed on ALPN "postgresql".
  [[nodiscard]] bool alpn_agreed() const { return tls_ != nullptr && tls_->alpn_agreed(); }

  /// Ends a reading operation under way: readable() returns as if there were something to read,
  /// read_some returns kTransportClosed although is_open() still holds, with nothing read. Writers
  /// go on. The caller tells its reader why by a flag of its own, set before.
  void interrupt();

  /// Writes all of the views in order, gathered into few calls (plain: up to kMaxGather views a
  /// call; TLS: records of up to 16 KiB filled across views). Views and span must live until the
  /// end of the operation.
  Prompt<Status> write(std::span<const ByteView> views);
  Task<Status> write(ByteView bytes);

  /// TLS handshake as server. `early` are bytes already read that belong to the handshake (direct
  /// TLS). After SSLRequest it must be empty: the caller closes where its buffer held more than
  /// the request (CVE-2021-23214, CVE-2021-3935). No other operation may be under way.
  Task<Status> upgrade_server(const TlsContext* context, Bytes early);
  /// TLS handshake as client, after the server's single 'S' byte and nothing else was read.
  Task<Status> upgrade_client(const TlsContext* context, std::string host);

  /// Ends our direction: what is pending, close_notify, FIN. Reading goes on. To make sure that the
  /// peer sees the last bytes, drop_input() before close().
  Task<Status> finish();
  /// Reads and forgets what the peer sent beyond what was read, at most `most` bytes: a connection
  /// closed with bytes unread is reset, and what was sent last may never arrive. Returns at once
  /// where nothing came, else waits for the peer's end: under a deadline that closes this.
  Task<Status> drop_input(std::size_t most);
  /// Closes now; a close_notify is sent if the socket takes it at once. Idempotent.
  void close();
  [[nodiscard]] bool is_open() const { return socket_.is_open(); }

  /// Takes the connection out of its worker. No operation may be under way; the Transport is
  /// closed afterwards.
  UnboundTransport release();
  /// For another thread, with no operation under way: the same connection by a descriptor of its
  /// own. What stays behind is to be release()d, not closed, on its worker: a closed descriptor
  /// whose connection lives on would stay in the worker's epoll set.
  UnboundTransport leave_shell();

  /// "127.0.0.1:5432", "[::1]:5432", "unix:/path" or "unix".
  [[nodiscard]] const std::string& peer() const { return peer_; }
  /// Null while plain. Valid as long as this Transport.
  [[nodiscard]] const TlsEngine* tls() const { return tls_.get(); }
  [[nodiscard]] IdleState peek() const;
  /// The same by what the event loop has heard up to its last turn; a system call only where that
  /// is in doubt.
  [[nodiscard]] IdleState glance();
  /// What the peer's host acknowledged of what was written.
  [[nodiscard]] Acknowledgement acknowledgement() const { return proxy::acknowledgement(fd()); }
  /// The peer sends nothing more, though what it sent before may still be unread.
  [[nodiscard]] bool peer_ended() const { return !is_open() || stream_ended(fd()); }

 private:
  Transport(ReadySocket socket, UnboundTransport unbound);

  /// What the socket still holds, by the last receive.
  enum class Left : std::uint8_t {
    kUnknown,
    kHardlyAnything,  ///< it gave less than there was room for
    kNothing,
  };

  void watch();
  Task<Result<std::size_t>> read_later(std::span<char> room);
  enum class Wrote : std::uint8_t { kAll, kPart, kBlocked };
  Result<Wrote> write_once(Gather& left);
  [[nodiscard]] bool written(const Gather& left) const;
  Task<Status> write_rest(Gather left);
  Task<Status> wait_input();
  Task<Status> wait_output();
  [[nodiscard]] Status heard(const boost::system::error_code& error);
  [[nodiscard]] Status waited(const boost::system::error_code& error);
  [[nodiscard]] bool turn_over() { return ++streak_ >= kMaxStreak; }
  /// The next operation is the one after which others get their turn.
  [[nodiscard]] bool turn_ends() const { return streak_ + 1 >= kMaxStreak; }
  Task<void> give_turn();
  IoStep receive(std::span<char> into);
  std::optional<Result<std::size_t>> read_now(std::span<char> into);
  std::optional<Result<std::size_t>> read_tls_now(std::span<char> into);
  Result<std::size_t> tls_end();
  Status encrypt_batch(Gather& left);
  IoStep send_views(Gather& left);
  IoStep flush_now();
  Status start_tls(const TlsContext& context, const std::string& host);
  Task<Status> handshake();
  Task<Status> feed_handshake();
  [[nodiscard]] Error broken(int error) const;
  [[nodiscard]] int fd() const { return const_cast<ReadySocket&>(socket_).native_handle(); }

  ReadySocket socket_;
  std::unique_ptr<InputWatch, InputWatch::Drop> watch_;
  std::unique_ptr<TlsEngine> tls_;
  std::string peer_;
  unsigned streak_ = 0;
  Left left_ = Left::kUnknown;
  bool reading_ = false;
  bool interrupted_ = false;
  bool writing_ = false;
};

/// One wait for input; to be awaited once, as a named object.
class Transport::Readable : public task_detail::OwnAwaiter {
 public:
  explicit Readable(Transport* transport) : transport_(transport) {}

  [[nodiscard]] bool await_ready();
  template <typename Promise>
  void await_suspend(std::coroutine_handle<Promise> waiting) {
    InputWatch::Await{{}, transport_->watch_.get()}.await_suspend(waiting);
  }
  [[nodiscard]] Status await_resume();

 private:
  Transport* transport_;
  bool watches_ = false;
};

}  // namespace postern::proxy
