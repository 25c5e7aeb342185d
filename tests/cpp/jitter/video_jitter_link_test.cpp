// Two ends over a bad network, in simulated time. What VideoCall::check asserts holds in all of
// them: every frame that comes out is byte for byte what was sent, in order, and decodable.

#include <string>

#include "video_call.h"

namespace sealroom::jitter {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kOneWay = milliseconds(20);

struct Network {
  std::string name;
  test::LinkConfig forward;
  test::LinkConfig back;
  double least_share = 0;  ///< of the frames sent, that must come out
};

test::LinkConfig clean() { return {.delay = kOneWay}; }

test::LinkConfig lossy(double loss) { return {.loss = loss, .delay = kOneWay}; }

test::LinkConfig bursty(double length) {
  return {.burst = 0.01, .mean_burst_length = length, .delay = kOneWay};
}

std::vector<Network> networks() {
  test::LinkConfig jitter{.delay = kOneWay, .jitter = milliseconds(200)};
  test::LinkConfig wild = jitter;
  wild.jitter_keeps_order = false;
  test::LinkConfig reorder{.delay = kOneWay, .reorder = 0.1};
  test::LinkConfig duplicate{.delay = kOneWay, .duplicate = 0.05};
  test::LinkConfig all{.loss = 0.05,
                       .delay = kOneWay,
                       .jitter = milliseconds(50),
                       .jitter_keeps_order = false,
                       .reorder = 0.1,
                       .duplicate = 0.05};
  return {
      {"Loss1", lossy(0.01), lossy(0.01), 0.99},    {"Loss5", lossy(0.05), lossy(0.05), 0.99},
      {"Loss10", lossy(0.10), lossy(0.10), 0.98},   {"Loss20", lossy(0.20), lossy(0.20), 0.95},
      {"Loss30", lossy(0.30), lossy(0.30), 0.80},   {"Bursts5", bursty(5), clean(), 0.99},
      {"Bursts20", bursty(20), clean(), 0.98},      {"Jitter200", jitter, clean(), 0.99},
      {"JitterOvertaking200", wild, clean(), 0.99}, {"Reorder10", reorder, clean(), 1.0},
      {"Duplicates5", duplicate, clean(), 1.0},     {"Everything", all, lossy(0.05), 0.98},
  };
}

class VideoJitterLink : public ::testing::TestWithParam<Network> {};

TEST_P(VideoJitterLink, EmitsWhatWasSentInOrderAcrossBothWraps) {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE(seed);
    VideoCall call({.forward = GetParam().forward,
                    .back = GetParam().back,
                    .seed = seed,
                    .first_sequence = 65000,
                    .first_timestamp = 0xffff0000U});
    call.run_for(seconds(20));
    call.configure_links(clean(), clean());
    call.run_for(seconds(2));
    if (HasFatalFailure()) return;
    const double share =
        static_cast<double>(call.frames_received()) / static_cast<double>(call.frames_sent() - 2);
    EXPECT_GE(share, GetParam().least_share);
    EXPECT_GE(call.last_frame() + 3, call.frames_sent());
    RecordProperty("share_seed_" + std::to_string(seed), std::to_string(share));
  }
}

TEST_P(VideoJitterLink, VideoIsBackWithinASecondOfTheEndOfLoss) {
  for (std::uint64_t seed = 11; seed <= 18; ++seed) {
    SCOPED_TRACE(seed);
    VideoCall call({.forward = GetParam().forward, .back = GetParam().back, .seed = seed});
    call.run_for(seconds(3) + milliseconds(50 * seed));
    call.configure_links(clean(), clean());
    const TimePoint end_of_loss = call.now();
    call.run_for(seconds(1));
    if (HasFatalFailure()) return;
    EXPECT_GT(call.last_frame_at(), end_of_loss);
    EXPECT_GE(call.last_frame() + 3, call.frames_sent()) << "still behind";
  }
}

TEST_P(VideoJitterLink, NothingStallsForThreeSecondsWhileItLasts) {
  for (std::uint64_t seed = 21; seed <= 23; ++seed) {
    SCOPED_TRACE(seed);
    VideoCall call({.forward = GetParam().forward,
                    .back = GetParam().back,
                    .seed = seed,
                    .knows_round_trip_time = false});
    call.run_for(seconds(30));
    if (HasFatalFailure()) return;
    EXPECT_LE(call.longest_stall(), seconds(3));
    EXPECT_GE(call.last_frame_at() + seconds(3), call.now());
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, VideoJitterLink, ::testing::ValuesIn(networks()),
                         [](const auto& tested) { return tested.param.name; });

TEST(VideoJitterLinkClean, EveryFrameLeavesInTheMomentItsLastPacketArrives) {
  for (const Duration jitter : {milliseconds(0), milliseconds(100)}) {
    VideoCall call({.forward = {.delay = kOneWay, .jitter = jitter}});
    call.run_for(seconds(30));
    EXPECT_EQ(call.longest_wait(), Duration::zero());
    EXPECT_GE(call.frames_received() + 5, call.frames_sent());
    const VideoJitterStatistics& statistics = call.buffer().statistics();
    EXPECT_EQ(statistics.nacks_sent, 0U);
    EXPECT_EQ(statistics.key_frame_requests, 0U);
    EXPECT_EQ(statistics.frames_dropped, 0U);
  }
}

TEST(VideoJitterLinkOutage, VideoIsBackWithinASecondOfAnOutageOfAnyLength) {
  for (const int length : {50, 200, 450, 600, 1500, 5000, 20000}) {
    SCOPED_TRACE(length);
    VideoCall call({.forward = clean(), .back = clean()});
    call.run_for(seconds(1));
    call.configure_links({.loss = 1, .delay = kOneWay}, {.loss = 1, .delay = kOneWay});
    call.run_for(milliseconds(length));
    call.configure_links(clean(), clean());
    call.run_for(seconds(1));
    EXPECT_GE(call.last_frame() + 3, call.frames_sent());
  }
}

TEST(VideoJitterLinkOutage, VideoIsBackWithinASecondWhenRetransmissionIsNotPossible) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(seed);
    VideoCall call({.forward = clean(), .back = clean(), .seed = seed});
    call.run_for(seconds(1) + milliseconds(3 * seed));
    call.buffer().set_round_trip_time(seconds(10));  // the answer comes after the wait is over
    call.forward().drop_next(5);
    call.configure_links(clean(), {.loss = 1});
    call.run_for(milliseconds(450));
    call.configure_links(clean(), clean());
    call.run_for(seconds(1));
    EXPECT_GE(call.last_frame() + 3, call.frames_sent());
    EXPECT_GE(call.buffer().statistics().key_frame_requests, 1U);
  }
}

TEST(VideoJitterLinkBurst, LongBurstsAreRecoveredWithoutAKeyFrame) {
  for (const std::uint64_t length : {5U, 20U, 60U}) {
    SCOPED_TRACE(length);
    VideoCall call({.forward = clean(), .back = clean()});
    call.run_for(seconds(1));
    call.forward().drop_next(length);
    call.run_for(seconds(2));
    const VideoJitterStatistics& statistics = call.buffer().statistics();
    EXPECT_EQ(statistics.packets_recovered, length);
    EXPECT_EQ(statistics.packets_lost, 0U);
    EXPECT_EQ(statistics.frames_dropped, 0U);
    EXPECT_EQ(statistics.key_frame_requests, 0U);
    EXPECT_GE(call.frames_received() + 3, call.frames_sent());
  }
}

TEST(VideoJitterLinkReorder, ReorderingCostsNoFrameAndNoKeyFrame) {
  VideoCall call({.forward = {.delay = kOneWay, .reorder = 0.1}, .back = clean()});
  call.run_for(seconds(20));
  EXPECT_EQ(call.buffer().statistics().frames_dropped, 0U);
  EXPECT_EQ(call.buffer().statistics().packets_lost, 0U);
  EXPECT_EQ(call.frames_received() + 1, call.frames_sent());
}

TEST(VideoJitterLinkRoundTrip, LearnedOneGivesMoreFramesUnderLoss) {
  std::size_t learned = 0;
  std::size_t fixed = 0;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    for (const bool learns : {false, true}) {
      VideoCall call(
          {.forward = lossy(0.3), .back = clean(), .seed = seed, .knows_round_trip_time = false});
      if (!learns) call.buffer().set_round_trip_time(milliseconds(100));
      call.run_for(seconds(30));
      (learns ? learned : fixed) += call.frames_received();
    }
  }
  EXPECT_GT(learned, fixed * 105 / 100);
}

// What comes late by itself looks like an early answer. The price of the shorter retry is bounded.
TEST(VideoJitterLinkRoundTrip, ReorderingDoesNotMakeALearnedOneCostly) {
  for (const bool overtaking : {false, true}) {
    test::LinkConfig forward{.loss = 0.02, .delay = kOneWay};
    if (overtaking) {
      forward.jitter = milliseconds(40);
      forward.jitter_keeps_order = false;
    } else {
      forward.reorder = 0.1;
      forward.reorder_delay = milliseconds(25);
    }
    std::uint64_t answered[2] = {};
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
      for (const bool learns : {false, true}) {
        VideoJitterConfig buffer;
        buffer.nack_reorder_wait = milliseconds(10);
        VideoCall call({.forward = forward,
                        .back = clean(),
                        .buffer = buffer,
                        .seed = seed,
                        .knows_round_trip_time = false});
        if (!learns) call.buffer().set_round_trip_time(milliseconds(100));
        call.run_for(seconds(30));
        answered[learns ? 1 : 0] += call.answered();
        EXPECT_EQ(call.buffer().statistics().frames_dropped, 0U);
      }
    }
    EXPECT_LE(answered[1], answered[0] * 110 / 100);
    RecordProperty(overtaking ? "overtaking" : "reorder",
                   std::to_string(answered[0]) + " " + std::to_string(answered[1]));
  }
}

TEST(VideoJitterLinkDuplicates, DuplicatesAreCountedAsSuch) {
  VideoCall call({.forward = {.delay = kOneWay, .duplicate = 0.05}});
  call.run_for(seconds(20));
  const auto& link = call.forward().statistics();
  EXPECT_EQ(call.buffer().statistics().packets_duplicated, link.duplicated);
  EXPECT_EQ(call.buffer().statistics().packets_discarded, 0U);
}

// Any mixture of faults, changing all the time.
TEST(VideoJitterLinkRandom, AnyNetworkGivesOnlyWholeFramesAndVideoComesBack) {
  for (std::uint64_t seed = 100; seed < 140; ++seed) {
    SCOPED_TRACE(seed);
    test::Random random(seed);
    VideoJitterConfig buffer;
    if (random.chance(0.3)) buffer.max_packets = 128;
    if (random.chance(0.3)) buffer.nack_max_packets = 16;
    if (random.chance(0.3)) buffer.max_bytes = 200'000;
    VideoCall call({.forward = clean(),
                    .back = clean(),
                    .buffer = buffer,
                    .seed = seed,
                    .key_frame_every = random.chance(0.5) ? 50 : 0,
                    .first_sequence = static_cast<std::uint16_t>(random.next()),
                    .first_timestamp = static_cast<std::uint32_t>(random.next())});
    for (int phase = 0; phase < 8; ++phase) {
      const auto link = [&] {
        return test::LinkConfig{
            .loss = random.chance(0.5) ? random.uniform() * 0.4 : 0,
            .burst = random.chance(0.3) ? random.uniform() * 0.02 : 0,
            .mean_burst_length = random.uniform() * 40,
            .delay = milliseconds(random.below(100)),
            .jitter = milliseconds(random.below(200)),
            .jitter_keeps_order = random.chance(0.7),
            .reorder = random.chance(0.5) ? 0.1 : 0,
            .duplicate = random.chance(0.5) ? 0.05 : 0,
        };
      };
      call.configure_links(link(), link());
      call.run_for(milliseconds(200 + random.below(2000)));
    }
    call.configure_links(clean(), clean());
    call.run_for(seconds(2));
    if (HasFatalFailure()) return;
    EXPECT_GE(call.last_frame() + 3, call.frames_sent());
  }
}

}  // namespace
}  // namespace sealroom::jitter
