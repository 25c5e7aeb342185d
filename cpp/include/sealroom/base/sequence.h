#pragma once

#include <cstdint>

namespace sealroom {

/// RFC 1982 order of two wrapping numbers: true if `a` comes after `b` by less than half the range.
constexpr bool is_newer(std::uint16_t a, std::uint16_t b) {
  return a != b && static_cast<std::uint16_t>(a - b) < 0x8000;
}
constexpr bool is_newer(std::uint32_t a, std::uint32_t b) {
  return a != b && static_cast<std::uint32_t>(a - b) < 0x80000000U;
}

/// Turns wrapping numbers into an unbroken 64-bit line, each placed nearest to the newest one seen.
/// A jump of exactly half the range counts as forward. The first number keeps its value, so packets
/// that came before it are negative.
template <class Unsigned, class Signed>
class Unwrapper {
 public:
  std::int64_t unwrap(Unsigned number) {
    const std::int64_t result = peek(number);
    if (!started_ || result > newest_) {
      newest_ = result;
      started_ = true;
    }
    return result;
  }

  /// The same without taking note of it, for numbers that are not authenticated yet.
  [[nodiscard]] std::int64_t peek(Unsigned number) const {
    if (!started_) return number;
    const auto step =
        static_cast<Signed>(static_cast<Unsigned>(number - static_cast<Unsigned>(newest_)));
    return newest_ + (step == kHalfBack ? -static_cast<std::int64_t>(step) : step);
  }

  void reset() { *this = Unwrapper(); }

 private:
  static constexpr Signed kHalfBack =
      static_cast<Signed>(Unsigned{1} << (8 * sizeof(Unsigned) - 1));
  std::int64_t newest_ = 0;
  bool started_ = false;
};

using SequenceUnwrapper = Unwrapper<std::uint16_t, std::int16_t>;
using TimestampUnwrapper = Unwrapper<std::uint32_t, std::int32_t>;

}  // namespace sealroom
