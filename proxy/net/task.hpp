// The coroutine type of proxy/, and how it waits for operations of Asio.
//
// asio::awaitable does the same; this one costs a third of it, which was a tenth of a query
// (docs/adr/0007). A task that ends without waiting costs two calls and a recycled frame.
#pragma once

#include <concepts>
#include <coroutine>
#include <exception>
#include <optional>
#include <tuple>
#include <utility>

#include <boost/asio/deferred.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/io_context.hpp>

#include "proxy/net/frame_pool.hpp"

namespace postern::proxy {

namespace asio = boost::asio;

template <typename T>
class Task;
template <typename T>
class Prompt;

namespace task_detail {

/// The outermost coroutine of a chain in which each awaits the next. Whoever will resume the chain
/// owns it; with its destruction all frames of the chain go.
struct Root {
  std::coroutine_handle<> frame;
  bool initiating = false;  ///< an operation is being started: its handler does not own us yet
};

/// The completion handler of what a chain waits for: owns the chain until it resumes it. Destroyed
/// unrun, with its io_context, it destroys the chain.
template <typename Results>
class Resumer {
 public:
  Resumer(Root* root, std::coroutine_handle<> waiting, std::optional<Results>* results)
      : root_(root), waiting_(waiting), results_(results) {}
  Resumer(Resumer&& other) noexcept
      : root_(std::exchange(other.root_, nullptr)),
        waiting_(other.waiting_),
        results_(other.results_) {}
  Resumer& operator=(Resumer&&) = delete;
  ~Resumer() {
    if (root_ != nullptr && !root_->initiating) root_->frame.destroy();
  }

  void operator()(Results results = {}) {
    if (results_ != nullptr) results_->emplace(std::move(results));
    root_ = nullptr;
    waiting_.resume();
  }

 private:
  Root* root_;
  std::coroutine_handle<> waiting_;
  std::optional<Results>* results_;
};

/// Starts an Asio operation and waits for its results.
template <typename Operation, typename Results>
class OperationAwaiter {
 public:
  explicit OperationAwaiter(Operation operation) : operation_(std::move(operation)) {}

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <typename Promise>
  void await_suspend(std::coroutine_handle<Promise> waiting) {
    Root* root = waiting.promise().root;
    // Where starting fails with an exception, the handler goes and the chain goes on.
    struct Initiating {
      bool* flag;
      ~Initiating() { *flag = false; }
    };
    root->initiating = true;
    const Initiating until_started{&root->initiating};
    std::move(operation_)(Resumer<Results>(root, waiting, &results_));
  }
  Results await_resume() { return std::move(*results_); }

 private:
  Operation operation_;
  std::optional<Results> results_;
};

/// Base of awaiters that own the chain and resume it by themselves.
struct OwnAwaiter {};

/// What all coroutines of a chain can await.
struct Awaits {
  Root* root = nullptr;

  template <typename T>
  Task<T>&& await_transform(Task<T>&& task) const noexcept {
    return std::move(task);
  }
  template <typename T>
  Prompt<T>&& await_transform(Prompt<T>&& prompt) const noexcept {
    return std::move(prompt);
  }
  template <std::derived_from<OwnAwaiter> Awaiter>
  Awaiter& await_transform(Awaiter& awaiter) const noexcept {
    return awaiter;
  }
  template <typename Results, typename... Rest>
  auto await_transform(asio::deferred_async_operation<void(Results), Rest...> operation) const {
    using Operation = asio::deferred_async_operation<void(Results), Rest...>;
    return OperationAwaiter<Operation, Results>(std::move(operation));
  }
};

struct Frame {
  static void* operator new(std::size_t size) { return FramePool::take(size); }
  static void operator delete(void* frame, std::size_t size) noexcept {
    FramePool::give(frame, size);
  }
};

struct PromiseBase : Awaits, Frame {
  /// Who awaits us, from the moment they wait in fact.
  std::coroutine_handle<> awaiting;
  std::exception_ptr failure;

  struct AtEnd {
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <typename Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> ended) const noexcept {
      const std::coroutine_handle<> awaiting = ended.promise().awaiting;
      // Who is not waiting yet called us and will see that we are done.
      return awaiting ? awaiting : std::noop_coroutine();
    }
    void await_resume() const noexcept {}
  };
  std::suspend_always initial_suspend() noexcept { return {}; }
  AtEnd final_suspend() noexcept { return {}; }
  void unhandled_exception() noexcept { failure = std::current_exception(); }
};

template <typename T>
struct Promise : PromiseBase {
  std::optional<T> value;

  Task<T> get_return_object();
  template <typename U>
  void return_value(U&& result) {
    value.emplace(std::forward<U>(result));
  }
  T take() { return std::move(*value); }
};

template <>
struct Promise<void> : PromiseBase {
  Task<void> get_return_object();
  void return_void() const noexcept {}
  void take() const noexcept {}
};

}  // namespace task_detail

/// A coroutine of proxy/ that yields a T. Starts when awaited, or by start_task; awaited once, on
/// the thread its operations complete on. Move-only; the frame goes with it.
template <typename T>
class [[nodiscard]] Task {
 public:
  using promise_type = task_detail::Promise<T>;

  Task() = default;
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <typename Promise>
  bool await_suspend(std::coroutine_handle<Promise> awaiting) {
    handle_.promise().root = awaiting.promise().root;
    // Nested instead of symmetric transfer: most tasks end without waiting, and compilers turn
    // the latter into a jump only when they optimise.
    handle_.resume();
    if (handle_.done()) return false;
    handle_.promise().awaiting = awaiting;
    return true;
  }
  T await_resume() {
    promise_type& promise = handle_.promise();
    if (promise.failure) std::rethrow_exception(promise.failure);
    return promise.take();
  }

 private:
  friend promise_type;
  explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

/// What a function returns that hardly ever has to wait: its result, or else the task that will
/// have it. Awaited like a task; where the result is there already, no coroutine was made for it.
template <typename T>
class [[nodiscard]] Prompt {
 public:
  template <typename U>
    requires std::convertible_to<U, T>
  Prompt(U&& result) : result_(std::forward<U>(result)) {}
  Prompt(Task<T> task) : task_(std::move(task)) {}

  [[nodiscard]] bool await_ready() const noexcept { return result_.has_value(); }
  template <typename Promise>
  bool await_suspend(std::coroutine_handle<Promise> awaiting) {
    return task_.await_suspend(awaiting);
  }
  T await_resume() { return result_ ? std::move(*result_) : task_.await_resume(); }

  /// The result where it is there; null where it has to be awaited.
  [[nodiscard]] T* result() { return result_ ? &*result_ : nullptr; }

 private:
  std::optional<T> result_;
  Task<T> task_;
};

namespace task_detail {

template <typename T>
Task<T> Promise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<Promise>::from_promise(*this));
}

inline Task<void> Promise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<Promise>::from_promise(*this));
}

/// The coroutine at the root of a chain; its frame ends with it.
struct Chain {
  struct promise_type : Awaits, Frame, Root {
    Chain get_return_object() {
      frame = std::coroutine_handle<promise_type>::from_promise(*this);
      root = this;
      return {this};
    }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }
  };
  Root* root;
};

template <typename OnEnd>
Chain run_chain(Task<void> task, OnEnd on_end) {
  std::exception_ptr failure;
  try {
    co_await std::move(task);
  } catch (...) {
    failure = std::current_exception();
  }
  on_end(std::move(failure));
}

}  // namespace task_detail

/// Runs a task on the thread of `executor`, at once where that is this thread. At its end
/// `on_end(std::exception_ptr)` is called there; it must not throw. A task still waiting when its
/// io_context goes is destroyed. Any thread.
template <typename OnEnd>
void start_task(const asio::io_context::executor_type& executor, Task<void> task, OnEnd on_end) {
  task_detail::Root* root = task_detail::run_chain(std::move(task), std::move(on_end)).root;
  asio::dispatch(executor, task_detail::Resumer<std::tuple<>>(root, root->frame, nullptr));
}

}  // namespace postern::proxy
