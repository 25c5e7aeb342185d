#pragma once

#include <cstdint>

namespace sealroom::jitter {

/// Places wrapping sequence numbers on one ever-growing line and tells the restart of a sender from
/// a stray packet. A jump forward of more than `max_jump` is a restart at once (an outage looks the
/// same); a jump back is one only if the number directly behind follows, since a single old packet
/// must not throw a stream away.
class SequenceLine {
 public:
  enum class Verdict : std::uint8_t {
    in_range,
    restarted,  ///< also the first packet; `position` is past every earlier one
    stray,      ///< drop it
  };

  explicit SequenceLine(std::int64_t max_jump) : max_jump_(max_jump) {}

  Verdict place(std::uint16_t number, std::int64_t& position) {
    if (!started_) {
      started_ = true;
      newest_ = position = number;
      return Verdict::restarted;
    }
    const auto ahead = static_cast<std::uint16_t>(number - static_cast<std::uint16_t>(newest_));
    const std::int64_t step = static_cast<std::int16_t>(ahead);
    if (step < -max_jump_) {
      const bool follows = has_stray_ && number == next_after_stray_;
      has_stray_ = !follows;
      next_after_stray_ = static_cast<std::uint16_t>(number + 1);
      if (!follows) return Verdict::stray;
      newest_ = position = newest_ + ahead;
      return Verdict::restarted;
    }
    has_stray_ = false;
    position = newest_ + step;
    if (step > 0) newest_ = position;
    return step > max_jump_ ? Verdict::restarted : Verdict::in_range;
  }

 private:
  std::int64_t max_jump_;
  std::int64_t newest_ = 0;
  bool started_ = false;
  bool has_stray_ = false;
  std::uint16_t next_after_stray_ = 0;
};

}  // namespace sealroom::jitter
