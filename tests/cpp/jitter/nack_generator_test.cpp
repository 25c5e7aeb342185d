#include "sealroom/jitter/nack_generator.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "support/allocation_counter.h"
#include "support/netem.h"

namespace sealroom::jitter {
namespace {

using std::chrono::milliseconds;
using Arrival = NackGenerator::Arrival;

TimePoint at(int ms) { return TimePoint(milliseconds(ms)); }

std::vector<int> take(NackGenerator& nacks, TimePoint now) {
  std::array<std::uint16_t, 512> out{};
  const std::size_t count = nacks.take(now, out);
  return {out.begin(), out.begin() + static_cast<std::ptrdiff_t>(count)};
}

TEST(NackGenerator, AsksForAGapAsSoonAsALaterPacketIsIn) {
  NackGenerator nacks;
  EXPECT_EQ(nacks.packet_received(10, at(0)), Arrival::newest);
  EXPECT_EQ(nacks.packet_received(13, at(5)), Arrival::newest);
  EXPECT_EQ(take(nacks, at(5)), (std::vector<int>{11, 12}));
  EXPECT_EQ(take(nacks, at(5)), std::vector<int>{});
}

TEST(NackGenerator, DoesNotAskForWhatReorderingDeliveredFirst) {
  NackGenerator nacks;
  nacks.packet_received(1, at(0));
  nacks.packet_received(3, at(0));
  EXPECT_EQ(nacks.packet_received(2, at(0)), Arrival::reordered);
  EXPECT_EQ(take(nacks, at(0)), std::vector<int>{});
  EXPECT_EQ(nacks.next_timeout(), kNever);
}

TEST(NackGenerator, WaitsForReorderedPacketsBeforeItAsks) {
  NackGenerator nacks({.reorder_wait = milliseconds(10)});
  nacks.packet_received(1, at(0));
  nacks.packet_received(4, at(0));
  EXPECT_EQ(take(nacks, at(0)), std::vector<int>{});
  EXPECT_EQ(nacks.next_timeout(), at(10));
  EXPECT_EQ(nacks.packet_received(2, at(6)), Arrival::reordered);
  nacks.handle_timeout(at(10));
  EXPECT_EQ(take(nacks, at(10)), std::vector<int>{3});
  EXPECT_EQ(nacks.next_timeout(), at(110));
  EXPECT_EQ(nacks.packet_received(3, at(40)), Arrival::recovered);
}

TEST(NackGenerator, TellsRecoveredFromReorderedFromUnexpected) {
  NackGenerator nacks;
  nacks.packet_received(1, at(0));
  nacks.packet_received(4, at(0));
  EXPECT_EQ(nacks.packet_received(2, at(0)), Arrival::reordered);
  take(nacks, at(0));
  EXPECT_EQ(nacks.packet_received(3, at(30)), Arrival::recovered);
  EXPECT_EQ(nacks.packet_received(3, at(31)), Arrival::unexpected);
}

TEST(NackGenerator, AsksAgainEveryRoundTripAndGivesUpAfterTheLastTry) {
  NackGenerator nacks({.max_age = std::chrono::seconds(5), .max_tries = 3});
  nacks.set_round_trip_time(milliseconds(40));
  nacks.packet_received(1, at(0));
  nacks.packet_received(3, at(0));
  for (const int time : {0, 40, 80}) {
    nacks.handle_timeout(at(time));
    EXPECT_EQ(take(nacks, at(time)), std::vector<int>{2}) << time;
    EXPECT_EQ(nacks.next_timeout(), at(time + 40));
  }
  EXPECT_TRUE(nacks.is_waiting_for(2));
  nacks.handle_timeout(at(120));
  EXPECT_FALSE(nacks.is_waiting_for(2));
  EXPECT_EQ(nacks.given_up(), 1U);
  EXPECT_EQ(nacks.requested(), 3U);
  EXPECT_EQ(nacks.next_timeout(), kNever);
}

TEST(NackGenerator, GivesUpAtItsAgeEvenIfNobodyEverTakesTheNacks) {
  NackGenerator nacks({.max_age = milliseconds(200)});
  nacks.packet_received(1, at(0));
  nacks.packet_received(3, at(0));
  EXPECT_EQ(nacks.next_timeout(), at(200));
  nacks.handle_timeout(at(200));
  EXPECT_EQ(nacks.given_up(), 1U);
}

TEST(NackGenerator, PendingNackIsNoTimeout) {
  NackGenerator nacks;
  nacks.packet_received(1, at(0));
  nacks.packet_received(3, at(0));
  nacks.handle_timeout(at(0));
  EXPECT_GT(nacks.next_timeout(), at(0));
}

TEST(NackGenerator, RestOfAFullOutputIsTakenByTheNextCall) {
  NackGenerator nacks;
  nacks.packet_received(100, at(0));
  nacks.packet_received(110, at(0));
  std::array<std::uint16_t, 4> out{};
  EXPECT_EQ(nacks.take(at(0), out), 4U);
  EXPECT_EQ(out[3], 104);
  EXPECT_EQ(nacks.take(at(0), out), 4U);
  EXPECT_EQ(out[0], 105);
  EXPECT_EQ(nacks.take(at(0), out), 1U);
  EXPECT_EQ(out[0], 109);
}

TEST(NackGenerator, ListIsBoundedAndTheOldestLeave) {
  NackGenerator nacks({.max_packets = 8});
  nacks.packet_received(0, at(0));
  nacks.packet_received(1000, at(0));
  EXPECT_EQ(nacks.missing(), 8U);
  EXPECT_EQ(nacks.given_up(), 991U);
  EXPECT_FALSE(nacks.is_waiting_for(991));
  EXPECT_TRUE(nacks.is_waiting_for(992));
  nacks.packet_received(1003, at(0));
  EXPECT_EQ(nacks.missing(), 8U);
  EXPECT_FALSE(nacks.is_waiting_for(993));
  EXPECT_TRUE(nacks.is_waiting_for(1002));
}

TEST(NackGenerator, GivesUpWhatTheFrameLayerSkipped) {
  NackGenerator nacks;
  nacks.packet_received(0, at(0));
  nacks.packet_received(5, at(0));
  nacks.give_up_before(3);
  EXPECT_EQ(nacks.given_up(), 2U);
  EXPECT_EQ(take(nacks, at(0)), (std::vector<int>{3, 4}));
}

TEST(NackGenerator, WritesWrappedNumbers) {
  NackGenerator nacks;
  nacks.packet_received(65534, at(0));
  nacks.packet_received(65538, at(0));
  EXPECT_EQ(take(nacks, at(0)), (std::vector<int>{65535, 0, 1}));
}

TEST(NackGenerator, RoundTripsNearZeroDoNotFloodThePath) {
  NackGenerator nacks;
  nacks.set_round_trip_time(Duration::zero());
  nacks.packet_received(1, at(0));
  nacks.packet_received(3, at(0));
  take(nacks, at(0));
  EXPECT_EQ(nacks.next_timeout(), at(10));
}

TEST(NackGenerator, ARoundTripThatCannotBeDoesNotEndTheRetries) {
  NackGenerator nacks({.max_age = milliseconds(500)});
  nacks.set_round_trip_time(std::chrono::seconds(3));
  nacks.packet_received(1, at(0));
  nacks.packet_received(3, at(0));
  EXPECT_EQ(take(nacks, at(0)), std::vector<int>{2});
  nacks.handle_timeout(at(250));
  EXPECT_EQ(take(nacks, at(250)), std::vector<int>{2});
}

TEST(NackGenerator, PacketFromBeforeTheFirstMovesTheStartBack) {
  NackGenerator nacks({.max_packets = 8});
  nacks.packet_received(100, at(0));
  EXPECT_EQ(nacks.packet_received(97, at(1)), Arrival::reordered);
  EXPECT_EQ(take(nacks, at(1)), (std::vector<int>{98, 99}));
  EXPECT_EQ(nacks.packet_received(50, at(2)), Arrival::unexpected);  // more than the list holds
  nacks.give_up_before(99);
  EXPECT_EQ(nacks.packet_received(99, at(3)), Arrival::recovered);
  EXPECT_EQ(nacks.missing(), 0U);
}

TEST(NackGenerator, FilledGapsBehindOneThatStaysDoNotPileUp) {
  NackGenerator nacks({.max_age = std::chrono::hours(1), .max_packets = 32});
  nacks.packet_received(0, at(0));
  std::size_t allocations = 0;
  for (int i = 2; i < 20'000; i += 2) {  // 1 is never filled, all others at once
    nacks.packet_received(i, at(i));
    if (i > 2) nacks.packet_received(i - 1, at(i));
    if (i == 1000) allocations = test::allocation_count();
  }
  EXPECT_EQ(test::allocation_count(), allocations);
  EXPECT_EQ(nacks.missing(), 1U);
  EXPECT_TRUE(nacks.is_waiting_for(1));
}

// Every place behind the newest packet is received, waited for or given up, whatever happens.
TEST(NackGenerator, KeepsItsAccountsUnderRandomTraffic) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    test::Random random(seed);
    NackGenerator nacks({.max_age = milliseconds(120), .max_tries = 2, .max_packets = 16});
    nacks.set_round_trip_time(milliseconds(30));
    TimePoint now = at(0);
    std::vector<bool> received(20000);
    received[0] = true;
    nacks.packet_received(0, now);
    std::int64_t newest = 0;
    std::uint64_t unique = 1;
    for (int i = 0; i < 4000; ++i) {
      now += milliseconds(random.below(5));
      if (random.chance(0.2)) {
        nacks.handle_timeout(now);
        ASSERT_GT(nacks.next_timeout(), now);
      }
      if (random.chance(0.3)) take(nacks, now);
      std::int64_t sequence =
          newest + 1 + static_cast<std::int64_t>(random.chance(0.2) ? random.below(6) : 0);
      if (random.chance(0.3) && newest > 20) {
        sequence = newest - static_cast<std::int64_t>(random.below(20));
      }
      const auto index = static_cast<std::size_t>(sequence);
      const bool was_waiting = nacks.is_waiting_for(sequence);
      const Arrival arrival = nacks.packet_received(sequence, now);
      if (sequence > newest) {
        ASSERT_EQ(arrival, Arrival::newest);
        newest = sequence;
        ++unique;
      } else if (was_waiting) {
        ASSERT_FALSE(received[index]);
        ASSERT_TRUE(arrival == Arrival::recovered || arrival == Arrival::reordered);
        ++unique;
      } else {
        ASSERT_EQ(arrival, Arrival::unexpected);
      }
      if (arrival != Arrival::unexpected) received[index] = true;
      ASSERT_LE(nacks.missing(), 16U);
      ASSERT_EQ(unique + nacks.missing() + nacks.given_up(),
                static_cast<std::uint64_t>(newest) + 1);
    }
  }
}

TEST(NackGeneratorAnswers, RetryFollowsThemAndReorderingDoesNotShortenIt) {
  for (const bool reorders : {false, true}) {
    NackGenerator nacks({.reorder_wait = milliseconds(10)});
    std::array<std::uint16_t, 8> out{};
    for (int i = 0; i < 60; ++i) {
      const TimePoint start(milliseconds(200 * i));
      nacks.packet_received(2 * i, start);
      nacks.packet_received(2 * i + 2, start);  // 2 i + 1 is missing
      nacks.handle_timeout(start + milliseconds(10));
      EXPECT_EQ(nacks.take(start + milliseconds(10), out), 1U);
      const bool comes_late = reorders && i % 3 == 0;
      nacks.packet_received(2 * i + 1, start + milliseconds(comes_late ? 15 : 50));
    }
    EXPECT_EQ(nacks.retry(), milliseconds(50));  // answered after 40 ms
  }
}

TEST(NackGeneratorAnswers, RetryIsLongerAgainWhenAnswersTakeLonger) {
  NackGenerator nacks;
  std::array<std::uint16_t, 8> out{};
  for (int i = 0; i < 120; ++i) {
    const TimePoint start(milliseconds(200 * i));
    const int round_trip = i < 60 ? 25 : 85;
    nacks.packet_received(2 * i, start);
    nacks.packet_received(2 * i + 2, start);
    for (int ms = 0; ms < round_trip; ++ms) {
      nacks.handle_timeout(start + milliseconds(ms));
      nacks.take(start + milliseconds(ms), out);
    }
    nacks.packet_received(2 * i + 1, start + milliseconds(round_trip));
    if (i == 59) {
      EXPECT_EQ(nacks.retry(), milliseconds(35));
    }
  }
  EXPECT_EQ(nacks.retry(), milliseconds(95));
}

TEST(NackGeneratorAnswers, RetryIsNeverLongerThanConfiguredAndGivesWayToAKnownRoundTripTime) {
  NackGenerator nacks;
  std::array<std::uint16_t, 8> out{};
  for (int i = 0; i < 20; ++i) {
    const TimePoint start(milliseconds(400 * i));
    nacks.packet_received(2 * i, start);
    nacks.packet_received(2 * i + 2, start);
    nacks.take(start, out);
    nacks.packet_received(2 * i + 1, start + milliseconds(300));
    EXPECT_EQ(nacks.retry(), milliseconds(100));
  }
  nacks.set_round_trip_time(milliseconds(250));
  EXPECT_EQ(nacks.retry(), milliseconds(250));
}

}  // namespace
}  // namespace sealroom::jitter
