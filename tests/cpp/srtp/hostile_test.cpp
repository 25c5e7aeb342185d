// What a peer or a router without the keys can send: nothing of it is accepted, nothing of it
// leaves a trace.

#include <gtest/gtest.h>

#include <random>

#include "srtp/support.h"

namespace sealroom::srtp::test {
namespace {

class SrtpHostile : public SrtpTest {};
INSTANTIATE_TEST_SUITE_P(Profiles, SrtpHostile, testing::ValuesIn(all_cases()), case_name);

TEST_P(SrtpHostile, EveryBitFlipIsRefused) {
  const Bytes packet = rtp_packet(
      {.sequence_number = 500, .payload_size = 40, .csrc_count = 2, .extension_words = 2});
  const Bytes sealed = protect_rtp(sender_, packet).value();
  for (std::size_t bit = 0; bit < 8 * sealed.size(); ++bit) {
    Bytes bad = sealed;
    bad[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    EXPECT_FALSE(unprotect_rtp(receiver_, bad).ok()) << "bit " << bit;
  }
  EXPECT_EQ(receiver_.stream_count(), 0U);
  EXPECT_TRUE(gives(unprotect_rtp(receiver_, sealed), packet));
}

TEST_P(SrtpHostile, EveryTruncationAndExtensionIsRefused) {
  const Bytes sealed =
      protect_rtp(sender_, rtp_packet({.payload_size = 30, .csrc_count = 1, .extension_words = 1}))
          .value();
  const std::size_t tag_size = profile_parameters(GetParam().profile).value().rtp_tag_size;
  for (std::size_t size = 0; size < sealed.size(); ++size) {
    const Bytes exact(sealed.begin(), sealed.begin() + static_cast<std::ptrdiff_t>(size));
    const auto opened = unprotect_rtp(receiver_, exact);
    ASSERT_FALSE(opened.ok()) << size;
    if (size < 12 + 4 + 8 + tag_size) {
      EXPECT_EQ(opened.error(), Error::truncated) << size;
    }
  }
  Bytes longer = sealed;
  longer.push_back(0);
  EXPECT_FALSE(unprotect_rtp(receiver_, longer).ok());
}

TEST_P(SrtpHostile, HeaderThatReachesIntoTheTagIsTruncated) {
  // 15 CSRCs announced, only the tag's bytes are there.
  Bytes packet(12 + profile_parameters(GetParam().profile).value().rtp_tag_size, 0);
  packet[0] = 0x8F;
  EXPECT_TRUE(fails_with(unprotect_rtp(receiver_, packet), Error::truncated));
  packet[0] = 0x90;
  EXPECT_TRUE(fails_with(unprotect_rtp(receiver_, packet), Error::truncated));
}

TEST_P(SrtpHostile, OtherVersionsAreMalformed) {
  Bytes sealed = protect_rtp(sender_, rtp_packet({})).value();
  for (const int first : {0x00, 0x40, 0xC0}) {
    sealed[0] = static_cast<std::uint8_t>(first);
    EXPECT_TRUE(fails_with(unprotect_rtp(receiver_, sealed), Error::malformed));
  }
}

TEST_P(SrtpHostile, FailedAuthenticationMovesNoWindowAndNoCounter) {
  std::vector<Bytes> sealed;
  for (std::uint16_t i = 0; i < 50; ++i) {
    sealed.push_back(protect_rtp(sender_, rtp_packet({.sequence_number = i})).value());
  }
  ASSERT_TRUE(unprotect_rtp(receiver_, sealed[0]).ok());
  // Forgeries of every sequence number: far ahead, across the wrap, and of the packets still to
  // come.
  for (std::uint32_t number = 1; number < 65'536; number += 13) {
    Bytes bad = sealed[1];
    bad[2] = static_cast<std::uint8_t>(number >> 8);
    bad[3] = static_cast<std::uint8_t>(number);
    bad.at(40) ^= 1;
    EXPECT_FALSE(unprotect_rtp(receiver_, bad).ok());
  }
  EXPECT_EQ(receiver_.roll_over_counter(Ssrc{0xCAFEBABE}).value(), 0U);
  for (std::size_t i = 1; i < sealed.size(); ++i)
    EXPECT_TRUE(unprotect_rtp(receiver_, sealed[i]).ok()) << i;
}

TEST_P(SrtpHostile, FailedAuthenticationGrowsNoState) {
  std::mt19937 random(5);
  for (int i = 0; i < 10'000; ++i) {
    Bytes noise(20 + random() % 100);
    for (auto& byte : noise) byte = static_cast<std::uint8_t>(random());
    noise[0] = static_cast<std::uint8_t>(0x80 | (noise[0] & 0x3F));
    EXPECT_FALSE(unprotect_rtp(receiver_, noise).ok());
    EXPECT_FALSE(unprotect_rtcp(receiver_, noise).ok());
  }
  EXPECT_EQ(receiver_.stream_count(), 0U);
}

TEST_P(SrtpHostile, FailedAuthenticationKeepsTheExpectedRollOverCounter) {
  const Ssrc ssrc{0xCAFEBABE};
  Bytes sealed;
  for (std::uint32_t i = 65'530; i < 65'540; ++i) {
    sealed = protect_rtp(sender_, rtp_packet({.sequence_number = static_cast<std::uint16_t>(i)}))
                 .value();
  }
  ASSERT_TRUE(receiver_.set_roll_over_counter(ssrc, 1).ok());
  Bytes forged = sealed;
  forged.back() ^= 1;
  EXPECT_FALSE(unprotect_rtp(receiver_, forged).ok());
  EXPECT_TRUE(unprotect_rtp(receiver_, sealed).ok());
}

TEST_P(SrtpHostile, FailureOutOfPlaceLeavesNoPlaintext) {
  const Bytes packet = rtp_packet({.payload_size = 64});
  Bytes sealed = protect_rtp(sender_, packet).value();
  sealed.back() ^= 1;
  Bytes out(packet.size(), 0);
  ASSERT_FALSE(receiver_.unprotect_rtp(sealed, out).ok());
  EXPECT_EQ(out, Bytes(packet.size(), 0));
}

TEST_P(SrtpHostile, OtherMasterKeyOrSaltOpensNothing) {
  const Bytes sealed = protect_rtp(sender_, rtp_packet({})).value();
  const Bytes control = protect_rtcp(sender_, rtcp_packet()).value();
  const Bytes master = master_of(GetParam().profile);
  for (std::size_t i = 0; i < master.size(); ++i) {
    Bytes other = master;
    other[i] ^= 0x80;
    auto receiver = Receiver::create(GetParam().backend, GetParam().profile, other).value();
    EXPECT_TRUE(fails_with(unprotect_rtp(receiver, sealed), Error::authentication_failed)) << i;
    EXPECT_TRUE(fails_with(unprotect_rtcp(receiver, control), Error::authentication_failed)) << i;
  }
}

}  // namespace
}  // namespace sealroom::srtp::test
