#include <gtest/gtest.h>

#include <algorithm>

#include "srtp/support.h"

namespace sealroom::srtp::test {
namespace {

class SrtpRtcp : public SrtpTest {
 protected:
  [[nodiscard]] std::size_t tag_size() const {
    return profile_parameters(GetParam().profile).value().rtcp_tag_size;
  }
  [[nodiscard]] std::size_t index_word_at(std::size_t size) const {
    return size - 4 - (profile_parameters(GetParam().profile).value().is_aead ? 0 : tag_size());
  }
};
INSTANTIATE_TEST_SUITE_P(Profiles, SrtpRtcp, testing::ValuesIn(all_cases()), case_name);

TEST_P(SrtpRtcp, EverySizeComesBackInPlaceAndApart) {
  for (const std::size_t size : {8U, 12U, 28U, 32U, 60U, 1200U, 60'000U}) {
    const Bytes packet = rtcp_packet(size);
    Bytes sealed = protect_rtcp(sender_, packet).value();
    EXPECT_EQ(sealed.size(), size + tag_size() + 4);
    EXPECT_TRUE(std::equal(packet.begin(), packet.begin() + 8, sealed.begin()));
    auto second = make_receiver(GetParam());
    EXPECT_TRUE(gives(unprotect_rtcp(second, sealed), packet));
    const auto opened = receiver_.unprotect_rtcp(sealed, sealed);
    ASSERT_TRUE(opened.ok());
    sealed.resize(opened.value());
    EXPECT_EQ(sealed, packet);
  }
}

TEST_P(SrtpRtcp, ShortProfileKeepsTheLongTagForRtcp) {
  EXPECT_EQ(protect_rtcp(sender_, rtcp_packet(8)).value().size(),
            profile_parameters(GetParam().profile).value().is_aead ? 28U : 22U);
}

TEST_P(SrtpRtcp, IndexCountsFromOneAndCarriesTheEncryptedFlag) {
  for (std::uint8_t i = 1; i < 5; ++i) {
    const Bytes sealed = protect_rtcp(sender_, rtcp_packet()).value();
    const auto word = sealed.begin() + static_cast<std::ptrdiff_t>(index_word_at(sealed.size()));
    EXPECT_EQ(Bytes(word, word + 4), (Bytes{0x80, 0, 0, i}));
  }
}

TEST_P(SrtpRtcp, ReplayIsRefusedAndReorderInsideTheWindowIsTaken) {
  std::vector<Bytes> sealed;
  for (int i = 0; i < 200; ++i) sealed.push_back(protect_rtcp(sender_, rtcp_packet()).value());
  ASSERT_TRUE(unprotect_rtcp(receiver_, sealed[199]).ok());
  EXPECT_TRUE(fails_with(unprotect_rtcp(receiver_, sealed[199]), Error::replayed));
  EXPECT_TRUE(unprotect_rtcp(receiver_, sealed[72]).ok());
  EXPECT_TRUE(fails_with(unprotect_rtcp(receiver_, sealed[72]), Error::replayed));
  EXPECT_TRUE(fails_with(unprotect_rtcp(receiver_, sealed[71]), Error::too_old));
}

TEST_P(SrtpRtcp, UnencryptedPacketIsRefused) {
  Bytes sealed = protect_rtcp(sender_, rtcp_packet()).value();
  sealed[index_word_at(sealed.size())] &= 0x7F;
  EXPECT_TRUE(fails_with(unprotect_rtcp(receiver_, sealed), Error::not_encrypted));
  EXPECT_EQ(receiver_.stream_count(), 0U);
}

TEST_P(SrtpRtcp, EveryBitFlipIsRefusedAndLeavesNoState) {
  const Bytes sealed = protect_rtcp(sender_, rtcp_packet(40)).value();
  for (std::size_t bit = 0; bit < 8 * sealed.size(); ++bit) {
    Bytes bad = sealed;
    bad[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    EXPECT_FALSE(unprotect_rtcp(receiver_, bad).ok()) << "bit " << bit;
  }
  EXPECT_EQ(receiver_.stream_count(), 0U);
  EXPECT_TRUE(unprotect_rtcp(receiver_, sealed).ok());
}

TEST_P(SrtpRtcp, EveryTruncationIsRefused) {
  const Bytes sealed = protect_rtcp(sender_, rtcp_packet(40)).value();
  for (std::size_t size = 0; size < sealed.size(); ++size) {
    const Bytes exact(sealed.begin(), sealed.begin() + static_cast<std::ptrdiff_t>(size));
    const auto opened = unprotect_rtcp(receiver_, exact);
    ASSERT_FALSE(opened.ok()) << size;
    if (size < 8 + 4 + tag_size()) {
      EXPECT_EQ(opened.error(), Error::truncated) << size;
    }
  }
}

TEST_P(SrtpRtcp, FailedAuthenticationDoesNotMoveTheWindow) {
  const Bytes first = protect_rtcp(sender_, rtcp_packet()).value();
  const Bytes second = protect_rtcp(sender_, rtcp_packet()).value();
  ASSERT_TRUE(unprotect_rtcp(receiver_, first).ok());
  Bytes forged = second;
  forged[index_word_at(forged.size())] = 0xFF;  // an index far ahead
  EXPECT_TRUE(fails_with(unprotect_rtcp(receiver_, forged), Error::authentication_failed));
  EXPECT_TRUE(unprotect_rtcp(receiver_, second).ok());
}

TEST_P(SrtpRtcp, RtpKeysDoNotOpenRtcp) {
  const Bytes sealed = protect_rtcp(sender_, rtcp_packet(40)).value();
  EXPECT_FALSE(unprotect_rtp(receiver_, sealed).ok());
  EXPECT_FALSE(unprotect_rtcp(receiver_, protect_rtp(sender_, rtp_packet({})).value()).ok());
}

TEST_P(SrtpRtcp, RtcpAloneDoesNotStartTheRtpStream) {
  ASSERT_TRUE(unprotect_rtcp(receiver_, protect_rtcp(sender_, rtcp_packet()).value()).ok());
  EXPECT_EQ(receiver_.stream_count(), 1U);
  EXPECT_TRUE(fails_with(receiver_.roll_over_counter(Ssrc{0xCAFEBABE}), Error::unknown_ssrc));
  const Bytes packet = rtp_packet({.sequence_number = 65'000});
  EXPECT_TRUE(gives(unprotect_rtp(receiver_, protect_rtp(sender_, packet).value()), packet));
  EXPECT_EQ(receiver_.stream_count(), 1U);
}

TEST_P(SrtpRtcp, SenderRefusesWhatIsNoRtcpPacket) {
  Bytes buffer(100, 0x80);
  EXPECT_TRUE(fails_with(sender_.protect_rtcp(buffer, 7), Error::malformed));
  EXPECT_TRUE(fails_with(sender_.protect_rtcp(buffer, 101), Error::buffer_too_small));
  EXPECT_TRUE(fails_with(sender_.protect_rtcp(buffer, 100), Error::buffer_too_small));
  buffer[0] = 0;
  EXPECT_TRUE(fails_with(sender_.protect_rtcp(buffer, 20), Error::malformed));
}

}  // namespace
}  // namespace sealroom::srtp::test
