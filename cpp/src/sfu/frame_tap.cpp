#include "frame_tap.h"

#include <array>
#include <iterator>
#include <utility>

namespace sealroom::sfu {

FrameTap::FrameTap(rtp::Codec codec, std::size_t max_frames)
    : codec_(codec), max_frames_(max_frames) {
  if (rtp::media_kind(codec) == MediaKind::video) assembler_.emplace();
}

void FrameTap::insert(const OpenedPacket& packet, TimePoint now) {
  std::array<std::uint8_t, jitter::VideoJitterBuffer::kMaxPayload> scratch;
  rtp::PayloadPart part;
  if (!packet.payload.empty()) {  // otherwise padding, which only fills its place
    const auto payload = rtp::depacketize(codec_, packet.payload, scratch);
    if (!payload) {
      if (assembler_) {
        assembler_->insert_unusable(packet.header.sequence_number, now);
        collect();
      }
      return;
    }
    part = payload.value();
  }
  if (!assembler_) {
    if (part.data.empty()) return;
    push({Bytes(part.data.begin(), part.data.end()), packet.header.timestamp, false});
    return;
  }
  jitter::VideoPacket video;
  video.sequence_number = packet.header.sequence_number;
  video.timestamp = packet.header.timestamp;
  video.marker = packet.header.marker;
  video.starts_frame = part.starts_frame;
  video.is_key_frame = part.is_key_frame;
  video.may_be_preceded = part.may_be_preceded;
  video.signs = part.signs;
  video.payload = part.data;
  assembler_->insert(video, now);
  collect();
}

void FrameTap::handle_timeout(TimePoint now) {
  if (!assembler_) return;
  assembler_->handle_timeout(now);
  collect();
}

TimePoint FrameTap::next_timeout() const {
  return assembler_ ? assembler_->next_timeout() : kNever;
}

bool FrameTap::take_key_frame_request(TimePoint now) {
  return assembler_ && assembler_->take_key_frame_request(now);
}

void FrameTap::collect() {
  jitter::VideoFrame frame;
  while (assembler_->pop(frame)) {
    if (!rtp::finish_frame(codec_, frame.data)) continue;
    has_key_frame_ = has_key_frame_ || frame.is_key_frame;
    push({std::move(frame.data), frame.timestamp, frame.is_key_frame});
  }
}

void FrameTap::push(TappedFrame frame) {
  bytes_ += frame.data.size();
  frames_.push_back(std::move(frame));
  while (frames_.size() > max_frames_ || bytes_ > kMaxBytes) {
    bytes_ -= frames_.front().data.size();
    frames_.pop_front();
  }
}

std::vector<TappedFrame> FrameTap::take() {
  std::vector<TappedFrame> result(std::make_move_iterator(frames_.begin()),
                                  std::make_move_iterator(frames_.end()));
  frames_.clear();
  bytes_ = 0;
  return result;
}

}  // namespace sealroom::sfu
