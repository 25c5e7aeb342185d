#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "sealroom/base/types.h"

namespace sealroom::sfu {

/// When to ask a producer for a key frame. Who waits for its first picture is served at once, from
/// a small store of requests; who has had pictures, and asks as often as it likes, gets one request
/// per interval. While a key frame is awaited, whoever asks waits for that one, for an interval; a
/// request that nothing comes of is repeated for who cannot ask.
///
/// Sent in any time T: at most 1 + T / kInterval without newcomers, kBurst + T / kInterval with.
class KeyFramePacer {
 public:
  static constexpr Duration kInterval = std::chrono::milliseconds(300);
  static constexpr int kBurst = 4;
  static constexpr Duration kRepetition = std::chrono::seconds(1);

  /// A receiver has lost what it builds on. False if a request is due or waiting already.
  bool want() {
    if (wants_ != Want::none) return false;
    wants_ = Want::again;
    return true;
  }
  /// A receiver has no picture yet.
  void want_first() { wants_ = Want::first; }
  /// One has begun: it is for all who have asked so far.
  void key_frame_began() {
    wants_ = Want::none;
    is_awaited_ = false;
  }

  /// One was asked for and has not begun.
  [[nodiscard]] bool is_awaited() const { return is_awaited_; }

  /// When to send a request; kNever if nobody wants one. `repeats`: somebody has been waiting since
  /// the last one, which may have been lost, as may have what came of it.
  [[nodiscard]] TimePoint next_request(bool repeats) const {
    if (wants_ == Want::none) return repeats ? last_ + kRepetition : kNever;
    // A generic cell rate algorithm: `stored_until_` is when the store would be full again.
    return wants_ == Want::first && !is_awaited_ ? full_at_ - (kBurst - 1) * kInterval
                                                 : last_ + kInterval;
  }
  void request_sent(TimePoint now) {
    wants_ = Want::none;
    is_awaited_ = true;
    last_ = now;
    full_at_ = std::max(full_at_, now) + kInterval;
  }

 private:
  enum class Want : std::uint8_t { none, again, first };

  Want wants_ = Want::none;
  bool is_awaited_ = false;
  TimePoint last_{};
  TimePoint full_at_{};
};

}  // namespace sealroom::sfu
