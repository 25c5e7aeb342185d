// What a pair of contexts promises for RTP packets that nobody tampered with.

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "srtp/support.h"

namespace sealroom::srtp::test {
namespace {

constexpr std::uint16_t kLast = 65'535;

class SrtpRtp : public SrtpTest {};
INSTANTIATE_TEST_SUITE_P(Profiles, SrtpRtp, testing::ValuesIn(all_cases()), case_name);

TEST_P(SrtpRtp, HeaderStaysInClearAndPayloadDoesNot) {
  const Bytes packet = rtp_packet({.sequence_number = 7, .csrc_count = 3, .extension_words = 2});
  const std::size_t header_size = 12 + 12 + 4 + 8;
  const Bytes sealed = protect_rtp(sender_, packet).value();
  EXPECT_EQ(sealed.size(),
            packet.size() + profile_parameters(GetParam().profile).value().rtp_tag_size);
  EXPECT_TRUE(std::equal(packet.begin(), packet.begin() + header_size, sealed.begin()));
  EXPECT_FALSE(
      std::equal(packet.begin() + header_size, packet.end(), sealed.begin() + header_size));
  EXPECT_TRUE(gives(unprotect_rtp(receiver_, sealed), packet));
}

TEST_P(SrtpRtp, EveryHeaderShapeAndPayloadSizeComesBack) {
  std::uint16_t number = 0;
  for (const std::size_t csrcs : {0U, 1U, 15U}) {
    for (const int words : {-1, 0, 1, 20}) {
      for (const std::size_t size : {0U, 1U, 15U, 16U, 17U, 160U, 1200U, 9000U}) {
        const Bytes packet = rtp_packet({.sequence_number = ++number,
                                         .payload_size = size,
                                         .csrc_count = csrcs,
                                         .extension_words = words});
        EXPECT_TRUE(gives(unprotect_rtp(receiver_, protect_rtp(sender_, packet).value()), packet));
      }
    }
  }
}

TEST_P(SrtpRtp, PaddedPacketComesBackAlthoughItsCountIsEncrypted) {
  Bytes packet = rtp_packet({.payload_size = 20});
  packet[0] |= 0x20;
  packet.back() = 4;
  EXPECT_TRUE(gives(unprotect_rtp(receiver_, protect_rtp(sender_, packet).value()), packet));
}

TEST_P(SrtpRtp, LargestDatagramFitsAndOneByteMoreIsRefused) {
  const std::size_t tag_size = profile_parameters(GetParam().profile).value().rtp_tag_size;
  const Bytes packet = rtp_packet({.payload_size = kMaxPacketSize - 12 - tag_size});
  EXPECT_TRUE(gives(unprotect_rtp(receiver_, protect_rtp(sender_, packet).value()), packet));
  EXPECT_TRUE(
      fails_with(protect_rtp(sender_, rtp_packet({.sequence_number = 1,
                                                  .payload_size = kMaxPacketSize - 11 - tag_size})),
                 Error::malformed));
  EXPECT_TRUE(
      fails_with(unprotect_rtp(receiver_, Bytes(kMaxPacketSize + 1, 0x80)), Error::malformed));
}

TEST_P(SrtpRtp, InPlaceAndApartGiveTheSameBytes) {
  const Bytes packet = rtp_packet({.sequence_number = 1, .csrc_count = 1});
  const Bytes sealed = protect_rtp(sender_, packet).value();

  auto other_sender = make_sender(GetParam());
  Bytes apart(sealed.size());
  std::copy_n(packet.begin(), 16, apart.begin());
  ASSERT_EQ(other_sender.protect_rtp(apart, 16, ByteView(packet).subspan(16)).value(),
            sealed.size());
  EXPECT_EQ(apart, sealed);

  Bytes in_place = sealed;
  const auto size = receiver_.unprotect_rtp(in_place, in_place);
  ASSERT_TRUE(size.ok());
  in_place.resize(size.value());
  EXPECT_EQ(in_place, packet);
}

TEST_P(SrtpRtp, OutputNeedsNoMoreThanTheResult) {
  const Bytes packet = rtp_packet({});
  const std::size_t tag_size = profile_parameters(GetParam().profile).value().rtp_tag_size;
  Bytes buffer(packet.size() + tag_size);
  std::ranges::copy(packet, buffer.begin());
  EXPECT_TRUE(fails_with(sender_.protect_rtp(MutableByteView(buffer).first(buffer.size() - 1), 12,
                                             ByteView(packet).subspan(12)),
                         Error::buffer_too_small));
  ASSERT_TRUE(sender_.protect_rtp(buffer, 12, ByteView(packet).subspan(12)).ok());
  Bytes out(packet.size());
  EXPECT_TRUE(
      fails_with(receiver_.unprotect_rtp(buffer, MutableByteView(out).first(out.size() - 1)),
                 Error::buffer_too_small));
  ASSERT_TRUE(receiver_.unprotect_rtp(buffer, out).ok());
  EXPECT_EQ(out, packet);
}

TEST_P(SrtpRtp, ReplayIsRefused) {
  const Bytes sealed = protect_rtp(sender_, rtp_packet({.sequence_number = 9})).value();
  ASSERT_TRUE(unprotect_rtp(receiver_, sealed).ok());
  for (int i = 0; i < 10; ++i)
    EXPECT_TRUE(fails_with(unprotect_rtp(receiver_, sealed), Error::replayed));
}

TEST_P(SrtpRtp, ReorderInsideTheWindowIsTakenOnceAndBeyondIsTooOld) {
  auto receiver = make_receiver(GetParam(), {.replay_window = 128});
  std::vector<Bytes> sealed;
  for (std::uint16_t i = 0; i < 300; ++i) {
    sealed.push_back(protect_rtp(sender_, rtp_packet({.sequence_number = i})).value());
  }
  ASSERT_TRUE(unprotect_rtp(receiver, sealed[299]).ok());
  for (std::size_t i = 299; i-- > 172;) EXPECT_TRUE(unprotect_rtp(receiver, sealed[i]).ok()) << i;
  for (std::size_t i = 172; i-- > 0;) {
    EXPECT_TRUE(fails_with(unprotect_rtp(receiver, sealed[i]), Error::too_old)) << i;
  }
  for (std::size_t i = 299; i-- > 172;) {
    EXPECT_TRUE(fails_with(unprotect_rtp(receiver, sealed[i]), Error::replayed)) << i;
  }
}

// 30 % loss, one packet in five late by up to 20 places, four wraps.
TEST_P(SrtpRtp, RollOverIsFollowedThroughLossAndReordering) {
  struct OnTheWay {
    std::uint32_t arrival;
    Bytes packet;
    Bytes sealed;
  };
  std::mt19937 random(11);
  std::vector<OnTheWay> line;
  for (std::uint32_t i = 60'000; i < 60'000 + 4 * 65'536; i += 16) {
    Bytes packet =
        rtp_packet({.sequence_number = static_cast<std::uint16_t>(i), .payload_size = 8});
    Bytes sealed = protect_rtp(sender_, packet).value();
    const bool is_late = random() % 5 == 0;
    const std::uint32_t delay = is_late ? 16 * static_cast<std::uint32_t>(random() % 20) : 0;
    if (random() % 10 >= 3) line.push_back({i + delay, std::move(packet), std::move(sealed)});
  }
  std::ranges::stable_sort(line, {}, &OnTheWay::arrival);
  for (const OnTheWay& it : line)
    ASSERT_TRUE(gives(unprotect_rtp(receiver_, it.sealed), it.packet));
  EXPECT_EQ(receiver_.roll_over_counter(Ssrc{0xCAFEBABE}).value(), 4U);
}

TEST_P(SrtpRtp, LossOfUpToHalfTheRangeIsSurvivedAndMoreIsRefused) {
  // The sender sees every number, so its counter is right; the receiver sees the ends of the gap
  // only.
  auto near = make_receiver(GetParam());
  auto far = make_receiver(GetParam());
  Bytes sealed;
  for (std::uint32_t i = 40'000; i <= 40'000 + 32'769; ++i) {
    sealed = protect_rtp(sender_, rtp_packet({.sequence_number = static_cast<std::uint16_t>(i),
                                              .payload_size = 1}))
                 .value();
    if (i == 40'000) {
      ASSERT_TRUE(unprotect_rtp(near, sealed).ok());
      ASSERT_TRUE(unprotect_rtp(far, sealed).ok());
    }
    if (i == 40'000 + 32'767) {
      EXPECT_TRUE(unprotect_rtp(near, sealed).ok());
      EXPECT_EQ(near.roll_over_counter(Ssrc{0xCAFEBABE}).value(), 1U);
    }
  }
  EXPECT_TRUE(fails_with(unprotect_rtp(far, sealed), Error::too_old));
  EXPECT_EQ(far.roll_over_counter(Ssrc{0xCAFEBABE}).value(), 0U);
}

TEST_P(SrtpRtp, LateJoinerAfterAWrapNeedsTheCounterAndTakesIt) {
  for (std::uint32_t i = 65'000; i < 66'000; ++i) {
    const Bytes packet = rtp_packet({.sequence_number = static_cast<std::uint16_t>(i)});
    ASSERT_TRUE(unprotect_rtp(receiver_, protect_rtp(sender_, packet).value()).ok());
  }
  const Bytes packet = rtp_packet({.sequence_number = 66'000 - 65'536});
  const Bytes sealed = protect_rtp(sender_, packet).value();

  auto late = make_receiver(GetParam());
  EXPECT_TRUE(fails_with(unprotect_rtp(late, sealed), Error::authentication_failed));
  const Ssrc ssrc{0xCAFEBABE};
  EXPECT_TRUE(fails_with(late.roll_over_counter(ssrc), Error::unknown_ssrc));
  ASSERT_TRUE(late.set_roll_over_counter(ssrc, receiver_.roll_over_counter(ssrc).value()).ok());
  EXPECT_EQ(late.stream_count(), 0U);
  EXPECT_TRUE(gives(unprotect_rtp(late, sealed), packet));
  EXPECT_EQ(late.roll_over_counter(ssrc).value(), 1U);
  EXPECT_TRUE(fails_with(late.set_roll_over_counter(ssrc, 5), Error::invalid_argument));
}

TEST_P(SrtpRtp, CounterStartsAtZeroForAStreamThatBeginsBeforeItsWrap) {
  for (const std::uint16_t number : {kLast, std::uint16_t{0}, std::uint16_t{1}}) {
    const Bytes packet = rtp_packet({.sequence_number = number});
    EXPECT_TRUE(gives(unprotect_rtp(receiver_, protect_rtp(sender_, packet).value()), packet));
  }
  EXPECT_EQ(receiver_.roll_over_counter(Ssrc{0xCAFEBABE}).value(), 1U);
}

TEST_P(SrtpRtp, RetransmissionAcrossAWrapIsByteIdenticalAndKeepsTheCounter) {
  auto repeating = make_sender(GetParam(), {.allow_repeats = true});
  std::vector<Bytes> first;
  for (std::uint32_t i = 60'000; i < 75'000; ++i) {
    first.push_back(
        protect_rtp(repeating, rtp_packet({.sequence_number = static_cast<std::uint16_t>(i),
                                           .payload_size = 20}))
            .value());
  }
  for (std::uint32_t i = 60'000; i < 75'000; i += 97) {
    EXPECT_EQ(protect_rtp(repeating, rtp_packet({.sequence_number = static_cast<std::uint16_t>(i),
                                                 .payload_size = 20}))
                  .value(),
              first[i - 60'000]);
  }
  // Had a retransmission moved the counter, this would be sealed under another index.
  const Bytes next = rtp_packet({.sequence_number = static_cast<std::uint16_t>(75'000)});
  ASSERT_TRUE(unprotect_rtp(receiver_, first.front()).ok());
  ASSERT_TRUE(unprotect_rtp(receiver_, first.back()).ok());
  EXPECT_TRUE(gives(unprotect_rtp(receiver_, protect_rtp(repeating, next).value()), next));
}

TEST_P(SrtpRtp, SequenceNumberIsSealedOnceUnderAKey) {
  for (const std::uint16_t number : {std::uint16_t{65'000}, std::uint16_t{10}, kLast}) {
    const Bytes packet = rtp_packet({.sequence_number = number});
    ASSERT_TRUE(protect_rtp(sender_, packet).ok()) << number;
    EXPECT_TRUE(fails_with(protect_rtp(sender_, packet), Error::replayed)) << number;
  }
  const Bytes behind = rtp_packet({.sequence_number = 65'535 - 1024 + 11 - 1});
  EXPECT_TRUE(fails_with(protect_rtp(sender_, behind), Error::too_old));
  const std::uint64_t sealed = sender_.key_usage().rtp_packets;
  EXPECT_EQ(sealed, 3U);
}

TEST_P(SrtpRtp, StreamsDoNotShareCountersOrWindows) {
  for (const std::uint16_t number : {kLast, std::uint16_t{0}}) {
    for (const std::uint32_t ssrc : {1U, 2U, 3U}) {
      if (ssrc == 3 && number == 0) continue;
      const Bytes packet = rtp_packet({.sequence_number = number, .ssrc = ssrc});
      EXPECT_TRUE(gives(unprotect_rtp(receiver_, protect_rtp(sender_, packet).value()), packet));
    }
  }
  EXPECT_EQ(receiver_.stream_count(), 3U);
  EXPECT_EQ(receiver_.roll_over_counter(Ssrc{2}).value(), 1U);
  EXPECT_EQ(receiver_.roll_over_counter(Ssrc{3}).value(), 0U);
}

TEST_P(SrtpRtp, BothBackEndsSealAlike) {
  const Bytes packet = rtp_packet({.sequence_number = 77, .payload_size = 1100});
  const Bytes sealed = protect_rtp(sender_, packet).value();
  for (const auto backend : sealroom::test::available_backends()) {
    auto other = make_sender({backend, GetParam().profile});
    EXPECT_TRUE(gives(protect_rtp(other, packet), sealed));
  }
}

TEST_P(SrtpRtp, SenderRefusesWhatIsNoRtpHeader) {
  Bytes packet = rtp_packet({});
  packet.resize(packet.size() + kMaxRtpOverhead);
  const ByteView payload = ByteView(packet).subspan(12, 10);
  EXPECT_TRUE(fails_with(sender_.protect_rtp(packet, 11, payload), Error::malformed));
  EXPECT_TRUE(fails_with(sender_.protect_rtp(packet, 16, payload), Error::malformed));
  EXPECT_TRUE(
      fails_with(sender_.protect_rtp(packet, packet.size() + 1, payload), Error::buffer_too_small));
  packet[0] = 0x40;
  EXPECT_TRUE(fails_with(sender_.protect_rtp(packet, 12, payload), Error::malformed));
  packet[0] = 0x81;
  EXPECT_TRUE(fails_with(sender_.protect_rtp(packet, 12, payload), Error::malformed));
}

}  // namespace
}  // namespace sealroom::srtp::test
