#pragma once

#include <cstdint>
#include <string_view>
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

/// A value or an Error. The core never throws; whoever ignores a Result gets a compiler warning.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT(implicit)
  Result(Error error) : state_(std::in_place_index<1>, error) {}         // NOLINT(implicit)

  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  [[nodiscard]] const T& value() const& { return *std::get_if<0>(&state_); }
  [[nodiscard]] T& value() & { return *std::get_if<0>(&state_); }
  [[nodiscard]] T&& value() && { return std::move(*std::get_if<0>(&state_)); }
  [[nodiscard]] Error error() const { return *std::get_if<1>(&state_); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(error), ok_(false) {}  // NOLINT(implicit)

  [[nodiscard]] bool ok() const { return ok_; }
  explicit operator bool() const { return ok_; }
  [[nodiscard]] Error error() const { return error_; }

 private:
  Error error_{};
  bool ok_ = true;
};

}  // namespace sealroom
