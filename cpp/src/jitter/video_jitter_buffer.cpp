#include "sealroom/jitter/video_jitter_buffer.h"

#include <utility>

#include "video_jitter_state.h"

namespace sealroom::jitter {

VideoJitterBuffer::VideoJitterBuffer(VideoJitterConfig config)
    : state_(std::make_unique<State>(config)) {}
VideoJitterBuffer::~VideoJitterBuffer() = default;
VideoJitterBuffer::VideoJitterBuffer(VideoJitterBuffer&&) noexcept = default;
VideoJitterBuffer& VideoJitterBuffer::operator=(VideoJitterBuffer&&) noexcept = default;

void VideoJitterBuffer::insert(const VideoPacket& packet, TimePoint now) {
  state_->insert(packet, now);
  // After the packet: one that comes in the moment its place would be given up still counts.
  if (now >= state_->next_timeout()) state_->handle_timeout(now);
  state_->update_statistics();
  state_->check();
}

void VideoJitterBuffer::insert_unusable(std::uint16_t sequence_number, TimePoint now) {
  state_->insert_unusable(sequence_number, now);
  handle_timeout(now);
}

void VideoJitterBuffer::handle_timeout(TimePoint now) {
  state_->handle_timeout(now);
  state_->update_statistics();
  state_->check();
}

TimePoint VideoJitterBuffer::next_timeout() const { return state_->next_timeout(); }

bool VideoJitterBuffer::pop(VideoFrame& frame) { return state_->pop(frame); }

std::size_t VideoJitterBuffer::take_nacks(TimePoint now, std::span<std::uint16_t> out) {
  const std::size_t count = state_->nacks.take(now, out);
  if (count > 0) ++state_->statistics.nack_count;
  state_->update_statistics();
  return count;
}

bool VideoJitterBuffer::take_key_frame_request(TimePoint now) {
  return state_->take_key_frame_request(now);
}

void VideoJitterBuffer::require_key_frame() {
  state_->require_key_frame();
  state_->update_statistics();
  state_->check();
}

void VideoJitterBuffer::set_round_trip_time(Duration round_trip_time) {
  state_->nacks.set_round_trip_time(round_trip_time);
}

const VideoJitterStatistics& VideoJitterBuffer::statistics() const { return state_->statistics; }

}  // namespace sealroom::jitter
