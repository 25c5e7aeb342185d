#include "sealroom/net/demux.h"

#include <gtest/gtest.h>

#include <array>

namespace sealroom::net {
namespace {

TEST(Demux, FollowsTheRangesOfRfc7983) {
  for (unsigned first = 0; first < 256; ++first) {
    const std::array<std::uint8_t, 1> datagram{static_cast<std::uint8_t>(first)};
    DatagramKind expected = DatagramKind::unknown;
    if (first <= 3) expected = DatagramKind::stun;
    if (first >= 20 && first <= 63) expected = DatagramKind::dtls;
    if (first >= 64 && first <= 79) expected = DatagramKind::turn_channel;
    if (first >= 128 && first <= 191) expected = DatagramKind::rtp_or_rtcp;
    EXPECT_EQ(classify(datagram), expected) << first;
  }
}

TEST(Demux, AnEmptyDatagramIsUnknown) { EXPECT_EQ(classify({}), DatagramKind::unknown); }

}  // namespace
}  // namespace sealroom::net
