// A protected call over a bad network in simulated time: two whole sessions, packets and feedback
// both ways.

#include <gtest/gtest.h>

#include <map>

#include "session/support.h"
#include "support/backends.h"
#include "support/netem.h"

namespace sealroom::session {
namespace {

using sealroom::test::Link;
using sealroom::test::LinkConfig;
using test::vp8_frame;

constexpr Duration kFrameInterval(33'333);

class LossyCall {
 public:
  LossyCall(crypto::Backend backend, LinkConfig config, std::uint64_t seed, bool rtx = false)
      : pair_(backend), forth_(config, seed), back_(config, seed + 1) {
    pair_.add_video(true, rtx);
  }

  void configure(LinkConfig config) {
    forth_.configure(config);
    back_.configure(config);
  }

  /// Sends frames for `duration`; every 60th, and whichever the receiver asks for, is a key frame.
  void run(Duration duration) {
    const TimePoint end = pair_.now + duration;
    while (pair_.now < end) {
      if (pair_.now >= next_frame_) send_frame();
      step();
    }
  }

  /// Lets what is underway arrive, without new frames.
  void settle(Duration duration) {
    const TimePoint end = pair_.now + duration;
    while (pair_.now < end) step();
  }

  struct Delivery {
    std::uint32_t timestamp;
    TimePoint at;
  };

  std::map<std::uint32_t, Bytes> sent;
  std::vector<Delivery> delivered;
  std::uint64_t damaged = 0;

  [[nodiscard]] TimePoint now() const { return pair_.now; }
  [[nodiscard]] ReceiverStatistics received() const {
    return pair_.bob.receiver_statistics(pair_.video_receiver).value();
  }
  [[nodiscard]] std::uint64_t lost_packets() const { return forth_.statistics().lost; }

 private:
  void send_frame() {
    const bool key = number_ % 60 == 0 || wants_key_frame_;
    wants_key_frame_ = false;
    const std::uint32_t timestamp = 0xfffff000U + number_ * 3000U;  // crosses the wrap
    Bytes frame = vp8_frame(key ? 20'000 : 2'500, key, static_cast<std::uint8_t>(number_));
    if (!pair_.send_video(frame, timestamp)) std::abort();
    sent.emplace(timestamp, std::move(frame));
    ++number_;
    next_frame_ = pair_.now + kFrameInterval;
  }

  void step() {
    carry(pair_.alice, forth_);
    carry(pair_.bob, back_);
    TimePoint next = std::min({forth_.next_arrival(), back_.next_arrival(), next_frame_,
                               pair_.alice.next_timeout(), pair_.bob.next_timeout()});
    pair_.now = std::clamp(next, pair_.now + Duration(1), pair_.now + kFrameInterval);
    deliver(forth_, pair_.bob);
    deliver(back_, pair_.alice);
    for (MediaSession* session : {&pair_.alice, &pair_.bob}) {
      if (session->next_timeout() <= pair_.now) session->handle_timeout(pair_.now, wall_clock());
    }
    take_events();
  }

  void carry(MediaSession& from, Link<Bytes>& link) {
    DatagramBatch::Run run;
    while (from.poll_transmit(run)) {
      for (std::size_t at = 0; at < run.data.size(); at += run.segment_size) {
        const ByteView view =
            run.data.subspan(at, std::min(run.segment_size, run.data.size() - at));
        link.send(Bytes(view.begin(), view.end()), pair_.now);
      }
    }
  }

  void deliver(Link<Bytes>& link, MediaSession& to) {
    Bytes datagram;
    bool any = false;
    while (link.receive(pair_.now, datagram)) {
      to.handle_datagram(datagram, pair_.now, wall_clock());
      any = true;
    }
    if (any) to.flush_feedback(pair_.now);
  }

  void take_events() {
    for (Event& event : pair_.events_of(pair_.bob)) {
      if (auto* frame = std::get_if<FrameReceived>(&event)) {
        const auto original = sent.find(frame->timestamp.value);
        damaged += original == sent.end() || original->second != frame->data;
        delivered.push_back({frame->timestamp.value, pair_.now});
      }
    }
    wants_key_frame_ |= !pair_.take<KeyFrameRequested>(pair_.alice).empty();
  }

  [[nodiscard]] NtpTime wall_clock() const {
    const auto us = static_cast<std::uint64_t>((pair_.now - test::kStart).count());
    return NtpTime{test::kWallClock.value + us * (1ULL << 32) / 1'000'000};
  }

  test::Pair pair_;
  Link<Bytes> forth_;
  Link<Bytes> back_;
  TimePoint next_frame_ = test::kStart;
  std::uint32_t number_ = 0;
  bool wants_key_frame_ = false;
};

LinkConfig network(double loss, double reorder) {
  LinkConfig config;
  config.loss = loss;
  config.reorder = reorder;
  config.duplicate = 0.02;
  config.delay = std::chrono::milliseconds(25);
  config.jitter = std::chrono::milliseconds(5);
  return config;
}

class LossyCallTest : public ::testing::TestWithParam<crypto::Backend> {
 protected:
  /// Whole, in order, each once.
  static void expect_faultless(const LossyCall& call) {
    EXPECT_EQ(call.damaged, 0U);
    for (std::size_t i = 1; i < call.delivered.size(); ++i) {
      ASSERT_LT(call.delivered[i - 1].timestamp - 0xfffff000U,
                call.delivered[i].timestamp - 0xfffff000U);
    }
    const ReceiverStatistics statistics = call.received();
    for (const std::uint64_t count : statistics.rejected) EXPECT_EQ(count, 0U);
  }
};

INSTANTIATE_TEST_SUITE_P(Backends, LossyCallTest,
                         ::testing::ValuesIn(sealroom::test::available_backends()),
                         sealroom::test::BackendTestName());

TEST_P(LossyCallTest, FivePercentLossAndReorderingLoseNoFrameOfAMinute) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    LossyCall call(GetParam(), network(0.05, 0.1), seed);
    call.run(std::chrono::seconds(60));
    call.configure({});
    call.settle(std::chrono::seconds(2));
    EXPECT_GT(call.lost_packets(), 200U);
    EXPECT_EQ(call.delivered.size(), call.sent.size()) << "seed " << seed;
    EXPECT_GT(call.received().packets_recovered, 150U);
    expect_faultless(call);
  }
}

TEST_P(LossyCallTest, WithAStreamOfRetransmissionsNoFrameIsLostAndTheLossStaysVisible) {
  LossyCall call(GetParam(), network(0.05, 0.1), 4, true);
  call.run(std::chrono::seconds(60));
  call.configure({});
  call.settle(std::chrono::seconds(2));
  EXPECT_GT(call.lost_packets(), 200U);
  EXPECT_EQ(call.delivered.size(), call.sent.size());
  const ReceiverStatistics received = call.received();
  EXPECT_GT(received.packets_recovered, 150U);
  EXPECT_GE(received.retransmissions_received, received.packets_recovered);
  EXPECT_GT(received.packets_lost, 150);
  expect_faultless(call);
}

TEST_P(LossyCallTest, ThirtyPercentLossDeliversNothingBrokenAndVideoIsBackInASecond) {
  LossyCall call(GetParam(), network(0.3, 0.1), 7);
  call.run(std::chrono::seconds(20));
  call.configure(network(0, 0));
  const TimePoint better = call.now();
  call.run(std::chrono::seconds(3));
  call.settle(std::chrono::seconds(1));
  expect_faultless(call);
  const auto first = std::find_if(call.delivered.begin(), call.delivered.end(),
                                  [&](const auto& one) { return one.at > better; });
  ASSERT_NE(first, call.delivered.end());
  EXPECT_LT(first->at - better, std::chrono::seconds(1));
  EXPECT_GT(call.delivered.size(), call.sent.size() / 2);
}

TEST_P(LossyCallTest, PacketsThatOnlyOvertakeEachOtherAreNotAskedForAgain) {
  LinkConfig config;
  config.delay = std::chrono::milliseconds(20);
  config.jitter = std::chrono::milliseconds(9);
  config.jitter_keeps_order = false;
  LossyCall call(GetParam(), config, 5);
  call.run(std::chrono::seconds(20));
  call.settle(std::chrono::seconds(1));
  EXPECT_EQ(call.delivered.size(), call.sent.size());
  EXPECT_EQ(call.received().nacks_sent, 0U);
  expect_faultless(call);
}

TEST_P(LossyCallTest, VideoComesBackAfterAnOutage) {
  LossyCall call(GetParam(), network(0, 0), 3);
  call.run(std::chrono::seconds(3));
  call.configure(network(1, 0));
  call.run(std::chrono::seconds(4));
  call.configure(network(0, 0));
  const TimePoint back = call.now();
  call.run(std::chrono::seconds(4));
  expect_faultless(call);
  const auto first =
      std::find_if(call.delivered.begin(), call.delivered.end(),
                   [&](const auto& one) { return one.at > back + std::chrono::milliseconds(30); });
  ASSERT_NE(first, call.delivered.end());
  EXPECT_LT(first->at - back, std::chrono::seconds(1));
}

TEST_P(LossyCallTest, ACleanNetworkAddsNoDelay) {
  LinkConfig config;
  config.delay = std::chrono::milliseconds(10);
  LossyCall call(GetParam(), config, 1);
  call.run(std::chrono::seconds(10));
  call.settle(std::chrono::seconds(1));
  ASSERT_EQ(call.delivered.size(), call.sent.size());
  for (const auto& one : call.delivered) {
    const std::uint32_t index = (one.timestamp - 0xfffff000U) / 3000U;
    EXPECT_LE(one.at, test::kStart + (index + 1) * (kFrameInterval + Duration(2)) + config.delay -
                          kFrameInterval + std::chrono::milliseconds(1));
  }
}

}  // namespace
}  // namespace sealroom::session
