// The half of the audio jitter buffer that serves a player with a clock of its own.

#include <algorithm>

#include "audio_jitter_state.h"

namespace sealroom::jitter {
namespace {

using std::chrono::milliseconds;

constexpr int kMaxUnderruns = 10;  // then the player waits for a target delay of packets again

constexpr Duration kExpandOffset = milliseconds(85);  // constants of NetEq's decision logic
constexpr Duration kLimitDistance = milliseconds(20);
constexpr Duration::rep kLevelSmoothing = 50;  // frames, as NetEq's filter at a target of 20 ms

}  // namespace

PlayoutHint playout_hint(Duration buffered, Duration target) {
  const Duration low = std::max(target * 3 / 4, target - kExpandOffset);
  const Duration high = std::max(target, low + kLimitDistance);
  if (buffered > high) return PlayoutHint::accelerate;
  return buffered < low ? PlayoutHint::expand : PlayoutHint::normal;
}

Playout AudioJitterBuffer::State::pull(AudioFrame& frame, TimePoint now) {
  if (!config.pull) return Playout::filling;
  if (is_filling(now)) {
    ++pauses_;
    return Playout::filling;
  }
  const bool has_just_begun = !is_playing_;
  is_playing_ = true;
  while (next_ <= newest_) {
    const StoredPacket* packet = store_.find(next_);
    if (packet == nullptr && pauses_ > 0) {  // the player has been through this place already
      --pauses_;
      ++statistics.packets_lost;
      ready_end_ = ++next_;
      continue;
    }
    if (packet == nullptr) {
      conceal(frame);
      ready_end_ = next_;
      note_level();
      return Playout::missing;
    }
    const bool is_padding = packet->size == 0;
    if (!is_padding) {
      deliver(*packet, frame);
      count_emitted(*packet, now);
    }
    store_.release(next_++);
    ready_end_ = next_;
    if (is_padding) continue;
    underruns_ = 0;
    pauses_ = 0;
    if (has_just_begun) statistics.buffered_delay = delay_.target();
    note_level();
    return Playout::frame;
  }
  return underrun();
}

bool AudioJitterBuffer::State::is_filling(TimePoint now) const {
  if (is_playing_) return false;
  return filling_since_ == kNever || now < filling_since_ + delay_.target();
}

Playout AudioJitterBuffer::State::underrun() {
  ++pauses_;
  if (++underruns_ > kMaxUnderruns) {
    underruns_ = 0;
    is_playing_ = false;
    filling_since_ = kNever;
    return Playout::filling;
  }
  note_level();
  count_concealed();
  return Playout::underrun;
}

// Between what has just been handed out and the newest packet, smoothed over about a second.
void AudioJitterBuffer::State::note_level() {
  Duration level{};
  if (next_ <= newest_) {
    const StoredPacket* newest = store_.find(newest_);
    const std::uint32_t ticks = newest->timestamp.value - last_timestamp_.value;
    if (ticks < config.clock_rate * 60) {
      level = Duration(std::int64_t{ticks} * 1'000'000 / config.clock_rate);
    }
  }
  statistics.buffered_delay += (level - statistics.buffered_delay) / kLevelSmoothing;
}

PlayoutHint AudioJitterBuffer::State::hint() const {
  if (!is_playing_) return PlayoutHint::normal;
  return playout_hint(statistics.buffered_delay, delay_.target());
}

}  // namespace sealroom::jitter
