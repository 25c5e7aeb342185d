#pragma once

#include <memory>

#include "sealroom/base/bytes.h"
#include "sealroom/base/result.h"
#include "sealroom/base/types.h"

namespace sealroom::rtp {

enum class Codec : std::uint8_t {
  opus,  ///< RFC 7587
  vp8,   ///< RFC 7741
};

[[nodiscard]] MediaKind media_kind(Codec codec);
[[nodiscard]] std::uint32_t clock_rate(Codec codec);  ///< Hz

/// What one packet carries of a frame, the payload descriptor removed. The view points into the
/// packet.
struct PayloadPart {
  ByteView data;
  bool starts_frame = false;
  /// Meaningful where starts_frame; always true for Opus, whose frames stand alone.
  bool is_key_frame = false;
};

/// Reads one payload. Every byte may come from a stranger. A payload without a byte of the frame is
/// malformed.
Result<PayloadPart> depacketize(Codec codec, ByteView payload);

/// Cuts frames into payloads of nearly equal size, all equal but the last, so that one GSO call
/// sends the frame. Use: `start`, then `write_next` as often as `start` said. Not safe for
/// concurrent use; no allocation.
class Packetizer {
 public:
  /// `first_picture_id` (15 bit, better random) numbers the first VP8 frame, each further one the
  /// next; others ignore it.
  static std::unique_ptr<Packetizer> create(Codec codec, std::uint16_t first_picture_id = 0);
  virtual ~Packetizer() = default;
  Packetizer(const Packetizer&) = delete;
  Packetizer& operator=(const Packetizer&) = delete;

  /// Takes a view of the frame (it must outlive the writes) and returns the number of packets.
  /// `max_payload` counts the payload descriptor. Errors: invalid_argument for an empty frame, for
  /// a `max_payload` without room for any of it or, Opus, for all of it; then nothing is left to
  /// write.
  virtual Result<std::size_t> start(ByteView frame, std::size_t max_payload) = 0;
  /// Writes the next payload and returns its size; `out` needs `max_payload` bytes.
  /// invalid_argument when none is left.
  virtual Result<std::size_t> write_next(MutableByteView out) = 0;

 protected:
  Packetizer() = default;
};

}  // namespace sealroom::rtp
