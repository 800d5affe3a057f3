// Result<T>: a value or an Error, shaped like std::expected (absent from GCC 12's C++20 mode).
#pragma once

#include <type_traits>
#include <utility>
#include <variant>

#include "base/check.hpp"
#include "base/error.hpp"

namespace postern {

struct Unit {
  friend bool operator==(Unit, Unit) = default;
};

/// A T or an Error. Reading the wrong alternative is a programming error and aborts.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  [[nodiscard]] bool has_value() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }

  T& value() & {
    POSTERN_CHECK(has_value());
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    POSTERN_CHECK(has_value());
    return *std::get_if<0>(&state_);
  }
  T&& value() && {
    POSTERN_CHECK(has_value());
    return std::move(*std::get_if<0>(&state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  Error& error() & {
    POSTERN_CHECK(!has_value());
    return *std::get_if<1>(&state_);
  }
  const Error& error() const& {
    POSTERN_CHECK(!has_value());
    return *std::get_if<1>(&state_);
  }
  Error&& error() && {
    POSTERN_CHECK(!has_value());
    return std::move(*std::get_if<1>(&state_));
  }

 private:
  std::variant<T, Error> state_;
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
