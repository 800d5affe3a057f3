// TLS without I/O: ciphertext in, plaintext out and the reverse, over OpenSSL.
//
// A driver moves bytes: what the peer sent goes in through feed() or decrypt(), what pending()
// shows is sent to the peer in order. Between operations an engine holds no plaintext and, once
// its output is sent, no buffer of its own (OpenSSL releases its record buffers as well).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "proxy/net/peer_certificate.hpp"
#include "proxy/net/tls_context.hpp"

struct ssl_st;

namespace postern::proxy {

/// One TLS connection. Used by one thread at a time; may change threads between calls. After an
/// error every call that needs the connection returns that error again; alerts that explain it to
/// the peer are in pending().
class TlsEngine {
 public:
  /// Largest plaintext of one record (RFC 8446 section 5.1).
  static constexpr std::size_t kMaxRecord = 16 * 1024;

  enum class Handshake : std::uint8_t { kDone, kNeedsInput };

  /// A connection in the context's role. `host` is for clients: SNI (names only, RFC 6066
  /// section 3) and, where the context verifies hosts, the name or address to match.
  static Result<std::unique_ptr<TlsEngine>> create(const TlsContext& context,
                                                   const std::string& host);

  TlsEngine(const TlsEngine&) = delete;
  TlsEngine& operator=(const TlsEngine&) = delete;
  ~TlsEngine();

  /// Bytes from the peer, copied.
  void feed(ByteView ciphertext);

  /// Goes on with the handshake as far as the input allows. On kNeedsInput and on error send
  /// pending(), too. kTlsHandshake, kTlsCertificate, kTlsHostMismatch.
  Result<Handshake> handshake();
  [[nodiscard]] bool is_open() const { return open_; }

  /// Decrypts input kept from before, then `more`, into `into` (not empty). What of `more` does
  /// not fit is kept. 0 means: input needed (wants_input), or the peer closed (peer_closed).
  /// kTlsProtocol, also where the peer asks for renegotiation (TLS 1.2). Before the handshake is
  /// done: kTlsHandshake.
  Result<std::size_t> decrypt(ByteView more, std::span<char> into);
  /// decrypt would give nothing without new input.
  [[nodiscard]] bool wants_input() const;
  /// close_notify was received: there will be no more plaintext.
  [[nodiscard]] bool peer_closed() const { return peer_closed_; }
  /// The transport ended: success after close_notify, else kTlsTruncated.
  [[nodiscard]] Status end_of_input();

  /// Encrypts one record's worth, 1 to kMaxRecord bytes, behind pending().
  Status encrypt(ByteView plaintext);
  /// Appends close_notify to pending(), once; nothing may be encrypted afterwards.
  void close();

  /// Bytes to send, in order. Valid until the next call of anything but const members.
  [[nodiscard]] ByteView pending() const { return ByteView(out_).substr(out_begin_); }
  [[nodiscard]] bool wants_output() const { return out_begin_ < out_.size(); }
  /// The first `size` bytes of pending() were sent.
  void sent(std::size_t size);

  /// Both sides agreed on ALPN "postgresql" (mandatory with direct TLS).
  [[nodiscard]] bool alpn_agreed() const;
  /// "TLSv1.3" or "TLSv1.2"; valid for the process's lifetime.
  [[nodiscard]] const char* version() const;
  /// tls-server-end-point of the server's certificate: our own as server, the peer's as client.
  [[nodiscard]] Result<Bytes> channel_binding() const;
  /// Who the peer is by its certificate, where one was presented and verified.
  [[nodiscard]] std::optional<PeerCertificate> peer_certificate() const;

 private:
  friend struct TlsBio;
  struct Free {
    void operator()(ssl_st* ssl) const noexcept;
  };

  TlsEngine() = default;
  Status set_host(const TlsContext& context, const std::string& host);
  void set_failed(Pst code, std::string what);
  Error fail(Pst code, std::string what);
  Error fail_handshake();
  void note_read_stop(int result);
  void refuse_renegotiation(std::size_t replied);
  std::size_t take_input(std::span<char> into);
  void keep(ByteView rest);

  std::unique_ptr<ssl_st, Free> ssl_;
  Bytes in_;  // received, not yet taken by OpenSSL
  std::size_t in_begin_ = 0;
  ByteView more_;  // borrowed from the caller during decrypt only
  Bytes out_;      // produced by OpenSSL, not yet sent
  std::size_t out_begin_ = 0;
  std::optional<Error> failed_;
  bool open_ = false;
  bool peer_closed_ = false;
  bool closed_ = false;
};

}  // namespace postern::proxy
