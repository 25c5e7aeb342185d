#pragma once

#include <cstdint>

namespace sealroom::srtp {

/// The last indices of a stream (RFC 3711 section 3.2.1). Re-keying does not start them over;
/// removing the stream, under a new key, does.
inline constexpr std::uint64_t kMaxRtpIndex = (std::uint64_t{1} << 48) - 1;
inline constexpr std::uint32_t kMaxRtcpIndex = (std::uint32_t{1} << 31) - 1;

/// The index of a packet from its sequence number and the newest index of the stream (RFC 3711
/// section 3.3.1 and Appendix A). There is nothing before roll-over counter 0, so early in a stream
/// a number that looks old is taken as a jump forward; libsrtp does the same, and both ends must
/// agree. The result may pass kMaxRtpIndex: the key has ended.
[[nodiscard]] constexpr std::uint64_t nearest_index(std::uint64_t newest,
                                                    std::uint16_t sequence_number) {
  constexpr std::uint32_t kHalf = 1U << 15;
  const std::uint32_t newest_number = static_cast<std::uint32_t>(newest & 0xFFFF);
  const std::uint32_t number = sequence_number;
  std::uint64_t roll_over_counter = newest >> 16;
  if (newest_number < kHalf) {
    if (number > newest_number + kHalf && roll_over_counter > 0) --roll_over_counter;
  } else if (newest_number - kHalf > number) {
    ++roll_over_counter;
  }
  return (roll_over_counter << 16) | number;
}

}  // namespace sealroom::srtp
