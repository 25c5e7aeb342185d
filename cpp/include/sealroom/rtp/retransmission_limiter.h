#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>

#include "sealroom/base/types.h"

namespace sealroom::rtp {

/// What one stream may have sent again: in a second at most a quarter of the bytes sent in a second
/// plus a small floor, so that NACKs cannot make a sender an amplifier. The second is a window that
/// begins with what is sent or asked for once the last one is over, so what goes out again in a
/// burst is at most the share of two. O(1); memory is taken with the first allow().
class RetransmissionLimiter {
 public:
  static constexpr std::uint64_t kFloorBytes =
      16'384;                                 ///< a second: a dozen packets of a slow stream
  static constexpr std::uint64_t kShare = 4;  ///< one of so many bytes sent

  /// Called with the first packet sent, so that the first second's rate is known.
  void start(TimePoint now) { window_start_ = now; }

  /// Called before each packet or frame, with the total without it: a burst after a quiet time then
  /// lies in a window of its own, instead of being spread over all the time nobody sent a NACK.
  void note_sent(std::uint64_t bytes_sent, TimePoint now) { roll_window(bytes_sent, now); }

  /// A retry one round trip after the last must pass, so the interval stays below it.
  void set_round_trip_time(Duration round_trip_time) {
    min_interval_ = std::clamp<Duration>(round_trip_time * 3 / 4, std::chrono::milliseconds(5),
                                         std::chrono::milliseconds(200));
  }

  /// May `size` more bytes go out again? Counts them if so. `bytes_sent` is the stream's total of
  /// first sendings.
  bool allow_bytes(std::size_t size, std::uint64_t bytes_sent, TimePoint now) {
    if (!fits(size, bytes_sent, now)) return false;
    used_ += size;
    return true;
  }

  /// The same for the packet with this (unwrapped) number, of the last 256, which must not go out
  /// twice within about a round trip.
  bool allow(std::int64_t number, std::size_t size, std::uint64_t bytes_sent, TimePoint now) {
    if (recent_ == nullptr) recent_ = std::make_unique<Recent>();
    if (!fits(size, bytes_sent, now)) return false;
    Entry& entry = (*recent_)[static_cast<std::size_t>(number) % kRecent];
    if (entry.number == number && entry.at + min_interval_ > now) return false;
    entry = {number, now};
    used_ += size;
    return true;
  }

 private:
  static constexpr std::size_t kRecent = 256;
  static constexpr Duration kWindow = std::chrono::seconds(1);
  struct Entry {
    std::int64_t number = -1;
    TimePoint at{};
  };
  using Recent = std::array<Entry, kRecent>;

  bool fits(std::size_t size, std::uint64_t bytes_sent, TimePoint now) {
    roll_window(bytes_sent, now);
    const std::uint64_t sent = std::max(rate_, bytes_sent - bytes_at_start_);
    return used_ + size <= sent / kShare + kFloorBytes;
  }

  void roll_window(std::uint64_t bytes_sent, TimePoint now) {
    const Duration elapsed = now - window_start_;
    if (elapsed < kWindow) return;
    rate_ = (bytes_sent - bytes_at_start_) * static_cast<std::uint64_t>(kWindow.count()) /
            static_cast<std::uint64_t>(elapsed.count());
    window_start_ = now;
    bytes_at_start_ = bytes_sent;
    used_ = 0;
  }

  std::unique_ptr<Recent> recent_;
  Duration min_interval_ = std::chrono::milliseconds(20);
  TimePoint window_start_{};
  std::uint64_t bytes_at_start_ = 0;
  std::uint64_t rate_ = 0;  ///< bytes a second before this window
  std::uint64_t used_ = 0;  ///< bytes sent again in this window
};

}  // namespace sealroom::rtp
