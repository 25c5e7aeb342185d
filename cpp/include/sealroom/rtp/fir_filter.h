#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

#include "sealroom/base/types.h"
#include "sealroom/rtp/rtcp.h"

namespace sealroom::rtp {

/// Tells the commands of FIRs from their repetitions (RFC 5104 section 4.3.1.1): the sequence
/// numbers are of each pair of requester and media. A number that comes again after kMemory counts
/// as new, for requesters that never count on. Bounded: of more than kMaxPairs at once the one that
/// asked longest ago is forgotten. No allocation, one thread.
class FirFilter {
 public:
  static constexpr std::size_t kMaxPairs = 64;
  static constexpr Duration kMemory = std::chrono::seconds(2);

  /// `command` is of an authenticated FIR of `requester`, for media that is sent.
  bool is_new(Ssrc requester, const FirEntry& command, TimePoint now) {
    const auto end = pairs_.begin() + static_cast<std::ptrdiff_t>(count_);
    auto pair = std::find_if(pairs_.begin(), end, [&](const Pair& known) {
      return known.requester == requester && known.media == command.ssrc;
    });
    if (pair != end) {
      const bool is_repetition =
          pair->number == command.command_sequence_number && now - pair->at < kMemory;
      if (is_repetition) return false;
    } else if (count_ < kMaxPairs) {
      ++count_;
    } else {
      pair = std::ranges::min_element(pairs_, {}, &Pair::at);
    }
    *pair = {requester, command.ssrc, command.command_sequence_number, now};
    return true;
  }

 private:
  struct Pair {
    Ssrc requester{};
    Ssrc media{};
    std::uint8_t number = 0;
    TimePoint at{};  ///< of the last command
  };

  std::array<Pair, kMaxPairs> pairs_{};
  std::size_t count_ = 0;
};

}  // namespace sealroom::rtp
