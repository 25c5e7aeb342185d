#pragma once

#include <cstdint>

#include "sealroom/base/types.h"

namespace sealroom {

/// Places wrapping sequence numbers on one ever-growing line and tells the restart of a sender from
/// late packets. A jump forward of more than `max_jump` is a restart at once (an outage looks the
/// same). A jump back is one only if two numbers follow each other while nothing in range has come
/// for a second: until then it may be a burst of old packets, and to believe those would hand out
/// the past once more.
class SequenceLine {
 public:
  enum class Verdict : std::uint8_t {
    in_range,
    restarted,  ///< also the first packet; `position` is past every earlier one
    stray,      ///< drop it
  };

  explicit SequenceLine(std::int64_t max_jump) : max_jump_(max_jump) {}

  Verdict place(std::uint16_t number, TimePoint now, std::int64_t& position) {
    if (!started_) {
      started_ = true;
      last_in_range_ = now;
      newest_ = position = number;
      return Verdict::restarted;
    }
    const auto ahead = static_cast<std::uint16_t>(number - static_cast<std::uint16_t>(newest_));
    std::int64_t step = static_cast<std::int16_t>(ahead);
    if (step < -max_jump_) {
      const bool follows = has_stray_ && number == next_after_stray_;
      has_stray_ = true;
      next_after_stray_ = static_cast<std::uint16_t>(number + 1);
      if (!follows || now - last_in_range_ < kSilence) return Verdict::stray;
      step = ahead;
    }
    has_stray_ = false;
    last_in_range_ = now;
    position = newest_ + step;
    if (step > 0) newest_ = position;
    return step > max_jump_ ? Verdict::restarted : Verdict::in_range;
  }

 private:
  static constexpr Duration kSilence = std::chrono::seconds(1);

  std::int64_t max_jump_;
  std::int64_t newest_ = 0;
  bool started_ = false;
  TimePoint last_in_range_{};
  bool has_stray_ = false;
  std::uint16_t next_after_stray_ = 0;
};

}  // namespace sealroom
