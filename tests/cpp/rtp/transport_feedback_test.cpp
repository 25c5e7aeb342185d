#include "sealroom/rtp/transport_feedback.h"

#include <gtest/gtest.h>

#include <map>

#include "rtp/support.h"
#include "support/netem.h"

namespace sealroom::rtp {
namespace {

using test::for_each_truncation;
using test::from_hex;

constexpr TimePoint kStart{std::chrono::seconds(100)};

RtcpPacketView single(ByteView compound) {
  RtcpReader reader(compound);
  RtcpPacketView packet;
  EXPECT_TRUE(reader.next(packet));
  EXPECT_FALSE(reader.next(packet));
  EXPECT_TRUE(reader.ok());
  return packet;
}

Result<TransportFeedback> parse(ByteView compound) {
  const auto feedback = Feedback::parse(single(compound));
  if (!feedback) return feedback.error();
  return TransportFeedback::parse(feedback.value());
}

std::vector<PacketStatus> statuses(const TransportFeedback& feedback) {
  std::vector<PacketStatus> result;
  PacketStatuses reader(feedback);
  PacketStatus status;
  while (reader.next(status)) result.push_back(status);
  return result;
}

// As Chromium sent them (tests/vectors/SOURCES.md).
TEST(TransportFeedback, ReadsARunOfOneAsChromiumSendsIt) {
  const Bytes bytes = from_hex("afcd0005fa17fa1743032fa0009900013de8021720019401");
  const auto feedback = parse(bytes);
  ASSERT_TRUE(feedback.ok());
  EXPECT_EQ(feedback.value().sender, Ssrc{4195875351});
  EXPECT_EQ(feedback.value().media, Ssrc{1124282272});
  EXPECT_EQ(feedback.value().base_sequence_number, 153);
  EXPECT_EQ(feedback.value().reference_time, 4057090);
  EXPECT_EQ(feedback.value().feedback_count, 23);
  const auto packets = statuses(feedback.value());
  ASSERT_EQ(packets.size(), 1U);
  EXPECT_EQ(packets[0].sequence_number, 153);
  EXPECT_EQ(packets[0].arrival, std::chrono::milliseconds(64) * 4057090 + Duration(37000));
}

TEST(TransportFeedback, ReadsRunsAsChromiumSendsThem) {
  const Bytes bytes = from_hex("afcd0007fa17fa17193dd8bb0004000710636e0120074c2424100c0c10000003");
  const auto feedback = parse(bytes);
  ASSERT_TRUE(feedback.ok());
  const auto packets = statuses(feedback.value());
  ASSERT_EQ(packets.size(), 7U);
  Duration expected = std::chrono::milliseconds(64) * 1074030;
  const std::array<int, 7> deltas{19000, 9000, 9000, 4000, 3000, 3000, 4000};
  for (std::size_t i = 0; i < packets.size(); ++i) {
    expected += Duration(deltas[i]);
    EXPECT_EQ(packets[i].sequence_number, 4 + i);
    EXPECT_EQ(packets[i].arrival, expected);
  }
}

TEST(TransportFeedback, ReadsAOneBitVector) {
  const Bytes bytes = from_hex("afcd0006fa17fa17193dd8bb0001000e10636d00ba00100c0c100002");
  const auto packets = statuses(parse(bytes).value());
  ASSERT_EQ(packets.size(), 14U);
  std::string received;
  for (const PacketStatus& packet : packets) received += packet.is_received ? 'x' : '.';
  EXPECT_EQ(received, "xxx.x.........");
}

TEST(TransportFeedback, ReadsTheChunksOfTheDraft) {
  // Section 3.1.3: 221 times not received; 3.1.4: the one-bit and the two-bit vector, with the
  // reserved symbol in it. Six small deltas of the first vector, three of the second.
  const Bytes bytes = from_hex(
      "8fcd0009"
      "11111111"
      "22222222"
      "fff000f2"
      "000001"
      "05"
      "00dd"
      "9f1c"
      "cd50"
      "0101010101010101"
      "0101"
      "01010000");
  const auto packets = statuses(parse(bytes).value());
  ASSERT_EQ(packets.size(), 242U);
  for (std::size_t i = 0; i < 221; ++i) ASSERT_FALSE(packets[i].is_received);
  std::string rest;
  for (std::size_t i = 221; i < packets.size(); ++i) {
    rest += !packets[i].is_received ? '.' : packets[i].arrival ? 'x' : '?';
  }
  EXPECT_EQ(rest, ".xxxxx...xxx...?xxx..");
  EXPECT_EQ(packets[16].sequence_number, 0);  // across the wrap
}

TEST(TransportFeedback, ReadsNegativeTimes) {
  const Bytes bytes = from_hex(
      "8fcd0005"
      "11111111"
      "22222222"
      "00010001"
      "ffffff"
      "00"
      "4001"
      "8000");
  const auto packets = statuses(parse(bytes).value());
  EXPECT_EQ(packets[0].arrival, Duration(-64'000 - 8'192'000));
}

TEST(TransportFeedback, EveryMissingByteIsTruncated) {
  const Bytes whole = from_hex(
      "000100030000010040022001"
      "0102"
      "0304"
      "05");
  for_each_truncation(whole, [&](ByteView view, std::size_t size) {
    const auto feedback = TransportFeedback::parse({{}, {}, view});
    ASSERT_EQ(feedback.ok(), size == whole.size()) << size;
    if (feedback.ok()) return;
    EXPECT_EQ(feedback.error(), Error::truncated);
  });
}

TEST(TransportFeedback, ARunOfZeroDoesNotHangAndAHugeOneIsBoundedByTheCount) {
  const Bytes bytes = from_hex(
      "0001ffff000001000000"
      "1fff1fff1fff1fff1fff1fff1fff1fff1fff");
  const auto feedback = TransportFeedback::parse({{}, {}, bytes});
  ASSERT_TRUE(feedback.ok());
  EXPECT_EQ(statuses(feedback.value()).size(), 65535U);
}

class CollectorTest : public ::testing::Test {
 protected:
  /// Writes everything and reads it back, in units of the arrival's tick.
  void exchange(std::size_t room = 1200) {
    while (collector.has_feedback()) {
      Bytes buffer(room);
      RtcpWriter writer(buffer);
      ASSERT_TRUE(writer.receiver_report({Ssrc{1}, {}}).ok());
      const std::size_t before = writer.size();
      ASSERT_TRUE(collector.write(writer, Ssrc{1}, Ssrc{2}).ok());
      const auto feedback = parse(ByteView(buffer).subspan(before, writer.size() - before));
      ASSERT_TRUE(feedback.ok());
      EXPECT_EQ(feedback.value().feedback_count, static_cast<std::uint8_t>(feedbacks));
      ++feedbacks;
      bytes += writer.size() - before;
      for (const PacketStatus& status : statuses(feedback.value())) {
        if (!status.is_received) continue;
        ASSERT_TRUE(status.arrival.has_value());
        read[status.sequence_number] = *status.arrival;
      }
    }
  }

  static Duration tick(TimePoint time) { return time.time_since_epoch() / 250 * 250; }

  TransportFeedbackCollector collector;
  std::map<std::uint16_t, Duration> read;
  std::size_t feedbacks = 0;
  std::size_t bytes = 0;
};

TEST_F(CollectorTest, WhatArrivedReadsBackToTheTickWhateverTheNetworkDoes) {
  sealroom::test::Random random(5);
  std::map<std::uint16_t, Duration> expected;
  TimePoint now = kStart;
  for (std::uint32_t number = 65000; number < 75000; ++number) {
    now += Duration(static_cast<std::int64_t>(random.below(1500)));
    if (random.chance(0.002)) now += std::chrono::seconds(random.below(12));  // beyond 16 bits
    if (random.chance(0.2)) continue;
    TimePoint arrival = now;
    if (random.chance(0.05)) arrival += std::chrono::milliseconds(random.below(200));
    const auto sequence_number = static_cast<std::uint16_t>(number);
    collector.packet_received(sequence_number, arrival);
    expected[sequence_number] = tick(arrival);
    if (number % 53 == 0) exchange();
  }
  exchange();
  EXPECT_EQ(read, expected);
  EXPECT_LT(bytes, 10000U * 3);
}

TEST_F(CollectorTest, SmallRoomSplitsTheFeedback) {
  for (std::uint16_t number = 0; number < 500; ++number) {
    collector.packet_received(number, kStart + number * std::chrono::milliseconds(1));
  }
  exchange(60);
  EXPECT_EQ(read.size(), 500U);
  EXPECT_GT(feedbacks, 10U);
}

TEST_F(CollectorTest, WithoutRoomNothingChanges) {
  collector.packet_received(1, kStart);
  for (std::size_t room = 0; room < 24; ++room) {
    Bytes buffer(room);
    RtcpWriter writer(buffer);
    EXPECT_EQ(collector.write(writer, Ssrc{1}, Ssrc{2}).error(), Error::buffer_too_small);
    EXPECT_EQ(writer.size(), 0U);
  }
  exchange();
  EXPECT_EQ(read.size(), 1U);
}

TEST_F(CollectorTest, ALatePacketIsReportedWithThoseBehindIt) {
  for (const std::uint16_t number : std::array<std::uint16_t, 4>{1, 2, 4, 5}) {
    collector.packet_received(number, kStart);
  }
  exchange();
  EXPECT_EQ(read.size(), 4U);
  read.clear();
  collector.packet_received(3, kStart + Duration(5000));
  collector.packet_received(3, kStart + Duration(9000));
  exchange();
  EXPECT_EQ(read, (std::map<std::uint16_t, Duration>{
                      {3, tick(kStart + Duration(5000))}, {4, tick(kStart)}, {5, tick(kStart)}}));
}

TEST_F(CollectorTest, KeepsTheNewestWhenNobodyTakesFeedback) {
  for (std::uint32_t number = 0; number < 60'000; ++number) {
    collector.packet_received(static_cast<std::uint16_t>(number), kStart + Duration(number * 100));
  }
  exchange();
  EXPECT_EQ(read.size(), TransportFeedbackCollector::kCapacity);
  EXPECT_EQ(read.rbegin()->first, 59'999);
  EXPECT_EQ(read.begin()->first, 60'000 - TransportFeedbackCollector::kCapacity);
}

TEST_F(CollectorTest, AJumpStartsAnew) {
  collector.packet_received(10, kStart);
  collector.packet_received(30'000, kStart);
  exchange();
  EXPECT_EQ(read.size(), 1U);
  EXPECT_EQ(read.count(30'000), 1U);
  EXPECT_EQ(feedbacks, 1U);
}

TEST_F(CollectorTest, ASteadyStreamCostsLittleMoreThanAByteAPacket) {
  for (std::uint16_t number = 0; number < 1000; ++number) {
    collector.packet_received(number, kStart + number * std::chrono::milliseconds(2));
  }
  exchange();
  EXPECT_EQ(read.size(), 1000U);
  EXPECT_LT(bytes, 1100U);
}

TEST_F(CollectorTest, NothingToReportIsSaid) {
  Bytes buffer(100);
  RtcpWriter writer(buffer);
  EXPECT_EQ(collector.write(writer, {}, {}).error(), Error::invalid_argument);
}

}  // namespace
}  // namespace sealroom::rtp
