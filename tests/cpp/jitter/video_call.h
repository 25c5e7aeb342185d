#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "sealroom/jitter/video_jitter_buffer.h"
#include "support/netem.h"
#include "video_packets.h"

namespace sealroom::jitter {

/// What goes back: a NACK for some packets, or a key-frame request if `nacks` is empty.
struct Feedback {
  std::vector<std::uint16_t> nacks;
};

struct CallConfig {
  test::LinkConfig forward{};
  test::LinkConfig back{};
  VideoJitterConfig buffer{};
  std::uint64_t seed = 1;
  int frames_per_second = 30;
  int key_frame_every = 0;  ///< frames; 0: the first and those asked for
  std::uint16_t first_sequence = 100;
  std::uint32_t first_timestamp = 1000;
  bool knows_round_trip_time = true;
  double padding = 0.1;                              ///< that a packet of padding follows a frame
  Duration pacing = std::chrono::microseconds(200);  ///< between packets of one frame
};

/// A sender and a jitter buffer over two links, in simulated time. Every frame that comes out is
/// held against what was sent: the same bytes, in order, and either directly behind the one before
/// or a key frame.
class VideoCall {
 public:
  explicit VideoCall(CallConfig config)
      : config_(config),
        random_(config.seed),
        forward_(config.forward, config.seed * 2 + 1),
        back_(config.back, config.seed * 2 + 2),
        buffer_(config.buffer) {
    if (!config.knows_round_trip_time) return;
    buffer_.set_round_trip_time(config.forward.delay + config.back.delay +
                                config.forward.jitter / 2 + config.back.jitter / 2);
  }

  /// Events happen one by one, each at its exact time.
  void run_until(TimePoint end) {
    while (true) {
      const TimePoint next = std::min({next_frame_at_, next_packet_at(), forward_.next_arrival(),
                                       back_.next_arrival(), buffer_.next_timeout()});
      if (next > end || ::testing::Test::HasFatalFailure()) break;
      now_ = std::max(now_, next);
      step();
    }
    now_ = std::max(now_, end);
  }
  void run_for(Duration duration) { run_until(now_ + duration); }

  void configure_links(test::LinkConfig forward, test::LinkConfig back) {
    forward_.configure(forward);
    back_.configure(back);
  }

  VideoJitterBuffer& buffer() { return buffer_; }
  std::uint64_t answered() const { return answered_; }  ///< retransmissions
  test::Link<TestPacket>& forward() { return forward_; }
  TimePoint now() const { return now_; }
  std::size_t frames_sent() const { return frames_.size(); }
  std::size_t frames_received() const { return received_; }
  std::size_t last_frame() const { return last_index_; }
  Duration longest_stall() const { return longest_stall_; }  ///< between two frames that came out
  TimePoint last_frame_at() const { return last_frame_at_; }
  Duration longest_wait() const {
    return longest_wait_;
  }  ///< from a frame's last packet to its pop

 private:
  struct Frame {
    Bytes data;
    std::uint32_t timestamp = 0;
    bool is_key_frame = false;
  };

  [[nodiscard]] TimePoint next_packet_at() const { return queue_.empty() ? kNever : next_packet_; }

  void step() {
    if (now_ >= next_frame_at_) encode_frame();
    if (now_ >= next_packet_at()) {
      const TestPacket packet = queue_.front();
      queue_.erase(queue_.begin());
      next_packet_ = now_ + config_.pacing;
      history_[packet.sequence_number] = packet;
      forward_.send(packet, now_);
    }
    Feedback feedback;
    while (back_.receive(now_, feedback)) answer(feedback);
    TestPacket packet;
    while (forward_.receive(now_, packet)) {
      buffer_.insert(packet.view(), now_);
      drain();
    }
    buffer_.handle_timeout(now_);
    drain();
    ASSERT_GT(buffer_.next_timeout(), now_);
  }

  void encode_frame() {
    const std::size_t number = frames_.size();
    const bool is_key_frame = number == 0 || key_frame_wanted_ ||
                              (config_.key_frame_every > 0 &&
                               number % static_cast<std::size_t>(config_.key_frame_every) == 0);
    key_frame_wanted_ = false;
    const int count =
        static_cast<int>(is_key_frame ? random_.between(20, 60) : random_.between(1, 8));
    Frame frame;
    frame.timestamp = config_.first_timestamp +
                      static_cast<std::uint32_t>(
                          number * 90000 / static_cast<std::size_t>(config_.frames_per_second));
    frame.is_key_frame = is_key_frame;
    if (queue_.empty()) next_packet_ = now_;
    for (int i = 0; i < count; ++i) {
      TestPacket packet;
      packet.sequence_number = next_sequence_++;
      packet.timestamp.value = frame.timestamp;
      packet.marker = i == count - 1;
      packet.starts_frame = i == 0;
      packet.is_key_frame = is_key_frame;
      packet.payload.resize(random_.between(1, 1200));
      for (std::uint8_t& byte : packet.payload) byte = static_cast<std::uint8_t>(random_.next());
      frame.data.insert(frame.data.end(), packet.payload.begin(), packet.payload.end());
      queue_.push_back(packet);
    }
    if (random_.chance(config_.padding)) {
      TestPacket padding;
      padding.sequence_number = next_sequence_++;
      padding.timestamp.value = frame.timestamp;
      queue_.push_back(padding);
    }
    index_of_[frame.timestamp] = number;
    frames_.push_back(std::move(frame));
    next_frame_at_ += Duration(1'000'000 / config_.frames_per_second);
  }

  void answer(const Feedback& feedback) {
    if (feedback.nacks.empty()) key_frame_wanted_ = true;
    for (const std::uint16_t sequence : feedback.nacks) {
      const auto found = history_.find(sequence);
      ASSERT_NE(found, history_.end()) << "asked for a packet that was never sent: " << sequence;
      forward_.send(found->second, now_);
      ++answered_;
    }
  }

  void drain() {
    VideoFrame frame;
    while (buffer_.pop(frame)) check(frame);
    std::array<std::uint16_t, 64> out{};
    while (const std::size_t count = buffer_.take_nacks(now_, out)) {
      back_.send({{out.begin(), out.begin() + static_cast<std::ptrdiff_t>(count)}}, now_);
    }
    if (buffer_.take_key_frame_request(now_)) back_.send({}, now_);
  }

  void check(const VideoFrame& frame) {
    const auto found = index_of_.find(frame.timestamp.value);
    ASSERT_NE(found, index_of_.end());
    const std::size_t index = found->second;
    const Frame& sent = frames_[index];
    ASSERT_EQ(frame.data, sent.data) << "frame " << index;
    ASSERT_EQ(frame.is_key_frame, sent.is_key_frame);
    if (received_ == 0) {
      ASSERT_TRUE(sent.is_key_frame);
    } else {
      ASSERT_GT(index, last_index_);
      ASSERT_TRUE(index == last_index_ + 1 || sent.is_key_frame) << "a hole before frame " << index;
    }
    if (received_ > 0) longest_stall_ = std::max(longest_stall_, now_ - last_frame_at_);
    last_index_ = index;
    last_frame_at_ = now_;
    longest_wait_ = std::max(longest_wait_, now_ - frame.completed_at);
    ++received_;
  }

  CallConfig config_;
  test::Random random_;
  test::Link<TestPacket> forward_;
  test::Link<Feedback> back_;
  VideoJitterBuffer buffer_;
  TimePoint now_{};

  TimePoint next_frame_at_{};
  TimePoint next_packet_{};
  std::vector<TestPacket> queue_;
  std::uint16_t next_sequence_ = config_.first_sequence;
  std::map<std::uint16_t, TestPacket> history_;
  std::vector<Frame> frames_;
  std::map<std::uint32_t, std::size_t> index_of_;
  bool key_frame_wanted_ = false;

  std::uint64_t answered_ = 0;
  std::size_t received_ = 0;
  std::size_t last_index_ = 0;
  TimePoint last_frame_at_{};
  Duration longest_wait_{};
  Duration longest_stall_{};
};

}  // namespace sealroom::jitter
