// csploop/result.hpp - a value or one of the errors of csploop/error.h, for C++20.
#ifndef CSPLOOP_RESULT_HPP
#define CSPLOOP_RESULT_HPP

#include <csploop/error.h>
#include <optional>
#include <stdexcept>
#include <utility>

namespace csploop {
inline namespace v0 {

class Error {
public:
    explicit Error(int code) noexcept : code_(code) {}
    int code() const noexcept { return code_; }
    const char *name() const noexcept { return csploop_error_name(code_); }
    const char *message() const noexcept { return csploop_strerror(code_); }

private:
    int code_;
};

// What value() throws when there is none.
class Failure : public std::runtime_error {
public:
    explicit Failure(Error error) : std::runtime_error(error.message()), error_(error) {}
    Error error() const noexcept { return error_; }

private:
    Error error_;
};

// A value, or an error. Ignoring one is a compiler warning.
template <class T>
class [[nodiscard]] Result {
public:
    Result(T value) : value_(std::move(value)) {}
    Result(Error error) noexcept : code_(error.code()) {}
    explicit operator bool() const noexcept { return code_ == 0; }
    int code() const noexcept { return code_; }
    Error error() const noexcept { return Error(code_); }
    T &value() & { return *(check(), value_); }
    T &&value() && { return *(check(), std::move(value_)); }

private:
    void check() const {
        if (code_ != 0)
            throw Failure(error());
    }
    std::optional<T> value_;
    int code_ = 0;
};

template <>
class [[nodiscard]] Result<void> {
public:
    Result() noexcept = default;
    Result(Error error) noexcept : code_(error.code()) {}
    explicit operator bool() const noexcept { return code_ == 0; }
    int code() const noexcept { return code_; }
    Error error() const noexcept { return Error(code_); }
    void value() const {
        if (code_ != 0)
            throw Failure(error());
    }

private:
    int code_ = 0;
};

namespace detail {
inline Result<void> result_of(int code) noexcept {
    return code < 0 ? Result<void>(Error(code)) : Result<void>();
}
} // namespace detail

} // namespace v0
} // namespace csploop
#endif
