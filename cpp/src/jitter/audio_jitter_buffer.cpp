#include "sealroom/jitter/audio_jitter_buffer.h"

#include <algorithm>

#include "delay_tracker.h"
#include "packet_store.h"
#include "sequence_line.h"

namespace sealroom::jitter {
namespace {

constexpr std::size_t kMinPackets = 16;
constexpr std::size_t kMaxPackets = 16384;  // less than half the range of sequence numbers
constexpr int kMaxMissingFrames = 10;

static_assert(AudioJitterBuffer::kMaxPayload == PacketStore::kMaxPayload);

}  // namespace

/// What may leave lies in [next_, ready_end_): places without a packet there leave as missing
/// frames. From ready_end_, which is empty, to newest_ packets wait for the hole to be filled.
/// Nothing is handed out before pop(), so a late packet still takes its place as long as nobody
/// read past it.
struct AudioJitterBuffer::State {
  explicit State(AudioJitterConfig given)
      : config(given),
        delay(config.clock_rate, config.min_target_delay, config.max_target_delay),
        line(static_cast<std::int64_t>(config.max_packets)) {
    statistics.target_delay = delay.target();
  }

  void insert(const AudioPacket& packet, TimePoint now);
  void handle_timeout(TimePoint now);
  [[nodiscard]] TimePoint next_timeout() const {
    return waiting_since == kNever ? kNever : waiting_since + delay.target();
  }
  bool pop(AudioFrame& frame);

  AudioJitterConfig config;
  AudioJitterStatistics statistics;

 private:
  void restart(std::int64_t sequence);
  bool make_room(std::int64_t sequence, std::size_t size);
  void advance_ready();
  void deliver(const StoredPacket& packet, AudioFrame& frame);
  bool conceal(AudioFrame& frame);

  PacketStore store;
  DelayTracker delay;
  SequenceLine line;
  std::int64_t next = 0;
  std::int64_t ready_end = 0;
  std::int64_t newest = -1;
  TimePoint waiting_since = kNever;  ///< earliest arrival of those behind the hole

  RtpTimestamp last_timestamp{};
  int missing_frames = 0;  ///< handed out of the present hole
};

void AudioJitterBuffer::State::insert(const AudioPacket& packet, TimePoint now) {
  ++statistics.packets_received;
  std::int64_t sequence = 0;
  const SequenceLine::Verdict verdict = packet.payload.size() > kMaxPayload
                                            ? SequenceLine::Verdict::stray
                                            : line.place(packet.sequence_number, now, sequence);
  if (verdict == SequenceLine::Verdict::stray) {
    ++statistics.packets_discarded;
    return;
  }
  if (verdict == SequenceLine::Verdict::restarted) restart(sequence);
  if (store.has_seen(sequence)) {
    ++statistics.packets_duplicated;
    return;
  }
  delay.packet_received(packet.timestamp,
                        now);  // also what is too late: the target is to grow from it
  statistics.target_delay = delay.target();
  if (sequence < next || !make_room(sequence, packet.payload.size())) {
    ++statistics.packets_discarded;
    return;
  }
  StoredPacket& stored = store.put(sequence, packet.payload);
  stored.arrival = now;
  stored.timestamp = packet.timestamp;
  newest = std::max(newest, sequence);
  advance_ready();
  handle_timeout(now);
}

void AudioJitterBuffer::State::handle_timeout(TimePoint now) {
  while (now >= next_timeout()) {
    std::int64_t last_due = ready_end;
    for (std::int64_t sequence = ready_end; sequence <= newest; ++sequence) {
      const StoredPacket* packet = store.find(sequence);
      if (packet != nullptr && now >= packet->arrival + delay.target()) last_due = sequence;
    }
    ready_end = last_due + 1;
    waiting_since = kNever;
    advance_ready();
  }
}

bool AudioJitterBuffer::State::pop(AudioFrame& frame) {
  while (next < ready_end) {
    const std::int64_t sequence = next;
    const StoredPacket* packet = store.find(sequence);
    if (packet == nullptr) {
      if (conceal(frame)) return true;
      continue;
    }
    ++next;
    missing_frames = 0;
    const bool is_padding = packet->size == 0;
    if (!is_padding) deliver(*packet, frame);
    store.release(sequence);
    if (!is_padding) return true;
  }
  return false;
}

void AudioJitterBuffer::State::deliver(const StoredPacket& packet, AudioFrame& frame) {
  const ByteView payload = store.payload(packet);
  frame.data.assign(payload.begin(), payload.end());
  frame.timestamp = packet.timestamp;
  frame.sequence_number = static_cast<std::uint16_t>(packet.sequence);
  frame.is_missing = false;
  frame.arrival = packet.arrival;
  last_timestamp = packet.timestamp;
  ++statistics.frames_delivered;
}

// One place of a hole: a missing frame, its timestamp in even steps to the packet behind, or
// nothing past the limit.
bool AudioJitterBuffer::State::conceal(AudioFrame& frame) {
  const std::int64_t sequence = next++;
  ++statistics.packets_lost;
  if (missing_frames == kMaxMissingFrames) return false;
  ++missing_frames;
  std::int64_t behind = next;
  while (store.find(behind) == nullptr) ++behind;  // a ready stretch ends with a packet
  const StoredPacket* packet = store.find(behind);
  const auto distance = static_cast<std::int32_t>(packet->timestamp.value - last_timestamp.value);
  const auto steps = static_cast<std::int32_t>(behind - sequence + 1);
  if (distance > 0) last_timestamp.value += static_cast<std::uint32_t>(distance / steps);
  frame.data.clear();
  frame.timestamp = last_timestamp;
  frame.sequence_number = static_cast<std::uint16_t>(sequence);
  frame.is_missing = true;
  frame.arrival = packet->arrival;
  return true;
}

void AudioJitterBuffer::State::restart(std::int64_t sequence) {
  statistics.packets_discarded += store.packets();
  store.clear();
  next = ready_end = sequence;
  newest = sequence - 1;
  waiting_since = kNever;
  missing_frames = 0;
}

// Drop-oldest: a reader that does not read loses the past.
bool AudioJitterBuffer::State::make_room(std::int64_t sequence, std::size_t size) {
  while (next <= newest && (sequence - next >= static_cast<std::int64_t>(config.max_packets) ||
                            store.bytes() + size > config.max_bytes)) {
    if (store.find(next) != nullptr) ++statistics.packets_discarded;
    store.release(next++);
    missing_frames = 0;
  }
  if (ready_end < next) {
    ready_end = next;
    waiting_since = kNever;
    advance_ready();
  }
  return sequence >= next;
}

void AudioJitterBuffer::State::advance_ready() {
  const std::int64_t before = ready_end;
  while (store.find(ready_end) != nullptr) ++ready_end;
  if (ready_end > newest) {
    waiting_since = kNever;
  } else if (ready_end != before || waiting_since == kNever) {
    waiting_since = kNever;
    for (std::int64_t sequence = ready_end; sequence <= newest; ++sequence) {
      const StoredPacket* packet = store.find(sequence);
      if (packet != nullptr) waiting_since = std::min(waiting_since, packet->arrival);
    }
  }
}

AudioJitterBuffer::AudioJitterBuffer(AudioJitterConfig config) {
  config.max_packets = std::clamp(config.max_packets, kMinPackets, kMaxPackets);
  config.max_bytes = std::max(config.max_bytes, kMaxPayload);
  state_ = std::make_unique<State>(config);
}
AudioJitterBuffer::~AudioJitterBuffer() = default;
AudioJitterBuffer::AudioJitterBuffer(AudioJitterBuffer&&) noexcept = default;
AudioJitterBuffer& AudioJitterBuffer::operator=(AudioJitterBuffer&&) noexcept = default;

void AudioJitterBuffer::insert(const AudioPacket& packet, TimePoint now) {
  state_->insert(packet, now);
}
void AudioJitterBuffer::handle_timeout(TimePoint now) { state_->handle_timeout(now); }
TimePoint AudioJitterBuffer::next_timeout() const { return state_->next_timeout(); }
bool AudioJitterBuffer::pop(AudioFrame& frame) { return state_->pop(frame); }
const AudioJitterStatistics& AudioJitterBuffer::statistics() const { return state_->statistics; }

}  // namespace sealroom::jitter
