// Master key identifiers: where they stand, which key they choose, and what an unknown one does.

#include <gtest/gtest.h>

#include <algorithm>

#include "srtp/support.h"

namespace sealroom::srtp::test {
namespace {

const Bytes kFirst{0xAA, 0x01};
const Bytes kSecond{0xAA, 0x02};

class SrtpMki : public testing::TestWithParam<Case> {
 protected:
  [[nodiscard]] Sender sender(ByteView mki, std::uint8_t key = 1) const {
    return Sender::create(GetParam().backend, GetParam().profile,
                          master_of(GetParam().profile, key), {.mki = mki})
        .value();
  }
  [[nodiscard]] Receiver receiver(ByteView mki, std::uint8_t key = 1) const {
    return Receiver::create(GetParam().backend, GetParam().profile,
                            master_of(GetParam().profile, key), {.mki = mki})
        .value();
  }
  [[nodiscard]] Bytes master(std::uint8_t key) const { return master_of(GetParam().profile, key); }
  [[nodiscard]] ProfileParameters parameters() const {
    return profile_parameters(GetParam().profile).value();
  }
};

INSTANTIATE_TEST_SUITE_P(Profiles, SrtpMki, testing::ValuesIn(all_cases()), case_name);

// RFC 3711 figure 1: MKI, then tag; RFC 7714 section 8.2: the tag is the cipher's, the MKI ends the
// packet.
TEST_P(SrtpMki, StandsBeforeTheTagOfAesCmAndEndsAPacketOfAesGcm) {
  const Bytes mki{1, 2, 3, 4};
  auto plain = make_sender(GetParam());
  auto with = sender(mki);
  const Bytes packet = rtp_packet({.sequence_number = 9});
  const Bytes expected = protect_rtp(plain, packet).value();
  const Bytes sealed = protect_rtp(with, packet).value();
  ASSERT_EQ(sealed.size(), expected.size() + mki.size());
  const std::size_t behind = parameters().is_aead ? 0 : parameters().rtp_tag_size;
  const auto at = sealed.end() - static_cast<std::ptrdiff_t>(behind + mki.size());
  EXPECT_TRUE(std::equal(mki.begin(), mki.end(), at));
  Bytes without(sealed.begin(), at);
  without.insert(without.end(), at + static_cast<std::ptrdiff_t>(mki.size()), sealed.end());
  EXPECT_EQ(without, expected);  // the MKI is not authenticated (RFC 3711 section 4.2)
}

TEST_P(SrtpMki, OfRtcpStandsBehindTheIndexWord) {
  const Bytes mki{1, 2, 3, 4};
  auto plain = make_sender(GetParam());
  auto with = sender(mki);
  const Bytes expected = protect_rtcp(plain, rtcp_packet()).value();
  const Bytes sealed = protect_rtcp(with, rtcp_packet()).value();
  const std::size_t behind = parameters().is_aead ? 0 : parameters().rtcp_tag_size;
  const auto at = sealed.end() - static_cast<std::ptrdiff_t>(behind + mki.size());
  EXPECT_TRUE(std::equal(mki.begin(), mki.end(), at));
  EXPECT_EQ(Bytes(at - 4, at), (Bytes{0x80, 0, 0, 1}));
  Bytes without(sealed.begin(), at);
  without.insert(without.end(), at + static_cast<std::ptrdiff_t>(mki.size()), sealed.end());
  EXPECT_EQ(without, expected);
}

TEST_P(SrtpMki, EverySizeUpTo128RoundTripsAndMoreIsRefused) {
  for (const std::size_t size : {1U, 2U, 3U, 4U, 5U, 16U, 127U, 128U}) {
    const Bytes mki(size, 0x5A);
    auto from = sender(mki);
    auto to = receiver(mki);
    EXPECT_EQ(from.rtp_overhead(), parameters().rtp_tag_size + size);
    EXPECT_EQ(to.rtcp_overhead(), parameters().rtcp_tag_size + 4 + size);
    for (std::uint16_t i = 0; i < 3; ++i) {
      const Bytes packet = rtp_packet({.sequence_number = i, .payload_size = 33U * i});
      EXPECT_TRUE(gives(unprotect_rtp(to, protect_rtp(from, packet).value()), packet));
      const Bytes control = rtcp_packet(32 + 4U * i);
      EXPECT_TRUE(gives(unprotect_rtcp(to, protect_rtcp(from, control).value()), control));
    }
  }
  const Bytes mki(129, 0);
  EXPECT_TRUE(
      fails_with(Sender::create(GetParam().backend, GetParam().profile, master(1), {.mki = mki}),
                 Error::invalid_argument));
  EXPECT_TRUE(
      fails_with(Receiver::create(GetParam().backend, GetParam().profile, master(1), {.mki = mki}),
                 Error::invalid_argument));
}

TEST_P(SrtpMki, ChoosesAmongSeveralMasterKeys) {
  auto first = sender(kFirst, 1);
  auto second = sender(kSecond, 2);
  auto to = receiver(kFirst, 1);
  ASSERT_TRUE(to.set_key(master(2), kSecond).ok());
  EXPECT_EQ(to.key_count(), 2U);
  for (std::uint16_t i = 0; i < 20; ++i) {
    const Bytes packet = rtp_packet({.sequence_number = i});
    Sender& from = i % 2 == 0 ? first : second;
    EXPECT_TRUE(gives(unprotect_rtp(to, protect_rtp(from, packet).value()), packet)) << i;
    EXPECT_TRUE(unprotect_rtcp(to, protect_rtcp(from, rtcp_packet()).value()).ok()) << i;
  }
  EXPECT_EQ(to.key_usage(kFirst).value().rtp_packets, 10U);
  EXPECT_EQ(to.key_usage(kSecond).value().rtcp_packets, 10U);
}

TEST_P(SrtpMki, UnknownOneIsRefusedAsSuchAndChangesNothing) {
  auto from = sender(kSecond);
  auto known = sender(kFirst);
  auto to = receiver(kFirst);
  for (std::uint16_t i = 0; i < 100; ++i) {
    const Bytes sealed =
        protect_rtp(from, rtp_packet({.sequence_number = static_cast<std::uint16_t>(i * 600),
                                      .ssrc = 0x1000U + i}))
            .value();
    EXPECT_TRUE(fails_with(unprotect_rtp(to, sealed), Error::unknown_key_id));
    EXPECT_TRUE(fails_with(unprotect_rtcp(to, protect_rtcp(from, rtcp_packet()).value()),
                           Error::unknown_key_id));
  }
  EXPECT_EQ(to.stream_count(), 0U);
  EXPECT_EQ(to.key_usage(kFirst).value().rtp_packets, 0U);
  const Bytes packet = rtp_packet({});
  EXPECT_TRUE(gives(unprotect_rtp(to, protect_rtp(known, packet).value()), packet));
  EXPECT_TRUE(fails_with(to.key_usage(kSecond), Error::unknown_key_id));
}

TEST_P(SrtpMki, OfAnotherSizeIsRefusedAndTheKeyStays) {
  auto from = sender(kFirst);
  auto to = receiver(kFirst);
  const Bytes longer{1, 2, 3};
  EXPECT_TRUE(fails_with(from.set_key(master(2), longer), Error::invalid_argument));
  EXPECT_TRUE(fails_with(from.set_key(master(2)), Error::invalid_argument));
  EXPECT_TRUE(fails_with(to.set_key(master(2), longer), Error::invalid_argument));
  EXPECT_TRUE(fails_with(to.set_key(Bytes(5), kSecond), Error::invalid_argument));
  EXPECT_TRUE(fails_with(from.set_key(Bytes(5), kSecond), Error::invalid_argument));
  EXPECT_EQ(to.key_count(), 1U);
  const Bytes packet = rtp_packet({});
  EXPECT_TRUE(gives(unprotect_rtp(to, protect_rtp(from, packet).value()), packet));
}

TEST_P(SrtpMki, AReceiverHoldsSixteenKeys) {
  auto to = receiver(Bytes{0});
  for (std::uint8_t i = 1; i < kMaxMasterKeys; ++i) {
    ASSERT_TRUE(to.set_key(master(static_cast<std::uint8_t>(i + 1)), Bytes{i}).ok());
  }
  EXPECT_TRUE(fails_with(to.set_key(master(99), Bytes{99}), Error::limit_exceeded));
  EXPECT_TRUE(to.set_key(master(99), Bytes{3}).ok());  // replaces
  ASSERT_TRUE(to.remove_key(Bytes{0}).ok());
  EXPECT_TRUE(to.set_key(master(98), Bytes{98}).ok());
  EXPECT_EQ(to.key_count(), kMaxMasterKeys);
}

TEST_P(SrtpMki, PacketTooShortForItIsTruncated) {
  auto from = sender(Bytes(20, 1));
  auto to = receiver(Bytes(20, 1));
  const Bytes sealed = protect_rtp(from, rtp_packet({.payload_size = 0})).value();
  const Bytes control = protect_rtcp(from, rtcp_packet(8)).value();
  for (std::size_t size = 0; size < sealed.size(); ++size) {
    EXPECT_TRUE(fails_with(unprotect_rtp(to, ByteView(sealed).first(size)), Error::truncated));
  }
  for (std::size_t size = 0; size < control.size(); ++size) {
    EXPECT_TRUE(fails_with(unprotect_rtcp(to, ByteView(control).first(size)), Error::truncated));
  }
}

}  // namespace
}  // namespace sealroom::srtp::test
