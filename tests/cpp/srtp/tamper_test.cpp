// Every bit, every truncation, and noise: nothing is accepted, nothing moves.

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <random>

#include "srtp/support.h"

namespace sealroom::srtp::test {
namespace {

class SrtpTamper : public SrtpTest {};
INSTANTIATE_TEST_SUITE_P(Profiles, SrtpTamper, testing::ValuesIn(all_cases()), case_name);

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kPackets = 50;
constexpr int kNoise = 100'000;
#else
constexpr int kPackets = 1000;
constexpr int kNoise = 850'000;  // 12 profiles and back ends: 10^7 together
#endif

// A flipped bit of the MKI is an unknown key; any other one breaks the tag, or the header.
TEST_P(SrtpTamper, NoFlippedBitOfAThousandPacketsIsAccepted) {
  const Bytes mki{7, 8};
  auto from = make_sender(GetParam(), {.mki = mki});
  auto to = make_receiver(GetParam(), {.mki = mki});
  std::mt19937 random(41);
  std::vector<UnprotectTask> tasks;
  for (int i = 0; i < kPackets; ++i) {
    const auto number = static_cast<std::uint16_t>(i);
    const Bytes packet = rtp_packet({.sequence_number = number,
                                     .payload_size = random() % 24,
                                     .csrc_count = random() % 2,
                                     .extension_words = static_cast<int>(random() % 3) - 1});
    const Bytes sealed = protect_rtp(from, packet).value();
    std::vector<Bytes> flipped(sealed.size() * 8, sealed);
    Bytes out(sealed.size());
    tasks.clear();
    for (std::size_t bit = 0; bit < flipped.size(); ++bit) {
      flipped[bit][bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
      if (bit % 3 == 0) {
        ASSERT_FALSE(to.unprotect_rtp(flipped[bit], out).ok()) << "bit " << bit << " of " << i;
      } else {
        tasks.push_back({flipped[bit], flipped[bit]});
      }
    }
    ASSERT_EQ(to.unprotect_rtp_batch(tasks), 0U) << i;
    ASSERT_EQ(to.stream_count(), i == 0 ? 0U : 1U);
    ASSERT_TRUE(gives(unprotect_rtp(to, sealed), packet)) << i;
  }
  EXPECT_EQ(to.key_usage(mki).value().rtp_packets, static_cast<std::uint64_t>(kPackets));
}

TEST_P(SrtpTamper, NoFlippedBitOfRtcpIsAccepted) {
  std::mt19937 random(42);
  for (int i = 0; i < kPackets / 10; ++i) {
    const Bytes packet = rtcp_packet(8 + 4 * (random() % 12));
    const Bytes sealed = protect_rtcp(sender_, packet).value();
    Bytes out(sealed.size());
    for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
      Bytes flipped = sealed;
      flipped[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
      ASSERT_FALSE(receiver_.unprotect_rtcp(flipped, out).ok()) << "bit " << bit << " of " << i;
    }
    ASSERT_TRUE(gives(unprotect_rtcp(receiver_, sealed), packet)) << i;
  }
}

TEST_P(SrtpTamper, NoTruncationAndNoExtensionIsAccepted) {
  for (std::uint16_t i = 0; i < 50; ++i) {
    const Bytes packet = rtp_packet({.sequence_number = i, .payload_size = 11U * i});
    const Bytes control = rtcp_packet(32 + 4U * i);
    const Bytes sealed = protect_rtp(sender_, packet).value();
    const Bytes sealed_control = protect_rtcp(sender_, control).value();
    for (std::size_t size = 0; size < sealed.size(); ++size) {
      ASSERT_FALSE(unprotect_rtp(receiver_, ByteView(sealed).first(size)).ok()) << size;
      ASSERT_FALSE(unprotect_rtp(receiver_, ByteView(sealed).last(size)).ok()) << size;
    }
    for (std::size_t size = 0; size < sealed_control.size(); ++size) {
      ASSERT_FALSE(unprotect_rtcp(receiver_, ByteView(sealed_control).first(size)).ok()) << size;
    }
    Bytes longer = sealed;
    longer.push_back(0);
    ASSERT_FALSE(unprotect_rtp(receiver_, longer).ok());
    ASSERT_TRUE(gives(unprotect_rtp(receiver_, sealed), packet));
    ASSERT_TRUE(gives(unprotect_rtcp(receiver_, sealed_control), control));
  }
}

TEST_P(SrtpTamper, NoiseIsNeverAccepted) {
  std::mt19937_64 random(43);
  constexpr std::size_t kSize = 64;
  std::array<std::uint8_t, kSize> packet{};
  std::array<std::uint8_t, kSize> out{};
  // A 32-bit tag lets one packet in 2^32 pass: not in a fixed sequence as short as this one.
  for (int i = 0; i < kNoise; ++i) {
    for (std::size_t at = 0; at < kSize; at += 8) {
      const std::uint64_t word = random();
      std::memcpy(packet.data() + at, &word, 8);
    }
    if (i % 4 != 0) packet[0] = static_cast<std::uint8_t>(0x80 | (packet[0] & 0x21));
    const ByteView view = ByteView(packet).first(i % (kSize + 1));
    const bool accepted = i % 2 == 0 ? receiver_.unprotect_rtp(view, out).ok()
                                     : receiver_.unprotect_rtcp(view, out).ok();
    ASSERT_FALSE(accepted) << i;
  }
  EXPECT_EQ(receiver_.stream_count(), 0U);
}

}  // namespace
}  // namespace sealroom::srtp::test
