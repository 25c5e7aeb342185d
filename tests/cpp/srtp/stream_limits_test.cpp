#include <gtest/gtest.h>

#include "srtp/packet_cipher.h"
#include "srtp/packet_index.h"
#include "srtp/support.h"

namespace sealroom::srtp::test {
namespace {

class SrtpLimits : public SrtpTest {};
INSTANTIATE_TEST_SUITE_P(Profiles, SrtpLimits, testing::ValuesIn(all_cases()), case_name);

TEST_P(SrtpLimits, StreamsAreBoundedOnBothSides) {
  // Two senders, so that the receiver meets one stream more than a sender may have.
  auto other_sender = make_sender(GetParam());
  for (std::uint32_t ssrc = 0; ssrc < kMaxSendStreams; ++ssrc) {
    // Scattered, to insert everywhere in the table.
    const Bytes packet = rtp_packet({.ssrc = ssrc * 2654435761U, .payload_size = 4});
    ASSERT_TRUE(gives(unprotect_rtp(receiver_, protect_rtp(sender_, packet).value()), packet));
  }
  EXPECT_EQ(receiver_.stream_count(), kMaxReceiveStreams);
  const Bytes more = rtp_packet({.ssrc = 12345, .payload_size = 4});
  const Bytes more_control = rtcp_packet(32, 12345);
  EXPECT_TRUE(fails_with(protect_rtp(sender_, more), Error::limit_exceeded));
  EXPECT_TRUE(fails_with(protect_rtcp(sender_, more_control), Error::limit_exceeded));
  const Bytes sealed = protect_rtp(other_sender, more).value();
  const Bytes sealed_control = protect_rtcp(other_sender, more_control).value();
  EXPECT_TRUE(fails_with(unprotect_rtp(receiver_, sealed), Error::limit_exceeded));
  EXPECT_TRUE(fails_with(unprotect_rtcp(receiver_, sealed_control), Error::limit_exceeded));

  // Known streams go on, and a removed one makes room.
  const Bytes known = rtp_packet({.sequence_number = 1, .ssrc = 2654435761U});
  EXPECT_TRUE(gives(unprotect_rtp(receiver_, protect_rtp(sender_, known).value()), known));
  receiver_.remove_stream(Ssrc{0});
  sender_.remove_stream(Ssrc{0});
  EXPECT_TRUE(gives(unprotect_rtp(receiver_, sealed), more));
  EXPECT_TRUE(protect_rtp(sender_, more).ok());
}

TEST_P(SrtpLimits, ExpectedRollOverCountersAreBounded) {
  for (std::uint32_t ssrc = 0; ssrc < kMaxReceiveStreams; ++ssrc) {
    ASSERT_TRUE(receiver_.set_roll_over_counter(Ssrc{ssrc}, 1).ok());
  }
  EXPECT_TRUE(fails_with(receiver_.set_roll_over_counter(Ssrc{99'999}, 1), Error::limit_exceeded));
  EXPECT_TRUE(receiver_.set_roll_over_counter(Ssrc{0}, 2).ok());
}

TEST_P(SrtpLimits, SenderStopsAtTheLifetimeOfItsKey) {
  auto sender = make_sender(GetParam(), {.max_rtp_packets = 3, .max_rtcp_packets = 2});
  for (std::uint16_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(protect_rtp(sender, rtp_packet({.sequence_number = i, .ssrc = i})).ok());
  }
  EXPECT_TRUE(
      fails_with(protect_rtp(sender, rtp_packet({.sequence_number = 3})), Error::key_exhausted));
  for (std::uint32_t i = 0; i < 2; ++i) EXPECT_TRUE(protect_rtcp(sender, rtcp_packet(32, i)).ok());
  EXPECT_TRUE(fails_with(protect_rtcp(sender, rtcp_packet()), Error::key_exhausted));
}

TEST_P(SrtpLimits, ReceiverTakesTheLastIndexOfAKeyAndNoneAfterIt) {
  const Ssrc ssrc{0xCAFEBABE};
  const auto parameters = profile_parameters(GetParam().profile).value();
  auto cipher = PacketCipher::create(GetParam().backend, parameters, master_of(GetParam().profile),
                                     Protocol::rtp)
                    .value();
  Bytes last = rtp_packet({.sequence_number = 65'535, .payload_size = 0});
  last.resize(12 + parameters.rtp_tag_size);
  ASSERT_TRUE(cipher.seal_rtp({ssrc, kMaxRtpIndex, last, 12, {}}).ok());
  ASSERT_TRUE(receiver_.set_roll_over_counter(ssrc, 0xFFFFFFFF).ok());
  ASSERT_TRUE(unprotect_rtp(receiver_, last).ok());
  EXPECT_EQ(receiver_.roll_over_counter(ssrc).value(), 0xFFFFFFFF);
  const Bytes wrapped = protect_rtp(sender_, rtp_packet({.sequence_number = 0})).value();
  EXPECT_TRUE(fails_with(unprotect_rtp(receiver_, wrapped), Error::key_exhausted));
}

TEST_P(SrtpLimits, MasterOfAnotherSizeIsRefused) {
  const Bytes master = master_of(GetParam().profile);
  for (const std::size_t size : {std::size_t{0}, master.size() - 1, master.size() + 1}) {
    const Bytes other(size, 1);
    EXPECT_TRUE(fails_with(Sender::create(GetParam().backend, GetParam().profile, other),
                           Error::invalid_argument));
    EXPECT_TRUE(fails_with(Receiver::create(GetParam().backend, GetParam().profile, other),
                           Error::invalid_argument));
  }
}

TEST_P(SrtpLimits, ReplayWindowOutsideItsRangeIsRefused) {
  const Bytes master = master_of(GetParam().profile);
  for (const std::size_t size : {0U, 63U, 32769U}) {
    EXPECT_TRUE(fails_with(
        Receiver::create(GetParam().backend, GetParam().profile, master, {.replay_window = size}),
        Error::invalid_argument));
  }
}

TEST(SrtpProfile, UnknownNumberIsUnsupported) {
  EXPECT_TRUE(fails_with(profile_parameters(static_cast<Profile>(5)), Error::unsupported));
  EXPECT_TRUE(
      fails_with(Sender::create(crypto::Backend::openssl, static_cast<Profile>(5), Bytes(30, 0)),
                 Error::unsupported));
}

}  // namespace
}  // namespace sealroom::srtp::test
