#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

namespace sealroom {

/// A number that cannot be passed where another kind of number is meant.
template <class Tag, class Rep>
struct StrongNumber {
  Rep value{};
  friend constexpr auto operator<=>(const StrongNumber&, const StrongNumber&) = default;
};

using Ssrc = StrongNumber<struct SsrcTag, std::uint32_t>;
using PayloadType = StrongNumber<struct PayloadTypeTag, std::uint8_t>;  ///< 0..127
using RtpTimestamp = StrongNumber<struct RtpTimestampTag, std::uint32_t>;
using KeyId = StrongNumber<struct KeyIdTag, std::uint64_t>;  ///< SFrame KID

/// NTP time as in RFC 3550 section 4: seconds since 1900 in 32.32 fixed point.
using NtpTime = StrongNumber<struct NtpTimeTag, std::uint64_t>;

/// The time line of the core. It has no now(): time is an argument everywhere.
struct MonotonicClock {
  using duration = std::chrono::microseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonotonicClock>;
  static constexpr bool is_steady = true;
};
using Duration = MonotonicClock::duration;
using TimePoint = MonotonicClock::time_point;
inline constexpr TimePoint kNever = TimePoint::max();

enum class MediaKind : std::uint8_t { audio, video };

}  // namespace sealroom
