#include "video_jitter_state.h"

#include <algorithm>

namespace sealroom::jitter {
namespace {

// A frame of high quality must fit; half the range of sequence numbers must not be reached.
constexpr std::size_t kMinPackets = 16;
constexpr std::size_t kMaxPackets = 16384;
constexpr std::size_t kMinBytes = 1500;  // a packet

VideoJitterConfig clamp_config(VideoJitterConfig config) {
  config.max_packets = std::clamp(config.max_packets, kMinPackets, kMaxPackets);
  config.max_bytes = std::max(config.max_bytes, kMinBytes);
  return config;
}

NackConfig nack_config(const VideoJitterConfig& config) {
  return {.retry = config.nack_retry,
          .reorder_wait = config.nack_reorder_wait,
          .max_age = config.max_gap_wait,
          .max_tries = config.nack_max_tries,
          .max_packets = std::min(config.nack_max_packets, config.max_packets)};
}

}  // namespace

VideoJitterBuffer::State::State(VideoJitterConfig given)
    : config(clamp_config(given)),
      nacks(nack_config(config)),
      line_(static_cast<std::int64_t>(config.max_packets)) {}

// A clock that goes back delays the next key-frame request by one interval at most.
void VideoJitterBuffer::State::note_time(TimePoint now) {
  latest_ = now;
  last_request_ = std::min(last_request_, now);
  candidate_progress_ = std::min(candidate_progress_, now);
}

void VideoJitterBuffer::State::insert(const VideoPacket& packet, TimePoint now) {
  note_time(now);
  ++statistics.packets_received;
  if (packet.payload.size() > kMaxPayload) {
    ++statistics.packets_discarded;
    insert_unusable(packet.sequence_number, now);
    return;
  }
  std::int64_t sequence = 0;
  const SequenceLine::Verdict verdict = line_.place(packet.sequence_number, now, sequence);
  if (verdict == SequenceLine::Verdict::stray) {
    ++statistics.packets_discarded;
    return;
  }
  if (verdict == SequenceLine::Verdict::restarted) restart(sequence);
  if (sequence < floor_ && may_begin_at(sequence, packet)) floor_ = sequence;
  if (sequence < floor_ || store_.find(sequence) != nullptr) {
    ++(store_.has_seen(sequence) ? statistics.packets_duplicated : statistics.packets_discarded);
    return;
  }
  if (!make_room(sequence, packet.payload.size())) {
    ++statistics.packets_discarded;
    return;
  }
  const bool is_in_turn = in_chain_ && sequence == main_.next;
  StoredPacket& stored = is_in_turn ? store_.put_without_payload(sequence, packet.payload.size())
                                    : store_.put(sequence, packet.payload);
  stored.arrival = now;
  stored.timestamp = packet.timestamp;
  stored.marker = packet.marker;
  stored.starts_frame = packet.starts_frame;
  stored.is_key_frame =
      packet.is_key_frame || (packet.marker && packet.signs.are_of_parameters_only());
  stored.may_be_preceded = packet.may_be_preceded;
  stored.signs = packet.signs;

  const std::uint64_t given_up_before = nacks.given_up();
  if (nacks.packet_received(sequence, now) == NackGenerator::Arrival::recovered) {
    ++statistics.packets_recovered;
  }
  const bool may_start_chain = packet.starts_frame && !packet.payload.empty() &&
                               (stored.is_key_frame || packet.signs.can_begin);
  if (may_start_chain) add_candidate(sequence, packet);
  if (in_chain_) {
    if (is_in_turn) {
      incoming_sequence_ = sequence;
      incoming_ = packet.payload;
    }
    if (is_in_turn || nacks.given_up() != given_up_before) advance_main(now);
    if (incoming_sequence_ != kNone) {  // it did not continue the frame
      incoming_sequence_ = kNone;
      if (StoredPacket* kept = store_.find(sequence)) store_.fill(*kept, packet.payload);
    }
  } else {
    advance_candidates_at(sequence, now);
    if (!in_chain_) forget_outdated(now);
  }
}

// Then it is neither there nor waited for, as one that was given up.
void VideoJitterBuffer::State::insert_unusable(std::uint16_t sequence_number, TimePoint now) {
  note_time(now);
  std::int64_t sequence = 0;
  const SequenceLine::Verdict verdict = line_.place(sequence_number, now, sequence);
  if (verdict == SequenceLine::Verdict::stray) return;
  if (verdict == SequenceLine::Verdict::restarted) restart(sequence);
  if (sequence < floor_ || store_.find(sequence) != nullptr || !make_room(sequence, 0)) return;
  (void)nacks.packet_received(sequence, now);
  if (in_chain_) {
    advance_main(now);
  } else {
    advance_candidates_at(sequence, now);
    if (!in_chain_) forget_outdated(now);
  }
}

void VideoJitterBuffer::State::handle_timeout(TimePoint now) {
  note_time(now);
  const std::uint64_t given_up_before = nacks.given_up();
  nacks.handle_timeout(now);
  if (nacks.given_up() != given_up_before) {
    if (in_chain_) {
      advance_main(now);
    } else {
      advance_all_candidates(now);
    }
  }
  if (now >= key_frame_request_due()) request_is_pending_ = true;
}

TimePoint VideoJitterBuffer::State::next_timeout() const {
  if (in_chain_ || request_is_pending_) return nacks.next_timeout();
  return std::min(nacks.next_timeout(), key_frame_request_due());
}

bool VideoJitterBuffer::State::pop(VideoFrame& frame) {
  if (ready_.empty()) return false;
  const FrameCursor& source = ready_.front().cursor;
  frame.data.swap(ready_.front().data);
  if (spare_.capacity() < ready_.front().data.capacity()) spare_.swap(ready_.front().data);
  ready_.front().data = Bytes();
  frame.timestamp = source.timestamp;
  frame.first_sequence_number = static_cast<std::uint16_t>(source.first);
  frame.last_sequence_number = static_cast<std::uint16_t>(source.last);
  frame.is_key_frame = source.is_key_frame;
  frame.first_packet_arrival = source.earliest_arrival;
  frame.completed_at = source.latest_arrival;
  release(source.begin, source.next);
  ready_.pop_front();
  ++statistics.frames_delivered;
  return true;
}

// Never from the first packet on: whoever joins hears the middle of a frame first. Not while a key
// frame comes in.
TimePoint VideoJitterBuffer::State::key_frame_request_due() const {
  if (in_chain_ || !started_) return kNever;
  TimePoint due = TimePoint::min();
  if (last_request_ != TimePoint::min()) due = last_request_ + config.key_frame_interval;
  if (candidate_count_ > 0) due = std::max(due, candidate_progress_ + config.key_frame_interval);
  return due;
}

bool VideoJitterBuffer::State::take_key_frame_request(TimePoint now) {
  note_time(now);
  request_is_pending_ = false;
  if (now < key_frame_request_due()) return false;
  last_request_ = now;
  ++statistics.key_frame_requests;
  return true;
}

void VideoJitterBuffer::State::require_key_frame() {
  while (!ready_.empty() && !ready_.front().cursor.is_key_frame) drop_ready_front();
  if (!ready_.empty()) return;
  const bool key_frame_is_next = main_.is_open && main_.is_key_frame;
  if (in_chain_ && !key_frame_is_next) lose_chain(latest_);
}

void VideoJitterBuffer::State::drop_ready_front() {
  release(ready_.front().cursor.begin, ready_.front().cursor.next);
  ready_.front().data = Bytes();
  ready_.pop_front();
  ++statistics.frames_dropped;
}

void VideoJitterBuffer::State::update_statistics() {
  statistics.packets_lost = nacks.given_up();
  statistics.nacks_sent = nacks.requested();
}

// True for a place that is empty and that nobody will fill any more.
bool VideoJitterBuffer::State::is_hopeless(std::int64_t sequence) const {
  return sequence <= nacks.newest() && store_.find(sequence) == nullptr &&
         !nacks.is_waiting_for(sequence);
}

// With a key frame underway only what may be its beginning, or tell where it is.
bool VideoJitterBuffer::State::may_begin_at(std::int64_t sequence,
                                            const VideoPacket& packet) const {
  if (!is_fresh_ || floor_ - sequence > kStartReordering) return false;
  if (candidate_count_ == 0 || !candidates_[0].start_is_sure) return true;
  return packet.starts_frame && !packet.marker && packet.timestamp == candidates_[0].timestamp;
}

void VideoJitterBuffer::State::restart(std::int64_t sequence) {
  if (started_) {
    while (!ready_.empty()) drop_ready_front();
    drop_until(nacks.newest() + 1);
  }
  store_.clear();
  nacks.restart();
  candidate_count_ = 0;
  in_chain_ = false;
  assembly_.clear();
  started_ = true;
  is_fresh_ = true;
  floor_ = sequence;
}

// Drop-oldest: a reader that does not read loses frames, never the newest packet, and goes on with
// a key frame.
bool VideoJitterBuffer::State::make_room(std::int64_t sequence, std::size_t size) {
  while (sequence - begin() >= static_cast<std::int64_t>(config.max_packets) ||
         store_.bytes() + size > config.max_bytes) {
    if (!drop_oldest()) break;
  }
  return sequence >= floor_ && store_.bytes() + size <= config.max_bytes;
}

bool VideoJitterBuffer::State::drop_oldest() {
  const std::size_t packets_before = store_.packets();
  bool dropped = true;
  if (!ready_.empty()) {
    drop_ready_front();
    require_key_frame();
  } else if (in_chain_) {
    lose_chain(latest_);
  } else if (candidate_count_ > 1) {
    remove_candidates(0, 1);
    drop_until(first_needed());
  } else {
    candidate_count_ = 0;
    dropped = floor_ <= nacks.newest();
    if (dropped) drop_until(floor_ + 1);
  }
  statistics.packets_discarded += packets_before - store_.packets();
  return dropped;
}

}  // namespace sealroom::jitter
