#include "base/result.hpp"

namespace postern {

// Out of line: what every caller would repeat is for the rare case.
ErrorBox::ErrorBox(Error&& error) : error_(new Error(std::move(error))) {}

ErrorBox::ErrorBox(const ErrorBox& other)
    : error_(other.error_ == nullptr ? nullptr : new Error(*other.error_)) {}

void ErrorBox::destroy() noexcept {
  delete error_;
}

}  // namespace postern
