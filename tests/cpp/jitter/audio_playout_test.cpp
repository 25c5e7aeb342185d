// Clock drift, the statistics of audio, and a player with a clock of its own.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "sealroom/jitter/audio_jitter_buffer.h"
#include "support/netem.h"

namespace sealroom::jitter {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint32_t kStep = 960;  // 20 ms at 48 kHz
constexpr Duration kPeriod = milliseconds(20);

TimePoint at(int ms) { return TimePoint(milliseconds(ms)); }

void insert(AudioJitterBuffer& buffer, std::uint32_t number, TimePoint now) {
  const Bytes payload(60, static_cast<std::uint8_t>(number));
  buffer.insert({.sequence_number = static_cast<std::uint16_t>(65'000 + number),
                 .timestamp = RtpTimestamp{0xffff0000U + number * kStep},
                 .payload = payload},
                now);
}

/// A sender whose 20 ms last `period`, a link, a buffer that is pulled every 20 ms by a player that
/// follows the hint: it plays a frame in 18 ms or in 22 ms.
class PulledStream {
 public:
  PulledStream(Duration period, test::LinkConfig link, bool follows_hints = true)
      : period_(period), link_(link, 5), follows_hints_(follows_hints) {}

  void run_for(Duration duration) {
    const TimePoint end = now_ + duration;
    AudioFrame frame;
    while (true) {
      const TimePoint next = std::min({next_send_, link_.next_arrival(), next_play_});
      if (next > end) break;
      now_ = std::max(now_, next);
      if (now_ >= next_send_) {
        link_.send(sent_++, now_);
        next_send_ += period_;
      }
      std::uint32_t number = 0;
      while (link_.receive(now_, number)) insert(buffer, number, now_);
      if (now_ >= next_play_) play(frame);
      largest_level = std::max(largest_level, buffer.statistics().buffered_delay);
    }
  }

  AudioJitterBuffer buffer{AudioJitterConfig{.pull = true}};
  std::uint64_t played = 0;
  std::uint64_t missing = 0;
  std::uint64_t underruns = 0;
  std::uint64_t out_of_order = 0;
  Duration largest_level{};

 private:
  void play(AudioFrame& frame) {
    const Playout playout = buffer.next(frame, now_);
    if (playout == Playout::frame || playout == Playout::missing) {
      const auto step = static_cast<std::uint16_t>(frame.sequence_number - last_);
      if (played + missing > 0 && (step == 0 || step > 1000)) ++out_of_order;
      last_ = frame.sequence_number;
    }
    played += playout == Playout::frame;
    missing += playout == Playout::missing;
    underruns += playout == Playout::underrun;
    const PlayoutHint hint = follows_hints_ ? buffer.hint() : PlayoutHint::normal;
    next_play_ += hint == PlayoutHint::accelerate ? milliseconds(18)
                  : hint == PlayoutHint::expand   ? milliseconds(22)
                                                  : kPeriod;
  }

  Duration period_;
  test::Link<std::uint32_t> link_;
  bool follows_hints_;
  TimePoint now_{};
  TimePoint next_send_{};
  TimePoint next_play_{milliseconds(7)};
  std::uint32_t sent_ = 0;
  std::uint16_t last_ = 0;
};

TEST(ClockDrift, IsEstimatedWithin20PpmOverAnHourOfJitterAndLoss) {
  for (const int drift : {-200, -50, 0, 200}) {
    for (const bool keeps_order : {true, false}) {
      SCOPED_TRACE(drift);
      AudioJitterBuffer buffer;
      AudioFrame frame;
      test::Link<std::uint32_t> link({.loss = 0.1,
                                      .delay = milliseconds(30),
                                      .jitter = milliseconds(200),
                                      .jitter_keeps_order = keeps_order},
                                     11);
      double worst = 0;
      for (std::uint32_t n = 0; n < 180'000; ++n) {
        // A fast sender's 20 ms are over sooner.
        const TimePoint sent(
            microseconds(std::llround(n * 20'000.0 / (1 + 1e-6 * static_cast<double>(drift)))));
        link.send(n, sent);
        std::uint32_t number = 0;
        while (link.next_arrival() <= sent) {
          const TimePoint now = link.next_arrival();
          link.receive(now, number);
          insert(buffer, number, now);
          while (buffer.pop(frame)) {
          }
        }
        const auto estimate = buffer.statistics().clock_drift_ppm;
        if (n > 660 * 50) {
          ASSERT_TRUE(estimate.has_value());
          worst = std::max(worst, std::abs(*estimate - drift));
        }
        ASSERT_LE(buffer.statistics().target_delay, milliseconds(400));
      }
      EXPECT_LE(worst, 20);
      EXPECT_LE(std::abs(*buffer.statistics().clock_drift_ppm - drift), 20);
    }
  }
}

TEST(ClockDrift, ChangeOfThePathDoesNotLookLikeDrift) {
  AudioJitterBuffer buffer;
  AudioFrame frame;
  double worst = 0;
  for (std::uint32_t n = 0; n < 60'000; ++n) {
    const Duration path = milliseconds(n > 30'000 ? 90 : 20);
    insert(buffer, n, TimePoint(n * kPeriod + path));
    while (buffer.pop(frame)) {
    }
    if (const auto drift = buffer.statistics().clock_drift_ppm) {
      worst = std::max(worst, std::abs(*drift));
    }
  }
  EXPECT_LE(worst, 1);
  EXPECT_TRUE(buffer.statistics().clock_drift_ppm.has_value());
}

TEST(ClockDrift, IsUnknownInTheFirstMinute) {
  AudioJitterBuffer buffer;
  for (std::uint32_t n = 0; n < 50 * 55; ++n) insert(buffer, n, TimePoint(n * kPeriod));
  EXPECT_FALSE(buffer.statistics().clock_drift_ppm.has_value());
}

TEST(AudioPlayout, FirstFrameWaitsATargetDelayAndThenEveryPullGivesOne) {
  AudioJitterBuffer buffer({.pull = true});
  AudioFrame frame;
  for (std::uint32_t n = 0; n < 4; ++n) {
    EXPECT_EQ(buffer.next(frame, at(20 * static_cast<int>(n))), Playout::filling);
    insert(buffer, n, at(20 * static_cast<int>(n)));
    EXPECT_EQ(buffer.next_timeout(), kNever);
    EXPECT_FALSE(buffer.pop(frame));
  }
  EXPECT_EQ(buffer.next(frame, at(79)), Playout::filling);
  for (std::uint32_t n = 0; n < 50; ++n) {  // the start target is 80 ms
    ASSERT_EQ(buffer.next(frame, at(80 + 20 * static_cast<int>(n))), Playout::frame);
    EXPECT_EQ(frame.timestamp.value, 0xffff0000U + n * kStep);
    insert(buffer, n + 4, at(80 + 20 * static_cast<int>(n)));
  }
}

TEST(AudioPlayout, PlaceOfALostPacketIsConcealedInItsTurn) {
  AudioJitterBuffer buffer({.pull = true});
  AudioFrame frame;
  for (const std::uint32_t n : {0U, 1U, 4U}) insert(buffer, n, at(static_cast<int>(n) * 20));
  std::vector<Playout> got;
  for (int i = 0; i < 5; ++i) {
    got.push_back(buffer.next(frame, at(80 + 20 * i)));
    EXPECT_EQ(frame.timestamp.value, 0xffff0000U + static_cast<std::uint32_t>(i) * kStep);
    EXPECT_EQ(frame.is_missing, i == 2 || i == 3);
  }
  EXPECT_EQ(got, (std::vector<Playout>{Playout::frame, Playout::frame, Playout::missing,
                                       Playout::missing, Playout::frame}));
  EXPECT_EQ(buffer.statistics().concealed_samples, 2U * kStep);
  EXPECT_EQ(buffer.statistics().concealment_events, 1U);
  EXPECT_EQ(buffer.statistics().packets_lost, 2U);
  insert(buffer, 3, at(200));
  EXPECT_EQ(buffer.statistics().packets_discarded, 1U);
}

TEST(AudioPlayout, LongUnderrunFillsAgain) {
  AudioJitterBuffer buffer({.pull = true});
  AudioFrame frame;
  insert(buffer, 0, at(0));
  EXPECT_EQ(buffer.next(frame, at(80)), Playout::frame);
  for (int i = 1; i <= 10; ++i) EXPECT_EQ(buffer.next(frame, at(80 + 20 * i)), Playout::underrun);
  EXPECT_EQ(buffer.next(frame, at(300)), Playout::filling);
  insert(buffer, 1, at(310));
  EXPECT_EQ(buffer.next(frame, at(320)), Playout::filling);
  const Duration target = buffer.statistics().target_delay;  // the late packet has raised it
  EXPECT_EQ(buffer.next(frame, at(309) + target), Playout::filling);
  EXPECT_EQ(buffer.next(frame, at(310) + target), Playout::frame);
}

TEST(AudioPlayout, HintsKeepTheDelayNearTheTargetThroughAnHourOfDrift) {
  for (const int period_us : {20'004, 19'996}) {
    SCOPED_TRACE(period_us);
    PulledStream stream(microseconds(period_us),
                        {.delay = milliseconds(30), .jitter = milliseconds(30)});
    stream.run_for(seconds(3600));
    EXPECT_LE(stream.largest_level, milliseconds(160));
    EXPECT_LE(stream.underruns, 100U);
    EXPECT_EQ(stream.missing, 0U);
    EXPECT_EQ(stream.out_of_order, 0U);
    EXPECT_GE(stream.played, 179'800U);
    EXPECT_EQ(stream.buffer.statistics().packets_discarded, 0U);
  }
}

TEST(AudioPlayout, WithoutFollowingTheHintsTheBoundHoldsAndNothingIsOutOfOrder) {
  PulledStream stream(microseconds(19'800), {.loss = 0.05, .delay = milliseconds(30)}, false);
  stream.run_for(seconds(1200));
  EXPECT_LE(stream.buffer.statistics().buffered_delay, 256 * kPeriod);
  EXPECT_EQ(stream.buffer.hint(), PlayoutHint::accelerate);
  EXPECT_GT(stream.buffer.statistics().packets_discarded, 0U);
  EXPECT_EQ(stream.out_of_order, 0U);
}

TEST(AudioPlayout, BadNetworksKeepOrderAndBounds) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    test::Random random(seed);
    PulledStream stream(kPeriod, {.loss = random.uniform() * 0.3,
                                  .burst = 0.01,
                                  .mean_burst_length = random.chance(0.5) ? 5.0 : 20.0,
                                  .delay = milliseconds(20),
                                  .jitter = milliseconds(random.below(200)),
                                  .jitter_keeps_order = random.chance(0.5),
                                  .reorder = 0.1,
                                  .duplicate = 0.05});
    stream.run_for(seconds(120));
    EXPECT_EQ(stream.out_of_order, 0U);
    EXPECT_LE(stream.largest_level, milliseconds(1000));
    EXPECT_GT(stream.played, 3000U);
  }
}

TEST(AudioPlayout, HintFollowsTheLimits) {
  EXPECT_EQ(playout_hint(milliseconds(59), milliseconds(80)), PlayoutHint::expand);
  EXPECT_EQ(playout_hint(milliseconds(60), milliseconds(80)), PlayoutHint::normal);
  EXPECT_EQ(playout_hint(milliseconds(80), milliseconds(80)), PlayoutHint::normal);
  EXPECT_EQ(playout_hint(milliseconds(81), milliseconds(80)), PlayoutHint::accelerate);
  EXPECT_EQ(playout_hint(milliseconds(35), milliseconds(20)), PlayoutHint::normal);
  EXPECT_EQ(playout_hint(milliseconds(314), milliseconds(400)), PlayoutHint::expand);
}

TEST(AudioStatistics, DelayIsSummedOverSamplesFromArrivalToLeaving) {
  AudioJitterBuffer buffer;
  for (std::uint32_t n = 0; n < 100; ++n) insert(buffer, n, TimePoint(n * kPeriod));
  EXPECT_EQ(buffer.statistics().jitter_buffer_delay, 0);
  insert(buffer, 101, at(2020));  // waits 20 ms for 100, which never comes
  buffer.handle_timeout(at(2040));
  const AudioJitterStatistics& statistics = buffer.statistics();
  EXPECT_EQ(statistics.jitter_buffer_emitted_count, 101U * kStep);
  EXPECT_NEAR(statistics.jitter_buffer_delay, 0.020 * kStep, 1e-9);
  EXPECT_GE(statistics.jitter_buffer_target_delay, 101 * kStep * 0.020 - 1e-6);
  EXPECT_NEAR(statistics.jitter_buffer_minimum_delay, 101 * kStep * 0.020, 1e-6);
  AudioFrame frame;
  while (buffer.pop(frame)) {
  }
  EXPECT_EQ(statistics.concealed_samples, kStep);
  EXPECT_EQ(statistics.concealment_events, 1U);
}

}  // namespace
}  // namespace sealroom::jitter
