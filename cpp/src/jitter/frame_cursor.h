#pragma once

#include <cstdint>

#include "packet_store.h"

namespace sealroom::jitter {

/// Walks the packets of one video frame in the order of their sequence numbers as far as they are
/// there. It keeps its place between calls, so a frame of n packets costs O(n) whatever the order
/// of their arrival.
struct FrameCursor {
  enum class Progress : std::uint8_t {
    incomplete,  ///< the packet at `next` is not there
    complete,    ///< [begin, next) is the frame and the padding before it
    broken,      ///< the packet at `next` can neither start a frame here nor continue this one
  };

  FrameCursor() = default;
  explicit FrameCursor(std::int64_t start) : begin(start), next(start) {}

  Progress advance(const PacketStore& store);
  /// H.264 starts a frame in several packets: it is a key frame by any of them, or by all together.
  void note_start(const StoredPacket& packet);

  std::int64_t begin = 0;
  std::int64_t next = 0;
  std::int64_t first =
      0;  ///< first packet with payload; it and those below are meaningful once is_open
  std::int64_t last = 0;
  RtpTimestamp timestamp{};
  TimePoint earliest_arrival{};
  TimePoint latest_arrival{};
  bool is_open = false;
  bool is_key_frame = false;  ///< as far as the packets up to `next` show it
  rtp::KeyFrameSigns signs;
};

}  // namespace sealroom::jitter
