// Non-blocking socket calls as values, free of Asio.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace postern::proxy {

/// Most views handed to the kernel in one call (Asio's own limit; UIO_MAXIOV is 1,024).
inline constexpr std::size_t kMaxGather = 64;

inline constexpr int kKeepAliveIdleSeconds = 60;
inline constexpr int kKeepAliveIntervalSeconds = 10;
inline constexpr int kKeepAliveProbes = 6;
/// After which keepalive gives up a peer that nothing is heard of.
inline constexpr std::chrono::seconds kKeepAlivePatience{
    kKeepAliveIdleSeconds + kKeepAliveIntervalSeconds * kKeepAliveProbes};

/// What one non-blocking call did.
struct IoStep {
  enum class Kind : std::uint8_t { kMoved, kEnd, kWouldBlock, kFailed };
  Kind kind = Kind::kFailed;
  std::size_t size = 0;  ///< bytes moved, ≥ 1 with kMoved
  int error = 0;         ///< errno with kFailed
};

/// recv without waiting; kEnd where the peer has finished sending.
IoStep receive_now(int fd, std::span<char> into) noexcept;
/// sendmsg without waiting and without SIGPIPE, of at most kMaxGather views. Never kEnd. The views
/// must not all be empty.
IoStep send_now(int fd, std::span<const ByteView> views) noexcept;
/// The same for one view, which must not be empty: a cheaper call.
IoStep send_now(int fd, ByteView view) noexcept;

/// The state of a connection nobody reads from.
enum class IdleState : std::uint8_t { kQuiet, kHasInput, kGone };
/// Looks without taking anything: kHasInput where bytes wait (an idle server has nothing to say
/// but a farewell), kGone after end of stream or an error.
IdleState peek_idle(int fd) noexcept;
/// The peer ended its direction or the connection broke, also where unread bytes are left.
bool stream_ended(int fd) noexcept;

/// What the host of a peer, not the peer, has to say to what was sent.
struct Acknowledgement {
  bool outstanding = false;            ///< something sent, or a probe, was not answered yet
  std::chrono::milliseconds heard{0};  ///< since its last answer to anything
};
/// Nothing is outstanding where the connection is no TCP.
Acknowledgement acknowledgement(int fd) noexcept;

/// TCP_NODELAY and keepalive; no effect on unix sockets. What a listening socket accepts has its
/// options, which saves a login five system calls.
void tune_stream(int fd) noexcept;

/// "127.0.0.1:5432", "[::1]:5432", "unix:/path", or "unix" for an unnamed peer; "" if unknown.
std::string peer_text(int fd);
/// The local TCP port, 0 if there is none.
std::uint16_t local_port(int fd) noexcept;

/// "Connection refused (111)": an errno as text for Error::what.
std::string errno_text(int error);

}  // namespace postern::proxy
