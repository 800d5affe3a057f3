// A stream socket whose wait for input costs no system call.
#pragma once

#include <coroutine>

#include <boost/asio/detail/reactor.hpp>
#include <boost/asio/detail/reactor_op.hpp>

#include "proxy/net/asio.hpp"

namespace postern::proxy {

/// Asio's async_wait arms epoll anew each time, one epoll_ctl a wait and two a query. The reactor's
/// registration is edge-triggered, so whoever has emptied the socket need not: the next byte makes
/// an edge. That shortcut is not in Asio's public interface; this file alone knows the reactor of
/// Boost 1.81. Used as StreamSocket otherwise.
class ReadySocket : public StreamSocket {
 public:
  explicit ReadySocket(const Executor& executor)
      : StreamSocket(executor),
        reactor_(&asio::use_service<asio::detail::reactor>(executor.context())) {}

 private:
  friend class InputWait;
  void start(asio::detail::reactor_op* operation) {
    reactor_->start_op(asio::detail::reactor::read_op, native_handle(),
                       impl_.get_implementation().reactor_data_, operation, false, true);
  }

  asio::detail::reactor* reactor_;
};

/// One wait for input, to be awaited once, as a named object. The socket must be open and its last
/// receive have said that nothing is left, or bytes that are there may never be reported. Ends
/// early now and then; ends with the socket's cancel() and close() too. Yields Asio's error.
class InputWait : asio::detail::reactor_op, public task_detail::OwnAwaiter {
 public:
  explicit InputWait(ReadySocket* socket)
      : reactor_op(boost::system::error_code(), &perform, &complete), socket_(socket) {}
  InputWait(const InputWait&) = delete;
  InputWait& operator=(const InputWait&) = delete;

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <typename Promise>
  void await_suspend(std::coroutine_handle<Promise> waiting) {
    root_ = waiting.promise().root;
    waiting_ = waiting;
    socket_->start(this);
  }
  [[nodiscard]] boost::system::error_code await_resume() const noexcept { return ec_; }

 private:
  static status perform(reactor_op*) { return done_and_exhausted; }
  static void complete(void* owner, asio::detail::operation* base, const boost::system::error_code&,
                       std::size_t) {
    const auto* self = static_cast<InputWait*>(base);
    // Without owner the io_context goes, and what waits in it.
    if (owner == nullptr) {
      self->root_->frame.destroy();
    } else {
      self->waiting_.resume();
    }
  }

  ReadySocket* socket_;
  task_detail::Root* root_ = nullptr;
  std::coroutine_handle<> waiting_;
};

}  // namespace postern::proxy
