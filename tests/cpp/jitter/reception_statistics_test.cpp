#include "sealroom/jitter/reception_statistics.h"

#include <gtest/gtest.h>

namespace sealroom::jitter {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

TimePoint at(int ms) { return TimePoint(milliseconds(ms)); }

void feed(ReceptionStatistics& statistics, int first, int count) {
  for (int i = 0; i < count; ++i) {
    statistics.packet_received(static_cast<std::uint16_t>(first + i),
                               RtpTimestamp{static_cast<std::uint32_t>(first + i) * 960},
                               at((first + i) * 20));
  }
}

TEST(ReceptionStatistics, IsZeroBeforeTheFirstPacket) {
  ReceptionStatistics statistics(48000);
  EXPECT_EQ(statistics.extended_highest_sequence(), 0U);
  EXPECT_EQ(statistics.cumulative_lost(), 0);
  EXPECT_EQ(statistics.take_fraction_lost(), 0);
  EXPECT_EQ(statistics.jitter(), 0U);
}

TEST(ReceptionStatistics, CountsCyclesInTheExtendedSequence) {
  ReceptionStatistics statistics(48000);
  feed(statistics, 65530, 20);
  EXPECT_EQ(statistics.extended_highest_sequence(), 65549U);
  EXPECT_EQ(statistics.cumulative_lost(), 0);
  EXPECT_EQ(statistics.packets_received(), 20U);
}

TEST(ReceptionStatistics, LossIsExpectedMinusReceivedAndTheFractionIsPerReport) {
  ReceptionStatistics statistics(48000);
  feed(statistics, 0, 75);
  feed(statistics, 100, 1);
  EXPECT_EQ(statistics.cumulative_lost(), 25);
  EXPECT_EQ(statistics.take_fraction_lost(), 25 * 256 / 101);
  feed(statistics, 101, 10);
  EXPECT_EQ(statistics.take_fraction_lost(), 0);
  EXPECT_EQ(statistics.cumulative_lost(), 25);
}

TEST(ReceptionStatistics, LatePacketReducesLossAndDuplicatesMayMakeItNegative) {
  ReceptionStatistics statistics(48000);
  feed(statistics, 0, 5);
  feed(statistics, 6, 1);
  EXPECT_EQ(statistics.cumulative_lost(), 1);
  feed(statistics, 5, 1);
  EXPECT_EQ(statistics.cumulative_lost(), 0);
  feed(statistics, 5, 2);
  EXPECT_EQ(statistics.cumulative_lost(), -2);
  EXPECT_EQ(statistics.take_fraction_lost(), 0);
}

TEST(ReceptionStatistics, JitterFollowsAppendixA8) {
  ReceptionStatistics statistics(90000);
  // Transit alternates by 10 ms = 900 ticks: the estimate tends to 900.
  for (int i = 0; i < 400; ++i) {
    statistics.packet_received(static_cast<std::uint16_t>(i),
                               RtpTimestamp{static_cast<std::uint32_t>(i) * 3600},
                               at(i * 40 + (i % 2) * 10));
  }
  EXPECT_NEAR(statistics.jitter(), 900, 2);
}

TEST(ReceptionStatistics, FirstStepOfJitterIsASixteenthOfTheDeviation) {
  ReceptionStatistics statistics(8000);
  statistics.packet_received(1, RtpTimestamp{0}, at(0));
  statistics.packet_received(2, RtpTimestamp{160}, at(40));  // 20 ms late: 160 ticks
  EXPECT_EQ(statistics.jitter(), 10U);
}

TEST(ReceptionStatistics, EvenPacingHasNoJitterOnAClockThatCountsFrom1970) {
  ReceptionStatistics statistics(90000);
  const TimePoint epoch(microseconds(1'790'000'000'000'000));
  for (int i = 0; i < 100; ++i) {
    statistics.packet_received(static_cast<std::uint16_t>(i),
                               RtpTimestamp{0xfffff000U + static_cast<std::uint32_t>(i) * 1800},
                               epoch + milliseconds(20 * i));
  }
  EXPECT_LE(statistics.jitter(), 1U);
}

TEST(ReceptionStatistics, SinglePacketFarOffIsNotBelieved) {
  ReceptionStatistics statistics(48000);
  feed(statistics, 0, 10);
  feed(statistics, 20000, 1);
  EXPECT_EQ(statistics.extended_highest_sequence(), 9U);
  feed(statistics, 10, 5);
  EXPECT_EQ(statistics.cumulative_lost(), 0);
}

TEST(ReceptionStatistics, RestartedSenderIsFollowedAndEarlierLossStaysCounted) {
  for (const int restart : {30000, 60000}) {  // ahead of 10, and behind it
    ReceptionStatistics statistics(48000);
    feed(statistics, 0, 5);
    feed(statistics, 9, 2);
    EXPECT_EQ(statistics.cumulative_lost(), 4);
    feed(statistics, restart, 11);
    EXPECT_EQ(statistics.extended_highest_sequence() & 0xffff,
              static_cast<std::uint32_t>(restart) + 10);
    EXPECT_EQ(statistics.cumulative_lost(), 4);
  }
}

TEST(ReceptionStatistics, CumulativeLossStaysIn24Bits) {
  ReceptionStatistics statistics(48000);
  for (int i = 0; i < 4000; ++i) {
    statistics.packet_received(static_cast<std::uint16_t>(i * 2900), RtpTimestamp{0}, at(i));
  }
  EXPECT_EQ(statistics.cumulative_lost(), 0x7fffff);
  EXPECT_EQ(statistics.take_fraction_lost(), 255);
}

}  // namespace
}  // namespace sealroom::jitter
