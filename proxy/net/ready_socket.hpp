// A stream socket whose wait for input costs no system call.
#pragma once

#include <coroutine>
#include <utility>

#include <boost/asio/detail/reactor.hpp>
#include <boost/asio/detail/reactor_op.hpp>

#include "proxy/net/asio.hpp"
#include "proxy/net/second_look.hpp"
#include "proxy/net/socket_ops.hpp"

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
  friend class InputWatch;
  asio::detail::reactor* reactor_;
};

/// Watches one socket for input, again and again, without an allocation a wait. Lives on the heap:
/// where its owner goes while the reactor still has it, it goes with the reactor's last word.
/// The socket's thread only.
///
/// The socket must be open and have been seen empty, or be thought so: then it is looked at again
/// (second_look.hpp). Waits end early now and then, and with the socket's cancel() and close().
class InputWatch : asio::detail::reactor_op {
 public:
  explicit InputWatch(ReadySocket& socket)
      : reactor_op(boost::system::error_code(), &perform, &complete),
        doubt_(asio::use_service<SecondLook>(socket.get_executor().context()).waits(), &look_again,
               this) {
    cancellation_key_ = this;
  }
  InputWatch(const InputWatch&) = delete;
  InputWatch& operator=(const InputWatch&) = delete;

  struct Drop {
    void operator()(InputWatch* watch) const {
      if (watch->pending_) {
        watch->doubt_.disarm();
        watch->abandoned_ = true;
      } else {
        delete watch;
      }
    }
  };

  enum class Empty : std::uint8_t { kSeen, kThought };

  /// Begins to watch, unless it does so already.
  void begin(ReadySocket& socket, Empty empty) {
    if (pending_ || fired_) return;
    pending_ = true;
    seen_ = false;
    ec_.clear();
    reactor_ = socket.reactor_;
    registration_ = socket.impl_.get_implementation().reactor_data_;
    fd_ = socket.native_handle();
    if (empty == Empty::kThought) doubt_.arm({});
    reactor_->start_op(asio::detail::reactor::read_op, fd_, registration_, this, false, true);
  }
  /// Since it began there was news of the socket.
  [[nodiscard]] bool seen() const { return seen_; }
  /// Before the socket closes or goes elsewhere.
  void end() { doubt_.disarm(); }

  /// One wait, after begin(). To be awaited once, as a named object. Yields Asio's error.
  struct Await : task_detail::OwnAwaiter {
    InputWatch* watch;

    [[nodiscard]] bool await_ready() const noexcept { return std::exchange(watch->fired_, false); }
    template <typename Promise>
    void await_suspend(std::coroutine_handle<Promise> waiting) const {
      watch->root_ = waiting.promise().root;
      watch->waiting_ = waiting;
    }
    [[nodiscard]] boost::system::error_code await_resume() const noexcept { return watch->ec_; }
  };

 private:
  static status perform(reactor_op* base) {
    static_cast<InputWatch*>(base)->seen_ = true;
    return done_and_exhausted;
  }
  static void complete(void* owner, asio::detail::operation* base, const boost::system::error_code&,
                       std::size_t) {
    auto* self = static_cast<InputWatch*>(base);
    self->pending_ = false;
    self->doubt_.disarm();
    if (self->abandoned_) {
      delete self;
      return;
    }
    const std::coroutine_handle<> waiting = std::exchange(self->waiting_, nullptr);
    if (!waiting) {
      self->fired_ = self->seen_;  // for the next wait
    } else if (owner != nullptr) {
      waiting.resume();
    } else {
      // The io_context goes, and what waits in it: with it goes this watch.
      self->root_->frame.destroy();
    }
  }
  static void look_again(void* self) {
    auto& watch = *static_cast<InputWatch*>(self);
    if (watch.seen_ || peek_idle(watch.fd_) == IdleState::kQuiet) return;
    watch.seen_ = true;
    watch.reactor_->cancel_ops_by_key(watch.fd_, watch.registration_,
                                      asio::detail::reactor::read_op, self);
  }

  bool pending_ = false;    // the reactor has it
  bool seen_ = false;       // there was news since it began
  bool fired_ = false;      // and it was reported while nobody waited
  bool abandoned_ = false;  // nobody is interested any more
  int fd_ = -1;
  Deadline doubt_;
  asio::detail::reactor* reactor_ = nullptr;
  asio::detail::reactor::per_descriptor_data registration_ = nullptr;
  task_detail::Root* root_ = nullptr;
  std::coroutine_handle<> waiting_;
};

}  // namespace postern::proxy
