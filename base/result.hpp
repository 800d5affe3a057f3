// Result<T>: a value or an Error, shaped like std::expected (absent from GCC 12's C++20 mode).
#pragma once

#include <optional>
#include <type_traits>
#include <utility>

#include "base/check.hpp"
#include "base/error.hpp"

namespace postern {

struct Unit {
  friend bool operator==(Unit, Unit) = default;
};

/// An Error or none, in one word: every step of a query returns a Result, hardly any an error. One
/// that an error was moved out of is not empty: it never passes for success, and cannot be read.
class ErrorBox {
 public:
  ErrorBox() = default;
  explicit ErrorBox(Error&& error);
  ErrorBox(const ErrorBox& other);
  ErrorBox(ErrorBox&& other) noexcept : error_(other.error_) {
    if (error_ != nullptr) [[unlikely]] {
      other.error_ = taken();
    }
  }
  ErrorBox& operator=(const ErrorBox& other) {
    ErrorBox copy(other);
    std::swap(error_, copy.error_);
    return *this;
  }
  ErrorBox& operator=(ErrorBox&& other) noexcept {
    ErrorBox moved(std::move(other));
    std::swap(error_, moved.error_);
    return *this;
  }
  ~ErrorBox() {
    if (error_ != nullptr) [[unlikely]] {
      destroy();
    }
  }

  [[nodiscard]] bool empty() const noexcept { return error_ == nullptr; }
  [[nodiscard]] Error& get() const noexcept {
    POSTERN_CHECK(error_ != nullptr && error_ != taken());
    return *error_;
  }

 private:
  static Error* taken() noexcept;
  void destroy() noexcept;

  Error* error_ = nullptr;
};

/// A T or an Error. Reading the wrong alternative is a programming error and aborts.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}
  Result(Error error) : error_(std::move(error)) {}

  [[nodiscard]] bool has_value() const noexcept {
    if constexpr (std::is_empty_v<T>) {
      return error_.empty();
    } else {
      return value_.has_value();
    }
  }
  explicit operator bool() const noexcept { return has_value(); }

  T& value() & {
    POSTERN_CHECK(has_value());
    return there(value_);
  }
  const T& value() const& {
    POSTERN_CHECK(has_value());
    return there(value_);
  }
  T&& value() && {
    POSTERN_CHECK(has_value());
    return std::move(there(value_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  Error& error() & { return error_.get(); }
  const Error& error() const& { return error_.get(); }
  Error&& error() && { return std::move(error_.get()); }

 private:
  // A type without state needs no room to say that it is there.
  using Slot = std::conditional_t<std::is_empty_v<T>, T, std::optional<T>>;

  template <typename S>
  static auto& there(S& slot) {
    if constexpr (std::is_empty_v<T>) {
      return slot;
    } else {
      return *slot;  // NOLINT(bugprone-unchecked-optional-access): value() has looked
    }
  }

  [[no_unique_address]] Slot value_{};
  ErrorBox error_;
};

/// Result of an operation that yields nothing but success.
using Status = Result<Unit>;

inline Status ok() {
  return Unit{};
}

inline Error make_error(Pst code, std::string what = {}) {
  return Error{code, std::move(what), {}, 0};
}

}  // namespace postern

/// Returns the error of a Status/Result expression from the enclosing function, if it has one.
#define POSTERN_TRY(expression)                                  \
  do {                                                           \
    if (auto postern_status_ = (expression); !postern_status_) { \
      return std::move(postern_status_).error();                 \
    }                                                            \
  } while (false)

#define POSTERN_CONCAT_IMPL_(a, b) a##b
#define POSTERN_CONCAT_(a, b) POSTERN_CONCAT_IMPL_(a, b)

/// Declares `target` from a Result, or returns its error: POSTERN_ASSIGN(auto frame, next(bytes)).
#define POSTERN_ASSIGN(target, expression) \
  POSTERN_ASSIGN_IMPL_(POSTERN_CONCAT_(postern_result_, __LINE__), target, expression)
#define POSTERN_ASSIGN_IMPL_(temporary, target, expression) \
  auto temporary = (expression);                            \
  if (!temporary) return std::move(temporary).error();      \
  target = std::move(temporary).value()
