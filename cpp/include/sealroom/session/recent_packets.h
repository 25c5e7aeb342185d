#pragma once

#include <cstdint>

#include "sealroom/base/sequence.h"

namespace sealroom::session {

/// Which of the last 64 sequence numbers of a stream came, so that redundant copies of what is
/// there already are told from those that fill a gap. O(1).
class RecentPackets {
 public:
  /// True the first time; false for what came before, or is too old to tell.
  bool mark(std::uint16_t sequence_number) {
    const std::int64_t sequence = unwrapper_.unwrap(sequence_number);
    if (!started_ || sequence > newest_) {
      const std::int64_t step = started_ ? sequence - newest_ : kSize;
      seen_ = step >= kSize ? 0 : seen_ << step;
      newest_ = sequence;
      started_ = true;
    }
    const std::int64_t age = newest_ - sequence;
    if (age >= kSize || (seen_ >> age & 1) != 0) return false;
    seen_ |= std::uint64_t{1} << age;
    return true;
  }

 private:
  static constexpr std::int64_t kSize = 64;
  SequenceUnwrapper unwrapper_;
  std::int64_t newest_ = 0;
  std::uint64_t seen_ = 0;  ///< bit i: newest_ - i
  bool started_ = false;
};

}  // namespace sealroom::session
