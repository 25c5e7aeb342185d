#include "audio_jitter_state.h"

#include <algorithm>

namespace sealroom::jitter {
namespace {

constexpr std::size_t kMinPackets = 16;
constexpr std::size_t kMaxPackets = 16384;  // less than half the range of sequence numbers
constexpr int kMaxMissingFrames = 10;
constexpr std::uint32_t kLongestFrameDivisor = 8;  // of a second; Opus has at most 120 ms
constexpr std::uint32_t kFramesPerSecond = 50;     // until two packets have told

AudioJitterConfig clamp_config(AudioJitterConfig config) {
  config.clock_rate = std::max<std::uint32_t>(config.clock_rate, kFramesPerSecond);
  config.max_packets = std::clamp(config.max_packets, kMinPackets, kMaxPackets);
  config.max_bytes = std::max(config.max_bytes, AudioJitterBuffer::kMaxPayload);
  return config;
}

double seconds_of(Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

AudioJitterBuffer::State::State(AudioJitterConfig given)
    : config(clamp_config(given)),
      delay_(config.clock_rate, config.min_target_delay, config.max_target_delay),
      line_(static_cast<std::int64_t>(config.max_packets)),
      step_(config.clock_rate / kFramesPerSecond) {
  statistics.target_delay = delay_.target();
}

void AudioJitterBuffer::State::insert(const AudioPacket& packet, TimePoint now) {
  ++statistics.packets_received;
  std::int64_t sequence = 0;
  const SequenceLine::Verdict verdict = packet.payload.size() > kMaxPayload
                                            ? SequenceLine::Verdict::stray
                                            : line_.place(packet.sequence_number, now, sequence);
  if (verdict == SequenceLine::Verdict::stray) {
    ++statistics.packets_discarded;
    return;
  }
  if (verdict == SequenceLine::Verdict::restarted) {
    restart(sequence);
    last_timestamp_ = packet.timestamp;
  }
  if (store_.has_seen(sequence)) {
    ++statistics.packets_duplicated;
    return;
  }
  delay_.packet_received(packet.timestamp,
                         now);  // also what is too late: the target is to grow from it
  statistics.target_delay = delay_.target();
  statistics.clock_drift_ppm = delay_.clock_drift_ppm();
  if (sequence < next_ || !make_room(sequence, packet.payload.size(), now)) {
    ++statistics.packets_discarded;
    return;
  }
  StoredPacket& stored = store_.put(sequence, packet.payload);
  stored.arrival = now;
  stored.timestamp = packet.timestamp;
  newest_ = std::max(newest_, sequence);
  if (knows_gap_end_ && sequence < gap_end_) gap_end_ = sequence;
  measure_step(sequence, packet.timestamp);
  if (config.pull) {
    if (!is_playing_) filling_since_ = std::min(filling_since_, now);
    return;
  }
  if (sequence < ready_end_) {
    count_emitted(stored, now);
  } else if (sequence == ready_end_) {
    advance_ready(now);
  } else {
    waiting_.push_back({sequence, now});
  }
}

void AudioJitterBuffer::State::handle_timeout(TimePoint now) {
  while (now >= next_timeout()) {
    // Everything up to the furthest packet that is due leaves, with the holes before it.
    std::int64_t last_due = ready_end_;
    while (now >= next_timeout()) {
      last_due = std::max(last_due, waiting_.front().sequence);
      waiting_.pop_front();
    }
    for (; ready_end_ <= last_due; ++ready_end_) {
      const StoredPacket* packet = store_.find(ready_end_);
      if (packet != nullptr) count_emitted(*packet, now);
    }
    advance_ready(now);
  }
}

bool AudioJitterBuffer::State::pop(AudioFrame& frame) {
  while (next_ < ready_end_) {
    const StoredPacket* packet = store_.find(next_);
    if (packet == nullptr) {
      if (missing_frames_ < kMaxMissingFrames) {
        conceal(frame);
        return true;
      }
      skip_gap();
      continue;
    }
    const bool is_padding = packet->size == 0;
    if (!is_padding) deliver(*packet, frame);
    missing_frames_ = 0;
    store_.release(next_++);
    if (!is_padding) return true;
  }
  return false;
}

void AudioJitterBuffer::State::deliver(const StoredPacket& packet, AudioFrame& frame) {
  const ByteView payload = store_.payload(packet);
  frame.data.assign(payload.begin(), payload.end());
  frame.timestamp = packet.timestamp;
  frame.sequence_number = static_cast<std::uint16_t>(packet.sequence);
  frame.is_missing = false;
  frame.arrival = packet.arrival;
  last_timestamp_ = packet.timestamp;
  is_concealing_ = false;
  ++statistics.frames_delivered;
}

// One place of a hole: a missing frame, its timestamp in even steps to the packet behind.
void AudioJitterBuffer::State::conceal(AudioFrame& frame) {
  find_gap_end();
  const StoredPacket* packet = store_.find(gap_end_);
  const auto distance = static_cast<std::int32_t>(packet->timestamp.value - last_timestamp_.value);
  const auto steps = static_cast<std::int32_t>(gap_end_ - next_ + 1);
  if (distance > 0) last_timestamp_.value += static_cast<std::uint32_t>(distance / steps);
  frame.data.clear();
  frame.timestamp = last_timestamp_;
  frame.sequence_number = static_cast<std::uint16_t>(next_);
  frame.is_missing = true;
  frame.arrival = packet->arrival;
  ++next_;
  ++missing_frames_;
  ++statistics.packets_lost;
  count_concealed();
}

// next_ is empty and a packet lies behind it.
void AudioJitterBuffer::State::find_gap_end() {
  if (knows_gap_end_ && gap_end_ > next_ && store_.find(gap_end_) != nullptr) return;
  gap_end_ = next_ + 1;
  while (store_.find(gap_end_) == nullptr) ++gap_end_;
  knows_gap_end_ = true;
}

void AudioJitterBuffer::State::skip_gap() {
  find_gap_end();
  statistics.packets_lost += static_cast<std::uint64_t>(gap_end_ - next_);
  next_ = gap_end_;
}

void AudioJitterBuffer::State::restart(std::int64_t sequence) {
  statistics.packets_discarded += store_.packets();
  store_.clear();
  waiting_.clear();
  next_ = ready_end_ = sequence;
  newest_ = sequence - 1;
  missing_frames_ = 0;
  knows_gap_end_ = false;
  has_stepped_ = false;
  is_playing_ = false;
  filling_since_ = kNever;
  pauses_ = 0;
}

// Drop-oldest: a reader that does not read loses the past.
bool AudioJitterBuffer::State::make_room(std::int64_t sequence, std::size_t size, TimePoint now) {
  while (next_ <= newest_ && (sequence - next_ >= static_cast<std::int64_t>(config.max_packets) ||
                              store_.bytes() + size > config.max_bytes)) {
    pass_oldest();
  }
  if (ready_end_ < next_) {
    ready_end_ = next_;
    if (!config.pull) advance_ready(now);
  }
  return sequence >= next_;
}

// The time line goes on from what was dropped: a frame that is missing behind it has its place.
void AudioJitterBuffer::State::pass_oldest() {
  const StoredPacket* packet = store_.find(next_);
  if (packet == nullptr) {
    ++statistics.packets_lost;
    last_timestamp_.value += step_;
  } else {
    ++statistics.packets_discarded;
    if (packet->size > 0) last_timestamp_ = packet->timestamp;
  }
  store_.release(next_++);
  missing_frames_ = 0;
}

void AudioJitterBuffer::State::advance_ready(TimePoint now) {
  while (const StoredPacket* packet = store_.find(ready_end_)) {
    count_emitted(*packet, now);
    ++ready_end_;
  }
  drop_passed_waiting();
}

void AudioJitterBuffer::State::drop_passed_waiting() {
  while (!waiting_.empty() && waiting_.front().sequence < ready_end_) waiting_.pop_front();
}

// How many samples a frame has: the timestamps of two packets that follow each other.
void AudioJitterBuffer::State::measure_step(std::int64_t sequence, RtpTimestamp timestamp) {
  if (has_stepped_ && sequence == stepped_sequence_ + 1) {
    const std::uint32_t step = timestamp.value - stepped_timestamp_.value;
    if (step > 0 && step <= config.clock_rate / kLongestFrameDivisor) step_ = step;
  }
  if (has_stepped_ && sequence < stepped_sequence_) return;
  has_stepped_ = true;
  stepped_sequence_ = sequence;
  stepped_timestamp_ = timestamp;
}

void AudioJitterBuffer::State::count_emitted(const StoredPacket& packet, TimePoint now) {
  if (packet.size == 0) return;
  const auto samples = static_cast<double>(step_);
  statistics.jitter_buffer_emitted_count += step_;
  statistics.jitter_buffer_delay += samples * seconds_of(now - packet.arrival);
  statistics.jitter_buffer_target_delay += samples * seconds_of(delay_.target());
  statistics.jitter_buffer_minimum_delay += samples * seconds_of(delay_.minimum());
}

void AudioJitterBuffer::State::count_concealed() {
  if (!is_concealing_) ++statistics.concealment_events;
  is_concealing_ = true;
  statistics.concealed_samples += step_;
}

}  // namespace sealroom::jitter
