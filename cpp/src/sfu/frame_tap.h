#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "consumer.h"
#include "sealroom/jitter/video_jitter_buffer.h"

namespace sealroom::sfu {

/// Collects a producer's frames as the router could see them. Only for those who look: it
/// allocates.
class FrameTap {
 public:
  static constexpr std::size_t kMaxBytes = std::size_t{32} << 20;  ///< waiting; oldest dropped

  FrameTap(rtp::Codec codec, std::size_t max_frames);

  void insert(const OpenedPacket& packet, TimePoint now);
  void handle_timeout(TimePoint now);
  [[nodiscard]] TimePoint next_timeout() const;
  /// True where what came cannot be built on what came before, as often as a receiver asks.
  bool take_key_frame_request(TimePoint now);
  /// Video, and none has come yet.
  [[nodiscard]] bool needs_key_frame() const { return assembler_ && !has_key_frame_; }
  std::vector<TappedFrame> take();

 private:
  void collect();
  void push(TappedFrame frame);

  rtp::Codec codec_;
  std::size_t max_frames_;
  std::optional<jitter::VideoJitterBuffer> assembler_;  ///< video; an audio packet is a frame
  std::deque<TappedFrame> frames_;
  std::size_t bytes_ = 0;
  bool has_key_frame_ = false;
};

}  // namespace sealroom::sfu
