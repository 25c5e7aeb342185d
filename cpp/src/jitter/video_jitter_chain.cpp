// The part of the video jitter buffer that follows the chain of frames and loses it.

#include <algorithm>
#include <utility>

#include "video_jitter_state.h"

namespace sealroom::jitter {

void VideoJitterBuffer::State::advance_main(TimePoint now) {
  FrameCursor::Progress progress = assemble();
  while (progress == FrameCursor::Progress::complete) {
    push_ready(main_, now);
    progress = assemble();
  }
  if (!main_.is_open && main_.next > main_.begin) {  // padding between frames
    release(main_.begin, main_.next);
    main_.begin = floor_ = main_.next;
  }
  std::size_t passed = 0;
  while (passed < candidate_count_ && candidates_[passed].frame.begin < main_.next) ++passed;
  remove_candidates(0, passed);
  if (progress == FrameCursor::Progress::broken || is_hopeless(main_.next)) lose_chain(now);
}

FrameCursor::Progress VideoJitterBuffer::State::assemble() {
  const std::int64_t first = main_.next;
  const FrameCursor::Progress progress = main_.advance(store_);
  // Never torn, see is_consistent(); if it were, the chain would be lost rather than a frame wrong.
  return append(first, main_.next) ? progress : FrameCursor::Progress::broken;
}

bool VideoJitterBuffer::State::append(std::int64_t first, std::int64_t end) {
  if (assembly_.empty() && assembly_.capacity() < usual_size_) assembly_.reserve(usual_size_);
  for (; first < end; ++first) {
    const StoredPacket* packet = store_.find(first);
    if (packet == nullptr) return false;
    ByteView payload = incoming_;
    if (first == incoming_sequence_) {
      incoming_sequence_ = kNone;
    } else {
      payload = store_.payload(*packet);
    }
    assembly_.insert(assembly_.end(), payload.begin(), payload.end());
    store_.empty(first);
  }
  return true;
}

void VideoJitterBuffer::State::push_ready(const FrameCursor& frame, TimePoint now) {
  usual_size_ = assembly_.size();
  trim(assembly_);  // max_bytes bounds what is ready by its size
  count_ready(frame, now);
  const std::int64_t next = frame.next;
  ready_.push_back({frame, std::move(assembly_)});
  assembly_ = std::move(spare_);
  assembly_.clear();
  spare_ = Bytes();
  main_ = FrameCursor(next);
  floor_ = next;
}

void VideoJitterBuffer::State::count_ready(const FrameCursor& frame, TimePoint now) {
  ++statistics.frames_received;
  if (frame.is_key_frame) ++statistics.key_frames_received;
  if (frame.last > frame.first) {
    ++statistics.frames_assembled_from_multiple_packets;
    statistics.total_assembly_time += frame.latest_arrival - frame.earliest_arrival;
  }
  ++statistics.jitter_buffer_emitted_count;
  statistics.jitter_buffer_delay += now - frame.earliest_arrival;
  count_freeze(now);
}

// webrtc-stats calls a frame that comes max(3 d, d + 150 ms) after the one before a freeze, d being
// the mean duration of the last 30 frames. Frames that leave together are shown as one.
void VideoJitterBuffer::State::count_freeze(TimePoint now) {
  constexpr Duration kFreezeOffset = std::chrono::milliseconds(150);
  const TimePoint before = std::exchange(last_ready_, now);
  if (before == TimePoint::min() || now <= before) return;
  const Duration interval = now - before;
  const std::size_t known = std::min(interval_count_, kFreezeWindow);
  if (known > 0) {
    const Duration mean = interval_sum_ / static_cast<Duration::rep>(known);
    if (interval >= std::max(3 * mean, mean + kFreezeOffset)) {
      ++statistics.freeze_count;
      statistics.total_freezes_duration += interval;
    }
  }
  Duration& oldest = intervals_[interval_count_++ % kFreezeWindow];
  interval_sum_ += interval - std::exchange(oldest, interval);
}

void VideoJitterBuffer::State::lose_chain(TimePoint now) {
  in_chain_ = false;
  assembly_.clear();
  drop_until(main_.next);
  advance_all_candidates(now);
}

// Without a chain only a key frame counts: what lies before the first one underway, or is too old
// to belong to one whose start may still come, is of no use. Holds the memory of a stream that
// never sends a key frame.
void VideoJitterBuffer::State::forget_outdated(TimePoint now) {
  if (candidate_count_ > 0) {
    drop_until(first_needed());
    return;
  }
  while (floor_ <= nacks.newest()) {
    const StoredPacket* packet = store_.find(floor_);
    if (packet != nullptr ? now - packet->arrival <= config.max_gap_wait
                          : nacks.is_waiting_for(floor_)) {
      return;
    }
    drop_until(floor_ + 1);
  }
}

void VideoJitterBuffer::State::release(std::int64_t first, std::int64_t end) {
  for (; first < end; ++first) store_.release(first);
}

void VideoJitterBuffer::State::drop_until(std::int64_t sequence) {
  for (; floor_ < sequence; ++floor_) {
    is_fresh_ = false;
    const StoredPacket* packet = store_.find(floor_);
    if (packet == nullptr) continue;
    const bool is_another_frame = !has_dropped_ || packet->timestamp != last_dropped_timestamp_;
    if (packet->size > 0 && is_another_frame) {
      ++statistics.frames_dropped;
      has_dropped_ = true;
      last_dropped_timestamp_ = packet->timestamp;
    }
    store_.release(floor_);
  }
  nacks.give_up_before(floor_);
}

}  // namespace sealroom::jitter
