#pragma once

#include <array>
#include <cstdint>

#include "sealroom/base/result.h"
#include "sealroom/sframe/receiver.h"

namespace sealroom::sframe {

/// Which of the newest kReplayWindow counters of a key were accepted. `check` before authentication
/// changes nothing; `accept` follows it for a counter that `check` let pass.
class ReplayWindow {
 public:
  [[nodiscard]] Result<void> check(std::uint64_t counter) const;
  void accept(std::uint64_t counter);

 private:
  static constexpr std::size_t kWordBits = 64;
  using Words = std::array<std::uint64_t, kReplayWindow / kWordBits>;
  static_assert(kReplayWindow % kWordBits == 0 && (kReplayWindow & (kReplayWindow - 1)) == 0);

  static std::size_t word(std::uint64_t counter) { return counter % kReplayWindow / kWordBits; }
  static std::uint64_t bit(std::uint64_t counter) {
    return std::uint64_t{1} << (counter % kWordBits);
  }
  void forget(std::uint64_t first, std::uint64_t count);

  Words accepted_{};  ///< a ring: the bit of a counter is its remainder
  std::uint64_t newest_ = 0;
  bool started_ = false;
};

}  // namespace sealroom::sframe
