#include "base/result.hpp"

namespace postern {

// Out of line: what every caller would repeat is for the rare case.
ErrorBox::ErrorBox(Error&& error) : error_(new Error(std::move(error))) {}

ErrorBox::ErrorBox(const ErrorBox& other)
    : error_(other.empty() ? nullptr : new Error(other.get())) {}

Error* ErrorBox::taken() noexcept {
  static Error mark;
  return &mark;
}

void ErrorBox::destroy() noexcept {
  if (error_ != taken()) delete error_;
}

}  // namespace postern
