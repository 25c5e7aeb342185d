// Re-keying (RFC 3711 sections 3.2.1, 8.1 and 9.2): streams, roll-over counters and indices go on;
// replay windows and lifetimes are the master key's.

#include <gtest/gtest.h>

#include <map>

#include "srtp/support.h"

namespace sealroom::srtp::test {
namespace {

constexpr Ssrc kSsrc{0xCAFEBABE};
const Bytes kOld{1};
const Bytes kNew{2};

class SrtpRekey : public testing::TestWithParam<Case> {
 protected:
  [[nodiscard]] Bytes master(std::uint8_t key) const { return master_of(GetParam().profile, key); }
  [[nodiscard]] Sender sender_with(SenderOptions options) const {
    return make_sender(GetParam(), options);
  }
  [[nodiscard]] Receiver receiver_with(ReceiverOptions options) const {
    return make_receiver(GetParam(), options);
  }
  static Bytes sealed_at(Sender& sender, std::uint32_t number) {
    return protect_rtp(sender, rtp_packet({.sequence_number = static_cast<std::uint16_t>(number)}))
        .value();
  }
  static void pass(Sender& from, Receiver& to, std::uint32_t first, std::uint32_t last) {
    for (std::uint32_t i = first; i <= last; ++i) {
      const Bytes packet = rtp_packet({.sequence_number = static_cast<std::uint16_t>(i)});
      ASSERT_TRUE(gives(unprotect_rtp(to, protect_rtp(from, packet).value()), packet)) << i;
    }
  }
};

INSTANTIATE_TEST_SUITE_P(Profiles, SrtpRekey, testing::ValuesIn(all_cases()), case_name);

TEST_P(SrtpRekey, CountersGoOnWithoutAnMki) {
  auto from = sender_with({});
  auto to = receiver_with({});
  pass(from, to, 65'500, 65'600);
  ASSERT_TRUE(from.set_key(master(2)).ok());
  ASSERT_TRUE(to.set_key(master(2)).ok());
  EXPECT_EQ(to.key_count(), 1U);
  pass(from, to, 65'601, 65'700);
  EXPECT_EQ(to.roll_over_counter(kSsrc).value(), 1U);

  // A receiver that begins with the new key needs the counter: the sender's did not start over.
  auto late = Receiver::create(GetParam().backend, GetParam().profile, master(2)).value();
  const Bytes sealed = sealed_at(from, 65'701);
  EXPECT_TRUE(fails_with(unprotect_rtp(late, sealed), Error::authentication_failed));
  ASSERT_TRUE(late.set_roll_over_counter(kSsrc, 1).ok());
  EXPECT_TRUE(unprotect_rtp(late, sealed).ok());
}

TEST_P(SrtpRekey, RtcpIndexGoesOn) {
  auto from = sender_with({});
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(protect_rtcp(from, rtcp_packet()).ok());
  ASSERT_TRUE(from.set_key(master(2)).ok());
  const Bytes sealed = protect_rtcp(from, rtcp_packet()).value();
  const auto parameters = profile_parameters(GetParam().profile).value();
  const std::size_t at = sealed.size() - 4 - (parameters.is_aead ? 0 : parameters.rtcp_tag_size);
  EXPECT_EQ(Bytes(sealed.begin() + static_cast<std::ptrdiff_t>(at),
                  sealed.begin() + static_cast<std::ptrdiff_t>(at) + 4),
            (Bytes{0x80, 0, 0, 6}));
}

TEST_P(SrtpRekey, PacketsOfBothKeysOverlapUntilTheOldOneIsRemoved) {
  auto from = sender_with({.mki = kOld});
  auto to = receiver_with({.mki = kOld});
  pass(from, to, 65'400, 65'499);
  std::vector<Bytes> late;
  for (std::uint32_t i = 65'500; i < 65'510; ++i) late.push_back(sealed_at(from, i));
  ASSERT_TRUE(to.set_key(master(2), kNew).ok());
  ASSERT_TRUE(from.set_key(master(2), kNew).ok());
  pass(from, to, 65'510, 65'600);  // over the wrap
  for (std::size_t i = 0; i < 5; ++i) EXPECT_TRUE(unprotect_rtp(to, late[i]).ok()) << i;
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_TRUE(fails_with(unprotect_rtp(to, late[i]), Error::replayed)) << i;
  }
  ASSERT_TRUE(to.remove_key(kOld).ok());
  EXPECT_TRUE(fails_with(unprotect_rtp(to, late[5]), Error::unknown_key_id));
  EXPECT_TRUE(fails_with(to.remove_key(kOld), Error::unknown_key_id));
  pass(from, to, 65'601, 65'700);
  EXPECT_EQ(to.roll_over_counter(kSsrc).value(), 1U);
  EXPECT_EQ(to.stream_count(), 1U);
}

TEST_P(SrtpRekey, ReplayWindowsAreOfTheMasterKey) {
  auto old_sender = sender_with({.mki = kOld, .allow_repeats = true});
  auto to = receiver_with({.mki = kOld});
  pass(old_sender, to, 100, 110);
  const Bytes under_old = sealed_at(old_sender, 105);
  const Bytes control_under_old = protect_rtcp(old_sender, rtcp_packet()).value();
  ASSERT_TRUE(unprotect_rtcp(to, control_under_old).ok());
  ASSERT_TRUE(to.set_key(master(2), kNew).ok());
  ASSERT_TRUE(old_sender.set_key(master(2), kNew).ok());
  const Bytes under_new = sealed_at(old_sender, 105);  // a retransmission, sealed again
  EXPECT_TRUE(fails_with(unprotect_rtp(to, under_old), Error::replayed));
  EXPECT_TRUE(unprotect_rtp(to, under_new).ok());
  EXPECT_TRUE(fails_with(unprotect_rtp(to, under_new), Error::replayed));
  EXPECT_TRUE(fails_with(unprotect_rtp(to, under_old), Error::replayed));
  EXPECT_TRUE(fails_with(unprotect_rtcp(to, control_under_old), Error::replayed));
}

TEST_P(SrtpRekey, PacketsOfAReplacedKeyDoNotAuthenticate) {
  auto from = sender_with({.allow_repeats = true});
  auto to = receiver_with({});
  pass(from, to, 0, 10);
  const Bytes replayed = sealed_at(from, 5);
  const Bytes fresh = sealed_at(from, 11);
  ASSERT_TRUE(to.set_key(master(2)).ok());
  EXPECT_TRUE(fails_with(unprotect_rtp(to, replayed), Error::authentication_failed));
  EXPECT_TRUE(fails_with(unprotect_rtp(to, fresh), Error::authentication_failed));
}

TEST_P(SrtpRekey, AnotherKeyChangesEveryByteThatIsEncrypted) {
  auto from = sender_with({});
  const Bytes before = sealed_at(from, 1);
  ASSERT_TRUE(from.set_key(master(2)).ok());
  const Bytes after = sealed_at(from, 1);
  std::size_t equal = 0;
  for (std::size_t i = 12; i < 112; ++i) equal += before[i] == after[i] ? 1 : 0;
  EXPECT_LT(equal, 10U);
}

TEST_P(SrtpRekey, SenderShowsWhatIsLeftOfItsKeyAndANewOneBeginsAnew) {
  auto from = sender_with({.max_rtp_packets = 5, .max_rtcp_packets = 2});
  EXPECT_EQ(from.key_usage().remaining_rtp_packets, 5U);
  for (std::uint32_t i = 0; i < 5; ++i) {
    sealed_at(from, i);
    EXPECT_EQ(from.key_usage().rtp_packets, i + 1);
    EXPECT_EQ(from.key_usage().remaining_rtp_packets, 4 - i);
  }
  EXPECT_TRUE(
      fails_with(protect_rtp(from, rtp_packet({.sequence_number = 5})), Error::key_exhausted));
  EXPECT_EQ(from.key_usage().remaining_rtcp_packets, 2U);
  ASSERT_TRUE(protect_rtcp(from, rtcp_packet()).ok());
  EXPECT_EQ(from.key_usage().remaining_rtcp_packets, 1U);
  ASSERT_TRUE(from.set_key(master(2)).ok());
  EXPECT_EQ(from.key_usage().remaining_rtp_packets, 5U);
  EXPECT_EQ(from.key_usage().remaining_rtcp_packets, 2U);
  EXPECT_TRUE(protect_rtp(from, rtp_packet({.sequence_number = 5})).ok());
}

TEST_P(SrtpRekey, ReceiverRefusesWhatIsBeyondTheLifetimeOfAKey) {
  auto from = sender_with({});
  auto to = receiver_with({.max_rtp_packets = 3, .max_rtcp_packets = 1});
  pass(from, to, 0, 2);
  EXPECT_EQ(to.key_usage().value().remaining_rtp_packets, 0U);
  EXPECT_TRUE(fails_with(unprotect_rtp(to, sealed_at(from, 3)), Error::key_exhausted));
  EXPECT_TRUE(unprotect_rtcp(to, protect_rtcp(from, rtcp_packet()).value()).ok());
  EXPECT_TRUE(fails_with(unprotect_rtcp(to, protect_rtcp(from, rtcp_packet()).value()),
                         Error::key_exhausted));
  ASSERT_TRUE(to.set_key(master(2)).ok());
  ASSERT_TRUE(from.set_key(master(2)).ok());
  pass(from, to, 4, 6);
}

TEST_P(SrtpRekey, LimitsAboveTheRfcsHaveNoEffect) {
  auto from =
      sender_with({.max_rtp_packets = ~std::uint64_t{0}, .max_rtcp_packets = ~std::uint64_t{0}});
  EXPECT_EQ(from.key_usage().remaining_rtp_packets, std::uint64_t{1} << 48);
  EXPECT_EQ(from.key_usage().remaining_rtcp_packets, std::uint64_t{1} << 31);
  auto to = receiver_with({.max_rtp_packets = ~std::uint64_t{0}});
  EXPECT_EQ(to.key_usage().value().remaining_rtp_packets, std::uint64_t{1} << 48);
}

TEST_P(SrtpRekey, ForgeriesSpendNothingOfAKey) {
  auto from = sender_with({});
  auto to = receiver_with({.max_rtp_packets = 2});
  for (std::uint32_t i = 0; i < 50; ++i) {
    Bytes forged = sealed_at(from, i);
    forged.back() ^= 1;
    EXPECT_TRUE(fails_with(unprotect_rtp(to, forged), Error::authentication_failed));
  }
  EXPECT_EQ(to.key_usage().value().rtp_packets, 0U);
  pass(from, to, 50, 51);
}

TEST_P(SrtpRekey, ManyStreamsSurviveManyKeys) {
  auto from = sender_with({.mki = kOld});
  auto to = receiver_with({.mki = kOld});
  std::uint16_t number = 65'000;
  for (std::uint8_t key = 2; key < 40; ++key) {
    for (std::uint32_t ssrc = 1; ssrc <= 20; ++ssrc) {
      for (std::uint16_t i = 0; i < 3; ++i) {
        const Bytes packet = rtp_packet(
            {.sequence_number = static_cast<std::uint16_t>(number + i * 10), .ssrc = ssrc});
        ASSERT_TRUE(gives(unprotect_rtp(to, protect_rtp(from, packet).value()), packet));
      }
    }
    number = static_cast<std::uint16_t>(number + 40);
    const Bytes mki{key};
    const Bytes previous{static_cast<std::uint8_t>(key - 1)};
    ASSERT_TRUE(to.set_key(master(key), mki).ok());
    ASSERT_TRUE(from.set_key(master(key), mki).ok());
    ASSERT_TRUE(to.remove_key(key == 2 ? kOld : previous).ok());
  }
  EXPECT_EQ(to.stream_count(), 20U);
  EXPECT_EQ(to.roll_over_counter(Ssrc{7}).value(), 1U);
  EXPECT_EQ(to.key_count(), 1U);
}

}  // namespace
}  // namespace sealroom::srtp::test
