#pragma once

#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace sealroom {

/// Everything the native core can refuse. `error_message` holds the sentence; the bindings hold the
/// Python class.
enum class Error : std::uint8_t {
  invalid_argument,       ///< a caller's value is outside what the function documents
  buffer_too_small,       ///< the output view is shorter than the result
  truncated,              ///< the input ends inside a field
  malformed,              ///< the input breaks its wire format
  unsupported,            ///< valid, but not a feature of this build or class
  authentication_failed,  ///< tag mismatch; says nothing about why
  replayed,               ///< this counter or packet index was accepted before
  too_old,                ///< older than the replay window reaches
  unknown_key_id,         ///< SFrame KID without a key
  unknown_ssrc,           ///< no stream is registered for this SSRC
  not_encrypted,          ///< a frame without SFrame protection where protection is required
  key_exhausted,          ///< the counter or packet limit of a key is reached: install a new key
  not_ready,              ///< keys or route are not installed yet
  limit_exceeded,         ///< a stated bound (streams, bytes, packets) is reached
  commitment_mismatch,    ///< a key is not the one that was committed to
  crypto_failure,         ///< the crypto library refused an operation it should accept
  system_error,           ///< a system call failed
};

[[nodiscard]] std::string_view error_name(Error error);
[[nodiscard]] std::string_view error_message(Error error);

/// How a Result holds what it has. Small values that copy as bytes lie beside a word that tells the
/// error: the one-byte index of a variant, written and at once read back with the padding around
/// it, stalls the processor at every return (some 4 ns, several times a packet).
template <class T, bool is_plain = std::is_trivially_copyable_v<T> &&
                                   std::is_default_constructible_v<T> && sizeof(T) <= 64>
class ResultState {
 public:
  explicit ResultState(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  explicit ResultState(Error error) : state_(std::in_place_index<1>, error) {}
  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  [[nodiscard]] const T& value() const { return *std::get_if<0>(&state_); }
  [[nodiscard]] T& value() { return *std::get_if<0>(&state_); }
  [[nodiscard]] Error error() const { return *std::get_if<1>(&state_); }

 private:
  std::variant<T, Error> state_;
};

template <class T>
class ResultState<T, true> {
 public:
  explicit ResultState(T value) : value_(value) {}
  explicit ResultState(Error error) : status_(static_cast<std::uint64_t>(error) + 1) {}
  [[nodiscard]] bool ok() const { return status_ == 0; }
  [[nodiscard]] const T& value() const {
    if (status_ != 0) std::abort();  // as good as free behind the caller's ok()
    return value_;
  }
  [[nodiscard]] T& value() {
    if (status_ != 0) std::abort();
    return value_;
  }
  [[nodiscard]] Error error() const { return static_cast<Error>(status_ - 1); }

 private:
  T value_{};
  std::uint64_t status_ = 0;  ///< 0, or the error + 1
};

/// A value or an Error. The core never throws; whoever ignores a Result gets a compiler warning.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}  // NOLINT(implicit)
  Result(Error error) : state_(error) {}         // NOLINT(implicit)

  [[nodiscard]] bool ok() const { return state_.ok(); }
  explicit operator bool() const { return ok(); }
  [[nodiscard]] const T& value() const& { return state_.value(); }
  [[nodiscard]] T& value() & { return state_.value(); }
  [[nodiscard]] T&& value() && { return std::move(state_.value()); }
  [[nodiscard]] Error error() const { return state_.error(); }

 private:
  ResultState<T> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : status_(static_cast<std::uint32_t>(error) + 1) {}  // NOLINT(implicit)

  [[nodiscard]] bool ok() const { return status_ == 0; }
  explicit operator bool() const { return ok(); }
  [[nodiscard]] Error error() const { return static_cast<Error>(status_ - 1); }

 private:
  std::uint32_t status_ = 0;  ///< 0, or the error + 1
};

}  // namespace sealroom
