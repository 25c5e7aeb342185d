// An audio stream over a bad network, in simulated time.

#include <gtest/gtest.h>

#include <algorithm>

#include "sealroom/jitter/audio_jitter_buffer.h"
#include "support/netem.h"

namespace sealroom::jitter {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint32_t kStep = 960;
constexpr Duration kPeriod = milliseconds(20);

/// 50 packets a second through a link into a buffer. Every frame that comes out is held against
/// what was sent: in order, each number at most once, the same bytes and timestamp, the missing
/// ones in between.
class AudioStream {
 public:
  explicit AudioStream(test::LinkConfig link, std::uint64_t seed = 1, std::uint16_t first = 65400,
                       std::uint32_t first_timestamp = 0xfffff000U)
      : link_(link, seed), first_(first), first_timestamp_(first_timestamp) {}

  void run_for(Duration duration) {
    const TimePoint end = now_ + duration;
    while (true) {
      const TimePoint next = std::min({next_send_, link_.next_arrival(), buffer_.next_timeout()});
      if (next > end || ::testing::Test::HasFatalFailure()) break;
      now_ = std::max(now_, next);
      if (now_ >= next_send_) {
        link_.send(sent_++, now_);
        next_send_ += kPeriod;
      }
      std::uint32_t number = 0;
      while (link_.receive(now_, number)) {
        const Bytes payload = content(number);
        buffer_.insert({.sequence_number = static_cast<std::uint16_t>(first_ + number),
                        .timestamp = RtpTimestamp{first_timestamp_ + number * kStep},
                        .payload = payload},
                       now_);
        ASSERT_GT(buffer_.next_timeout(), now_);
        drain();
      }
      buffer_.handle_timeout(now_);
      ASSERT_GT(buffer_.next_timeout(), now_);
      drain();
    }
    now_ = std::max(now_, end);
  }

  void configure(test::LinkConfig link) { link_.configure(link); }
  test::Link<std::uint32_t>& link() { return link_; }
  const AudioJitterStatistics& statistics() const { return buffer_.statistics(); }
  std::uint32_t sent() const { return sent_; }
  std::uint64_t delivered() const { return delivered_; }
  std::uint64_t missing() const { return missing_; }
  Duration longest_wait() const { return longest_wait_; }  ///< from arrival to pop

 private:
  static Bytes content(std::uint32_t number) {
    return Bytes(1 + number % 200, static_cast<std::uint8_t>(number));
  }

  void drain() {
    AudioFrame frame;
    while (buffer_.pop(frame)) {
      const auto step = static_cast<std::uint16_t>(frame.sequence_number - last_);
      if (started_) {
        ASSERT_GE(step, 1U);
        ASSERT_LT(step, 1000U) << "out of order";
        number_ += step;
      } else {
        number_ = static_cast<std::uint16_t>(frame.sequence_number - first_);
      }
      started_ = true;
      last_ = frame.sequence_number;
      ASSERT_EQ(frame.timestamp.value, first_timestamp_ + number_ * kStep);
      if (frame.is_missing) {
        ++missing_;
        continue;
      }
      ASSERT_EQ(frame.data, content(number_));
      longest_wait_ = std::max(longest_wait_, now_ - frame.arrival);
      ++delivered_;
    }
  }

  test::Link<std::uint32_t> link_;
  AudioJitterBuffer buffer_;
  std::uint16_t first_;
  std::uint32_t first_timestamp_;
  TimePoint now_{};
  TimePoint next_send_{};
  std::uint32_t sent_ = 0;
  std::uint16_t last_ = 0;
  std::uint32_t number_ = 0;
  bool started_ = false;
  std::uint64_t delivered_ = 0;
  std::uint64_t missing_ = 0;
  Duration longest_wait_{};
};

TEST(AudioJitterLink, WithoutReorderingNothingWaitsWhateverTheJitter) {
  AudioStream stream({.delay = milliseconds(20), .jitter = milliseconds(200)});
  stream.run_for(seconds(60));
  EXPECT_EQ(stream.longest_wait(), Duration::zero());
  EXPECT_EQ(stream.missing(), 0U);
}

TEST(AudioJitterLink, EveryLostPacketComesOutAsOneMissingFrame) {
  for (const double loss : {0.01, 0.05, 0.1, 0.3}) {
    SCOPED_TRACE(loss);
    AudioStream stream({.loss = loss, .delay = milliseconds(20)});
    stream.run_for(seconds(60));
    if (HasFatalFailure()) return;
    // Less the ones in front of the first packet and behind the last.
    EXPECT_LE(stream.missing(), stream.link().statistics().lost);
    EXPECT_GE(stream.missing() + 12, stream.link().statistics().lost);
    EXPECT_LE(stream.longest_wait(), milliseconds(80));
  }
}

TEST(AudioJitterLink, WaitBehindAGapNeverExceedsTheLargestTarget) {
  AudioStream stream({.burst = 0.02,
                      .mean_burst_length = 8,
                      .delay = milliseconds(20),
                      .jitter = milliseconds(600),
                      .jitter_keeps_order = false});
  stream.run_for(seconds(60));
  EXPECT_LE(stream.longest_wait(), milliseconds(400));
  EXPECT_GT(stream.longest_wait(), milliseconds(100));
}

TEST(AudioJitterLink, TargetGrowsUnderJitterAndShrinksAfterIt) {
  AudioStream stream({.delay = milliseconds(20)});
  stream.run_for(seconds(5));
  EXPECT_EQ(stream.statistics().target_delay, milliseconds(20));
  stream.configure(
      {.delay = milliseconds(20), .jitter = milliseconds(200), .jitter_keeps_order = false});
  stream.run_for(seconds(5));
  EXPECT_GE(stream.statistics().target_delay, milliseconds(140));
  EXPECT_LE(stream.statistics().target_delay, milliseconds(220));
  stream.configure({.delay = milliseconds(20)});
  stream.run_for(seconds(8));
  EXPECT_EQ(stream.statistics().target_delay, milliseconds(20));
}

TEST(AudioJitterLink, GrownTargetRecoversMostOfWhatOvertakingPacketsWouldCost) {
  AudioStream stream(
      {.delay = milliseconds(20), .jitter = milliseconds(200), .jitter_keeps_order = false});
  stream.run_for(seconds(10));
  const std::uint64_t before = stream.missing();
  const std::uint64_t delivered_before = stream.delivered();
  stream.run_for(seconds(60));
  EXPECT_LE(stream.missing() - before, (stream.delivered() - delivered_before) / 50);
}

TEST(AudioJitterLink, SenderClockThatDriftsDoesNotMoveTheTarget) {
  for (const int microseconds_per_packet : {20'004, 19'996}) {  // 200 ppm either way
    AudioJitterBuffer buffer;
    AudioFrame frame;
    for (int i = 0; i < 180'000; ++i) {  // one hour
      buffer.insert(
          {.sequence_number = static_cast<std::uint16_t>(i),
           .timestamp = RtpTimestamp{static_cast<std::uint32_t>(i) * kStep},
           .payload = Bytes{1}},
          TimePoint(std::int64_t{i} * std::chrono::microseconds(microseconds_per_packet)));
      while (buffer.pop(frame)) {
      }
      if (i > 100) {
        ASSERT_EQ(buffer.statistics().target_delay, milliseconds(20));
      }
    }
    EXPECT_EQ(buffer.statistics().frames_delivered, 180'000U);
  }
}

TEST(AudioJitterLink, JumpOfTheTimestampDoesNotLeaveTheTargetHigh) {
  AudioJitterBuffer buffer;
  for (int i = 0; i < 400; ++i) {
    const std::uint32_t offset = i < 200 ? 0 : 0x60000000U;
    buffer.insert({.sequence_number = static_cast<std::uint16_t>(i),
                   .timestamp = RtpTimestamp{offset + static_cast<std::uint32_t>(i) * kStep},
                   .payload = Bytes{1}},
                  TimePoint(i * kPeriod));
  }
  EXPECT_EQ(buffer.statistics().target_delay, milliseconds(20));
}

TEST(AudioJitterLink, AnyNetworkGivesFramesInOrderEachOnce) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    test::Random random(seed);
    AudioStream stream({}, seed, static_cast<std::uint16_t>(random.next()),
                       static_cast<std::uint32_t>(random.next()));
    stream.run_for(milliseconds(100));
    for (int phase = 0; phase < 6; ++phase) {
      stream.configure({.loss = random.chance(0.5) ? random.uniform() * 0.4 : 0,
                        .burst = random.chance(0.3) ? random.uniform() * 0.02 : 0,
                        .mean_burst_length = random.uniform() * 9,
                        .delay = milliseconds(random.below(100)),
                        .jitter = milliseconds(random.below(200)),
                        .jitter_keeps_order = random.chance(0.5),
                        .reorder = random.chance(0.5) ? 0.1 : 0,
                        .reorder_delay = milliseconds(random.below(100)),
                        .duplicate = random.chance(0.5) ? 0.05 : 0});
      stream.run_for(seconds(3));
      if (HasFatalFailure()) return;
    }
    stream.configure({});
    stream.run_for(seconds(1));  // all that was underway or waited is out
    const AudioJitterStatistics& statistics = stream.statistics();
    EXPECT_EQ(statistics.frames_delivered, stream.delivered());
    EXPECT_EQ(
        statistics.packets_received,
        statistics.frames_delivered + statistics.packets_duplicated + statistics.packets_discarded);
    EXPECT_EQ(stream.delivered() + statistics.packets_lost, stream.sent());
  }
}

}  // namespace
}  // namespace sealroom::jitter
