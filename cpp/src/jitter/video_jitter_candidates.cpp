// The part of the video jitter buffer that finds the key frame a new chain of frames begins with.

#include <algorithm>

#include "video_jitter_state.h"

namespace sealroom::jitter {

void VideoJitterBuffer::State::add_candidate(std::int64_t sequence, const VideoPacket& packet) {
  Candidate added;
  added.frame = FrameCursor(sequence);
  added.timestamp = packet.timestamp;
  added.lowest = sequence;
  added.start_is_sure = !packet.may_be_preceded;
  for (std::size_t i = 0; i < candidate_count_; ++i) {
    const Candidate& known = candidates_[i];
    if (known.timestamp != packet.timestamp) continue;
    // A packetizer that sets starts_frame for every slice or layer starts one frame only.
    if (sequence > known.frame.begin) return;
    if (packet.marker) continue;
    // Nor do packets that overtook each other. A neighbour is taken in by settle_start(); another
    // begins earlier than the known one did, so it does not take over its place in the order.
    if (sequence == known.lowest - 1 && !in_chain_) return;
    remove_candidates(i, 1);
    break;
  }
  if (candidate_count_ == kMaxCandidates) {
    if (!packet.is_key_frame) return;  // perhaps none: it takes no key frame's place
    remove_candidates(0, 1);
  }
  std::size_t index = candidate_count_++;
  for (; index > 0 && candidates_[index - 1].frame.begin > sequence; --index) {
    candidates_[index] = candidates_[index - 1];
  }
  candidates_[index] = added;
}

void VideoJitterBuffer::State::remove_candidates(std::size_t first, std::size_t count) {
  std::move(candidates_.begin() + static_cast<std::ptrdiff_t>(first + count),
            candidates_.begin() + static_cast<std::ptrdiff_t>(candidate_count_),
            candidates_.begin() + static_cast<std::ptrdiff_t>(first));
  candidate_count_ -= count;
}

void VideoJitterBuffer::State::advance_candidates_at(std::int64_t sequence, TimePoint now) {
  std::size_t i = 0;
  while (i < candidate_count_) {
    if (candidates_[i].frame.next != sequence && candidates_[i].lowest - 1 != sequence) {
      ++i;
      continue;
    }
    candidate_progress_ = now;
    const Outcome outcome = try_candidate(i, now);
    if (outcome == Outcome::started_chain) return;
    if (outcome == Outcome::waits) ++i;
  }
}

void VideoJitterBuffer::State::advance_all_candidates(TimePoint now) {
  std::size_t i = 0;
  while (i < candidate_count_) {
    const Outcome outcome = try_candidate(i, now);
    if (outcome == Outcome::started_chain) return;
    if (outcome == Outcome::waits) ++i;
  }
  if (candidate_count_ > 0) drop_until(first_needed());
}

VideoJitterBuffer::State::Outcome VideoJitterBuffer::State::try_candidate(std::size_t index,
                                                                          TimePoint now) {
  Candidate& candidate = candidates_[index];
  settle_start(candidate);
  FrameCursor::Progress progress = FrameCursor::Progress::complete;
  if (!candidate.is_whole) progress = candidate.frame.advance(store_);
  candidate.is_whole = progress == FrameCursor::Progress::complete;
  const bool has_hole = !candidate.is_whole && is_hopeless(candidate.frame.next);
  if (progress == FrameCursor::Progress::broken || has_hole || start_is_lost(candidate, now)) {
    remove_candidates(index, 1);
    return Outcome::removed;
  }
  if (!candidate.is_whole || !candidate.start_is_sure) return Outcome::waits;
  if (!candidate.frame.is_key_frame) {  // an I slice without parameter sets
    remove_candidates(index, 1);
    return Outcome::removed;
  }
  const FrameCursor frame = candidate.frame;
  drop_until(frame.begin);
  if (!append(frame.begin, frame.next)) {  // never, see is_consistent()
    assembly_.clear();
    candidate_count_ = 0;
    drop_until(frame.next);
    return Outcome::removed;
  }
  remove_candidates(0, index + 1);
  in_chain_ = true;
  is_fresh_ = false;
  request_is_pending_ = false;
  push_ready(frame, now);
  advance_main(now);
  return Outcome::started_chain;
}

// Goes back from the packet that made the key frame known to the first one of the frame. H.264
// tells an IDR slice, but not whether its parameter sets came before it in a packet of their own:
// that it is the first packet only the one before it shows, by being another frame's.
void VideoJitterBuffer::State::settle_start(Candidate& candidate) {
  while (const StoredPacket* before = store_.seen(candidate.lowest - 1)) {
    // Padding proves nothing, whatever its timestamp, unless it ends a frame as FrameCursor sees
    // it.
    const bool ends_frame = before->marker && before->timestamp == candidate.timestamp;
    const bool is_padding = before->size == 0 && !ends_frame;
    if (!is_padding && !continues(*before, candidate)) {
      candidate.start_is_sure = true;
      return;
    }
    if (candidate.start_is_sure && !before->starts_frame) return;
    if (!is_padding && before->sequence < floor_) return;
    candidate.lowest = before->sequence;
    if (is_padding) continue;
    candidate.is_headless = !before->starts_frame;
    if (candidate.is_headless) continue;
    candidate.start_is_sure |= !before->may_be_preceded;
    take_in(candidate, *before);
  }
}

bool VideoJitterBuffer::State::continues(const StoredPacket& before, const Candidate& candidate) {
  return before.timestamp == candidate.timestamp && !before.marker;
}

void VideoJitterBuffer::State::take_in(Candidate& candidate, const StoredPacket& packet) {
  FrameCursor& frame = candidate.frame;
  if (!frame.is_open) {
    frame = FrameCursor(packet.sequence);
    return;
  }
  frame.begin = frame.first = packet.sequence;
  frame.note_start(packet);
  frame.earliest_arrival = std::min(frame.earliest_arrival, packet.arrival);
  frame.latest_arrival = std::max(frame.latest_arrival, packet.arrival);
}

// Before the first packet of the stream nothing is missing by itself, so it is asked for here.
bool VideoJitterBuffer::State::start_is_lost(const Candidate& candidate, TimePoint now) {
  if (candidate.start_is_sure) return candidate.is_headless;
  const std::int64_t before = candidate.lowest - 1;
  if (before < floor_ && is_fresh_) {
    nacks.expect(before, now);
    floor_ = before;
  }
  return before < floor_ || !nacks.is_waiting_for(before);
}

// Of the packets before the first candidate those that may be of it.
std::int64_t VideoJitterBuffer::State::first_needed() const {
  const Candidate& candidate = candidates_[0];
  if (candidate.start_is_sure) return candidate.frame.begin;
  std::int64_t first = candidate.lowest;
  const std::int64_t limit = std::max(floor_, first - kStartReordering);
  while (first > limit) {
    const StoredPacket* packet = store_.find(first - 1);
    // Parameter sets may begin a key frame before this one, whose slice is still to come.
    const bool is_wanted = packet != nullptr
                               ? packet->size == 0 || continues(*packet, candidate) ||
                                     (packet->starts_frame && packet->signs.has_parameters)
                               : nacks.is_waiting_for(first - 1);
    if (!is_wanted) break;
    --first;
  }
  return first;
}

}  // namespace sealroom::jitter
