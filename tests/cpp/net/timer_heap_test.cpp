#include "sealroom/base/timer_heap.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace sealroom {
namespace {

TimePoint at(int milliseconds) { return TimePoint(std::chrono::milliseconds(milliseconds)); }

TEST(TimerHeap, HasNoEarliestTimeWhenEmpty) {
  const TimerHeap heap;
  EXPECT_EQ(heap.earliest(), nullptr);
  EXPECT_EQ(heap.earliest_time(), kNever);
}

TEST(TimerHeap, ArmingAgainMovesATimerBothWays) {
  TimerHeap heap;
  TimerHeap::Timer a;
  TimerHeap::Timer b;
  heap.arm(a, at(10));
  heap.arm(b, at(20));
  EXPECT_EQ(heap.earliest(), &a);
  heap.arm(a, at(30));
  EXPECT_EQ(heap.earliest(), &b);
  heap.arm(a, at(5));
  EXPECT_EQ(heap.earliest(), &a);
  heap.arm(a, kNever);
  EXPECT_EQ(heap.earliest(), &b);
  EXPECT_EQ(heap.size(), 1u);
}

TEST(TimerHeap, AgreesWithALinearSearchUnderRandomChanges) {
  std::mt19937 random(1);
  TimerHeap heap;
  std::vector<TimerHeap::Timer> timers(50);
  for (int step = 0; step < 20'000; ++step) {
    auto& timer = timers[random() % timers.size()];
    if (random() % 3 == 0) {
      heap.disarm(timer);
    } else {
      heap.arm(timer, at(static_cast<int>(random() % 1000)));
    }
    TimePoint expected = kNever;
    for (const auto& each : timers) expected = std::min(expected, each.at);
    ASSERT_EQ(heap.earliest_time(), expected) << step;
  }
}

}  // namespace
}  // namespace sealroom
