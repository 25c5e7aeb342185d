#pragma once

#include <memory>

#include "sealroom/base/bytes.h"
#include "sealroom/base/result.h"
#include "sealroom/base/types.h"

namespace sealroom::rtp {

enum class Codec : std::uint8_t {
  opus,  ///< RFC 7587
  vp8,   ///< RFC 7741
  vp9,   ///< RFC 9628
  h264,  ///< RFC 6184, packetization mode 1
  av1,   ///< the AV1 RTP specification of AOMedia
};

[[nodiscard]] MediaKind media_kind(Codec codec);
[[nodiscard]] std::uint32_t clock_rate(Codec codec);  ///< Hz

/// What one packet carries of a frame, the payload descriptor removed. The view points into the
/// packet, or into the scratch memory where the payload had to be rewritten.
struct PayloadPart {
  ByteView data;
  bool starts_frame = false;
  /// Meaningful where starts_frame; always true for Opus, whose frames stand alone.
  bool is_key_frame = false;
};

/// What depacketize needs of scratch memory at most for a payload of `payload_size` bytes.
[[nodiscard]] std::size_t depacketize_scratch_size(Codec codec, std::size_t payload_size);

/// Reads one payload. Every byte may come from a stranger. A payload without a byte of the frame is
/// malformed. The parts of one frame, one after the other and then given to finish_frame, are the
/// frame. Opus, VP8 and VP9 leave `scratch` alone.
Result<PayloadPart> depacketize(Codec codec, ByteView payload, MutableByteView scratch = {});

/// Turns the joined parts of one frame into the frame, in place: Annex B with four-byte start codes
/// for H.264, OBUs that have size fields for AV1 (which may grow); nothing to do for the others.
/// Errors: malformed, then `frame` is not to be used.
Result<void> finish_frame(Codec codec, Bytes& frame);

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
