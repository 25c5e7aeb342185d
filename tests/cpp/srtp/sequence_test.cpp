// Roll-over counters over long streams: jumps of half the range, every window size, loss.

#include <gtest/gtest.h>

#include <random>

#include "srtp/packet_cipher.h"
#include "srtp/support.h"

namespace sealroom::srtp::test {
namespace {

constexpr Ssrc kSsrc{0xCAFEBABE};

class SrtpSequence : public testing::TestWithParam<Case> {
 protected:
  /// Sealed under any index, as a sender that never lost count would.
  Bytes sealed(std::uint64_t index) {
    Bytes packet = rtp_packet(
        {.sequence_number = static_cast<std::uint16_t>(index & 0xFFFF), .payload_size = 4});
    packet.resize(packet.size() + cipher_.layout().rtp_overhead());
    EXPECT_TRUE(cipher_.seal_rtp({kSsrc, index, packet, 12, ByteView(packet).subspan(12, 4)}).ok());
    return packet;
  }
  static Receiver at(std::uint64_t index, Receiver receiver, const Bytes& packet) {
    EXPECT_TRUE(
        receiver.set_roll_over_counter(kSsrc, static_cast<std::uint32_t>(index >> 16)).ok());
    EXPECT_TRUE(unprotect_rtp(receiver, packet).ok());
    return receiver;
  }
  /// A receiver whose newest packet has this index.
  Receiver at(std::uint64_t index, ReceiverOptions options = {}) {
    return at(index, make_receiver(GetParam(), options), sealed(index));
  }

  PacketCipher cipher_ =
      PacketCipher::create(GetParam().backend, profile_parameters(GetParam().profile).value(),
                           master_of(GetParam().profile), Protocol::rtp)
          .value();
};

INSTANTIATE_TEST_SUITE_P(Profiles, SrtpSequence, testing::ValuesIn(all_cases()), case_name);

// RFC 3711 section 3.3.1 takes the index that is nearest; at a distance of exactly 2^15 its
// pseudo-code stays in the roll-over counter it is in.
TEST_P(SrtpSequence, JumpsForwardUpToHalfTheRangeAreFollowedFromEverywhere) {
  for (const std::uint64_t newest :
       {0x0'0000ULL, 0x1'0000ULL, 0x1'7FFFULL, 0x1'8000ULL, 0x1'8001ULL, 0x1'FFFFULL,
        0x7FFF'1234ULL, 0xFFFF'FFFE'FFFFULL}) {
    for (const std::uint64_t jump : {1ULL, 0x7FFFULL}) {
      auto receiver = at(newest);
      EXPECT_TRUE(unprotect_rtp(receiver, sealed(newest + jump)).ok()) << newest << "+" << jump;
      EXPECT_EQ(receiver.roll_over_counter(kSsrc).value(), (newest + jump) >> 16);
    }
    if (newest < 0x8000)
      continue;  // there is nothing before counter 0: it can only be a jump ahead
    auto receiver = at(newest);
    EXPECT_FALSE(unprotect_rtp(receiver, sealed(newest + 0x8001)).ok());
    EXPECT_EQ(receiver.roll_over_counter(kSsrc).value(), newest >> 16);
    EXPECT_TRUE(unprotect_rtp(receiver, sealed(newest + 1)).ok());
  }
}

TEST_P(SrtpSequence, JumpsBackUpToHalfTheRangeKeepTheirCounter) {
  for (const std::uint64_t newest : {0x1'0000ULL, 0x1'7FFEULL, 0x1'8000ULL, 0x2'0005ULL}) {
    for (const std::uint64_t jump : {1ULL, 0x7FFFULL}) {
      auto receiver = at(newest, {.replay_window = 32768});
      EXPECT_TRUE(unprotect_rtp(receiver, sealed(newest - jump)).ok()) << newest << "-" << jump;
      EXPECT_EQ(receiver.roll_over_counter(kSsrc).value(), newest >> 16);
      EXPECT_TRUE(fails_with(unprotect_rtp(receiver, sealed(newest - jump)), Error::replayed));
    }
  }
}

TEST_P(SrtpSequence, AJumpOfExactlyHalfTheRangeStaysInItsRollOverCounter) {
  auto forward = at(0x1'0000);
  EXPECT_TRUE(unprotect_rtp(forward, sealed(0x1'8000)).ok());
  auto back = at(0x1'8000, {.replay_window = 32768});
  EXPECT_TRUE(fails_with(unprotect_rtp(back, sealed(0x1'0000)), Error::too_old));
}

TEST_P(SrtpSequence, EveryWindowTakesItsLastPacketAndNoneBehind) {
  for (const std::size_t window : {64U, 65U, 128U, 1000U, 1024U, 4096U, 16'384U, 32'768U}) {
    const std::size_t rounded = (window + 63) / 64 * 64;
    const std::uint64_t newest = 0x1'0003;  // the window reaches behind the wrap
    auto receiver = at(newest, {.replay_window = window});
    EXPECT_TRUE(unprotect_rtp(receiver, sealed(newest - rounded + 1)).ok()) << window;
    EXPECT_TRUE(fails_with(unprotect_rtp(receiver, sealed(newest - rounded + 1)), Error::replayed));
    if (rounded < 32'768) {
      EXPECT_TRUE(fails_with(unprotect_rtp(receiver, sealed(newest - rounded)), Error::too_old));
    }
  }
}

// 30 % loss in bursts and singly over ten wraps, each packet twice, with late ones.
TEST_P(SrtpSequence, TenWrapsWithThirtyPercentLossLoseCountNowhere) {
  std::mt19937 random(31);
  auto receiver = make_receiver(GetParam());
  std::uint64_t accepted = 0;
  for (std::uint64_t index = 65'000; index < 65'000 + 10 * 65'536;) {
    index += random() % 100 == 0 ? random() % 20'000 : 1 + random() % 40;
    if (random() % 10 < 3) continue;
    const Bytes packet = sealed(index);
    // The first packet tells the receiver where the stream is only if it is in counter 0.
    if (accepted == 0) {
      ASSERT_TRUE(
          receiver.set_roll_over_counter(kSsrc, static_cast<std::uint32_t>(index >> 16)).ok());
    }
    ASSERT_TRUE(unprotect_rtp(receiver, packet).ok()) << index;
    ASSERT_TRUE(fails_with(unprotect_rtp(receiver, packet), Error::replayed)) << index;
    ASSERT_EQ(receiver.roll_over_counter(kSsrc).value(), index >> 16);
    ++accepted;
    if (random() % 4 == 0) {
      const auto late = unprotect_rtp(receiver, sealed(index - 1 - random() % 900));
      ASSERT_TRUE(late.ok() || late.error() == Error::replayed);
    }
  }
  EXPECT_GT(accepted, 1000U);
}

TEST_P(SrtpSequence, LateJoinersMeetAStreamInAnyWrap) {
  for (const std::uint64_t index :
       {0x1'0000ULL, 0x5'FFFFULL, 0x1234'8000ULL, 0xFFFF'FFFF'0000ULL}) {
    auto receiver = make_receiver(GetParam());
    EXPECT_TRUE(fails_with(unprotect_rtp(receiver, sealed(index)), Error::authentication_failed));
    EXPECT_EQ(receiver.stream_count(), 0U);
    receiver = at(index, std::move(receiver), sealed(index));
    EXPECT_EQ(receiver.roll_over_counter(kSsrc).value(), index >> 16);
    EXPECT_TRUE(unprotect_rtp(receiver, sealed(index + 1)).ok());
  }
}

}  // namespace
}  // namespace sealroom::srtp::test
