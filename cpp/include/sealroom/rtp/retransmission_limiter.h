#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "sealroom/base/types.h"

namespace sealroom::rtp {

/// What one stream may have sent again: in a second at most a quarter of the bytes sent in a second
/// plus a small floor, so that NACKs cannot make a sender an amplifier. Bytes are those of the
/// wire, or a packet without payload would cost nothing. The second is a window that begins with
/// what is sent or asked for once the last one is over, so what goes out again in a burst is at
/// most the share of two. O(1); memory is taken with the first allow().
class RetransmissionLimiter {
 public:
  static constexpr std::uint64_t kFloorBytes =
      16'384;                                 ///< a second: a dozen packets of a slow stream
  static constexpr std::uint64_t kShare = 4;  ///< one of so many bytes sent
  /// What IP and UDP add to each packet; without options, of IPv4.
  static constexpr std::size_t kPacketOverhead = 28;

  /// `remembered`: packets, by their numbers, that allow() tells apart: as many as can be sent
  /// again, a power of two.
  explicit RetransmissionLimiter(std::size_t remembered = 0) : remembered_(remembered) {}

  /// Called with each packet sent for the first time, `size` with SRTP: a burst after a quiet time
  /// then lies in a window of its own, instead of being spread over all the time nobody sent a
  /// NACK.
  void note_sent(std::size_t size, TimePoint now) {
    if (bytes_sent_ == 0) window_start_ = now;  // so that the first second's rate is known
    roll_window(now);
    bytes_sent_ += size + kPacketOverhead;
  }

  /// A retry one round trip after the last must pass, so the interval stays below it.
  void set_round_trip_time(Duration round_trip_time) {
    min_interval_ = std::clamp<Duration>(round_trip_time * 3 / 4, std::chrono::milliseconds(5),
                                         std::chrono::milliseconds(200));
  }

  /// May a packet of `size`, with SRTP, go out again? Counts it if so.
  bool allow_bytes(std::size_t size, TimePoint now) {
    if (!fits(size, now)) return false;
    bytes_again_ += size + kPacketOverhead;
    return true;
  }

  /// The same for the packet with this (unwrapped) number, which must not go out twice within about
  /// a round trip.
  bool allow(std::int64_t number, std::size_t size, TimePoint now) {
    if (recent_.empty()) recent_.resize(remembered_);
    Entry& entry = recent_[static_cast<std::size_t>(number) & (remembered_ - 1)];
    const Entry asked{static_cast<std::uint32_t>(number), microseconds(now)};
    const auto min_interval = static_cast<std::uint32_t>(min_interval_.count());
    if (entry.number == asked.number && asked.at - entry.at < min_interval) return false;
    if (!allow_bytes(size, now)) return false;
    entry = asked;
    return true;
  }

 private:
  static constexpr Duration kWindow = std::chrono::seconds(1);
  /// Half of each number, as there are many of these. That both are taken for another's, 71 minutes
  /// apart to the millisecond, would delay one packet by an interval.
  struct Entry {
    std::uint32_t number = ~std::uint32_t{0};
    std::uint32_t at = 0;
  };

  static std::uint32_t microseconds(TimePoint time) {
    return static_cast<std::uint32_t>(time.time_since_epoch().count());
  }

  bool fits(std::size_t size, TimePoint now) {
    roll_window(now);
    const std::uint64_t sent = std::max(rate_, bytes_sent_ - bytes_at_start_);
    return bytes_again_ + size + kPacketOverhead <= sent / kShare + kFloorBytes;
  }

  void roll_window(TimePoint now) {
    const Duration elapsed = now - window_start_;
    if (elapsed < kWindow) return;
    rate_ = (bytes_sent_ - bytes_at_start_) * static_cast<std::uint64_t>(kWindow.count()) /
            static_cast<std::uint64_t>(elapsed.count());
    window_start_ = now;
    bytes_at_start_ = bytes_sent_;
    bytes_again_ = 0;
  }

  std::size_t remembered_;
  std::vector<Entry> recent_;  ///< a ring by number
  Duration min_interval_ = std::chrono::milliseconds(20);
  TimePoint window_start_{};
  std::uint64_t bytes_sent_ = 0;  ///< ever
  std::uint64_t bytes_at_start_ = 0;
  std::uint64_t rate_ = 0;         ///< bytes a second before this window
  std::uint64_t bytes_again_ = 0;  ///< sent again in this window
};

}  // namespace sealroom::rtp
