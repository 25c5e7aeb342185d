#include "sealroom/net/pacer.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <vector>

#include "support/allocation_counter.h"

namespace sealroom::net {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr TimePoint kStart{seconds(100)};
constexpr std::uint64_t kRate = 8'000'000;  // a byte per microsecond
constexpr std::size_t kDatagram = 1000;

struct Left {
  TimePoint at;
  std::size_t size;
  Urgency urgency;
  std::uint8_t first;
};

/// A pacer and what came out of it, run as an event loop does: polled whenever it asks to be.
struct PacerTest : testing::Test {
  static PacerConfig config() {
    PacerConfig result;
    result.rate = kRate;
    result.burst_bytes = 5 * kDatagram;
    return result;
  }

  void push(std::size_t datagrams, Urgency urgency = Urgency::bulk, std::uint8_t mark = 0) {
    const Bytes data(datagrams * kDatagram, mark);
    DatagramBatch::Run run{data, kDatagram, urgency};
    while (true) {
      run.data = run.data.subspan(pacer.push(run, now));
      drain();
      if (run.data.empty()) return;
    }
  }
  void drain() {
    DatagramBatch::Run run;
    while (pacer.poll(run, now)) {
      EXPECT_LE(run.segment_size, run.data.size());
      left.push_back({now, run.data.size(), run.urgency, run.data.front()});
      total += run.data.size();
    }
  }
  void run_until(TimePoint end) {
    while (pacer.next_timeout() <= end) {
      ASSERT_GE(pacer.next_timeout(), now) << "asked to be polled when nothing may leave";
      const bool same = pacer.next_timeout() == now;
      now = pacer.next_timeout();
      const std::size_t before = left.size();
      drain();
      ASSERT_TRUE(!same || left.size() > before);
    }
    now = end;
  }

  Pacer pacer{config()};
  TimePoint now = kStart;
  std::vector<Left> left;
  std::size_t total = 0;
};

TEST_F(PacerTest, ABurstLeavesAtOnceAndTheRestAtTheRate) {
  push(50);
  ASSERT_EQ(left.size(), 1u);  // one call for the whole burst
  EXPECT_EQ(left[0].size, 5 * kDatagram);
  run_until(kStart + seconds(1));
  EXPECT_EQ(total, 50 * kDatagram);
  EXPECT_EQ(left.back().at, kStart + microseconds(45 * kDatagram));
  EXPECT_EQ(pacer.next_timeout(), kNever);
  EXPECT_EQ(pacer.statistics().datagrams_delayed, 45u);
  EXPECT_EQ(pacer.statistics().queued_bytes, 0u);
}

TEST_F(PacerTest, AnIdleBucketSavesNoMoreThanABurst) {
  push(50);
  run_until(kStart + seconds(10));
  left.clear();
  push(50);
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0].size, 5 * kDatagram);
}

TEST_F(PacerTest, InNoIntervalDoesMoreLeaveThanRateAndBurst) {
  std::mt19937 random(7);
  for (int frame = 0; frame < 300; ++frame) {  // 30 a second, below the rate on average
    push(1 + random() % 40, random() % 4 == 0 ? Urgency::prompt : Urgency::bulk);
    run_until(now + microseconds(33'333));
  }
  EXPECT_EQ(pacer.statistics().datagrams_overdue, 0u);
  for (std::size_t from = 0; from < left.size(); ++from) {
    std::size_t bytes = 0;
    for (std::size_t to = from; to < left.size(); ++to) {
      bytes += left[to].size;
      const auto interval = static_cast<std::size_t>((left[to].at - left[from].at).count());
      ASSERT_LE(bytes, interval + 5 * kDatagram) << from << " to " << to;
    }
  }
}

TEST_F(PacerTest, AudioGoesBeforeVideoThatIsAlreadyWaiting) {
  push(30, Urgency::bulk, 1);
  push(2, Urgency::prompt, 2);
  left.clear();
  run_until(kStart + seconds(1));
  std::size_t prompt = 0;
  for (const Left& one : left) {
    if (one.urgency == Urgency::prompt) prompt += one.size;
    EXPECT_EQ(one.first, one.urgency == Urgency::prompt ? 2 : 1);
    if (one.urgency == Urgency::bulk) {
      EXPECT_EQ(prompt, 2 * kDatagram);
    }
  }
}

TEST_F(PacerTest, EachKindKeepsItsOrder) {
  for (std::uint8_t i = 0; i < 100; ++i) push(3, i % 3 == 0 ? Urgency::prompt : Urgency::bulk, i);
  run_until(kStart + seconds(1));
  int last_prompt = -1;
  int last_bulk = -1;
  for (const Left& one : left) {
    int& last = one.urgency == Urgency::prompt ? last_prompt : last_bulk;
    ASSERT_GE(one.first, last);
    last = one.first;
  }
  EXPECT_EQ(total, 300 * kDatagram);
}

TEST_F(PacerTest, NothingWaitsLongerThanItsBound) {
  push(1000);  // a second's worth, the bound is 250 ms
  run_until(kStart + seconds(2));
  EXPECT_EQ(total, 1000 * kDatagram);
  EXPECT_LE(left.back().at, kStart + milliseconds(250));
  EXPECT_GT(pacer.statistics().datagrams_overdue, 700u);
  // What was forced out is owed, but for no longer than it would have waited.
  push(1);
  EXPECT_NE(left.back().at, now + milliseconds(251));
  run_until(now + milliseconds(260));
  EXPECT_EQ(total, 1001 * kDatagram);
}

TEST_F(PacerTest, AFullQueueLosesNothingAndStaysBounded) {
  const std::size_t most = config().max_queued_bytes;
  for (std::uint8_t i = 0; i < 50; ++i) {
    push(100, Urgency::bulk, i);
    ASSERT_LE(pacer.statistics().queued_bytes, most);
  }
  EXPECT_GT(pacer.statistics().datagrams_overflow, 0u);
  run_until(kStart + seconds(1));
  EXPECT_EQ(total, 5000 * kDatagram);
  for (std::size_t i = 1; i < left.size(); ++i) ASSERT_GE(left[i].first, left[i - 1].first);
}

TEST_F(PacerTest, ADatagramLargerThanBurstAndBoundPasses) {
  PacerConfig small = config();
  small.burst_bytes = 100;
  small.max_queued_bytes = 500;
  Pacer tight(small);
  const Bytes data(3 * kDatagram, 1);
  DatagramBatch::Run run{data, kDatagram, Urgency::bulk};
  DatagramBatch::Run out;
  std::size_t left_bytes = 0;
  while (!run.data.empty()) {
    run.data = run.data.subspan(tight.push(run, now));
    while (tight.poll(out, now)) left_bytes += out.data.size();
  }
  now += seconds(1);
  while (tight.poll(out, now)) left_bytes += out.data.size();
  EXPECT_EQ(left_bytes, data.size());
}

TEST_F(PacerTest, AShortLastDatagramIsPartOfItsRun) {
  const Bytes data(3 * kDatagram + 70, 1);
  EXPECT_EQ(pacer.push({data, kDatagram, Urgency::bulk}, now), data.size());
  DatagramBatch::Run run;
  ASSERT_TRUE(pacer.poll(run, now));
  EXPECT_EQ(run.data.size(), data.size());
  EXPECT_EQ(run.segment_size, kDatagram);
  EXPECT_FALSE(pacer.poll(run, now));
}

TEST_F(PacerTest, ANewRateAppliesToWhatWaits) {
  push(100);
  pacer.set_rate(10 * kRate);
  run_until(kStart + milliseconds(15));
  EXPECT_EQ(total, 100 * kDatagram);
}

TEST_F(PacerTest, StoppingGivesOutWhatIsQueuedAudioFirst) {
  push(30, Urgency::bulk, 1);
  push(3, Urgency::prompt, 2);
  DatagramBatch::Run run;
  ASSERT_TRUE(pacer.take(run));
  EXPECT_EQ(run.urgency, Urgency::prompt);
  std::size_t bytes = run.data.size();
  while (pacer.take(run)) bytes += run.data.size();
  EXPECT_EQ(bytes + total, 33 * kDatagram);
}

TEST_F(PacerTest, AWakeUpIsWorthAQuarterOfABurst) {
  PacerConfig fast;
  fast.rate = 800'000'000;  // a burst of 5 ms is 500 datagrams
  Pacer paced(fast);
  const Bytes data(1000 * kDatagram, 0);
  ASSERT_EQ(paced.push({data, kDatagram, Urgency::bulk}, now), data.size());
  DatagramBatch::Run run;
  int wake_ups = 0;
  while (paced.next_timeout() != kNever) {
    now = std::max(now, paced.next_timeout());
    ++wake_ups;
    while (paced.poll(run, now)) {
    }
  }
  EXPECT_LE(wake_ups, 6);
}

TEST_F(PacerTest, DoesNotAllocateAfterWarmUp) {
  const Bytes data(40 * kDatagram, 0);
  DatagramBatch::Run run;
  std::size_t before = 0;
  for (int frame = 0; frame < 2000; ++frame) {
    if (frame == 200) before = test::allocation_count();
    ASSERT_EQ(pacer.push({data, kDatagram, Urgency::bulk}, now), data.size());
    now += milliseconds(33);
    while (pacer.poll(run, now)) {
    }
  }
  EXPECT_EQ(test::allocation_count(), before);
}

}  // namespace
}  // namespace sealroom::net
