#pragma once

#include <memory>
#include <optional>

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

/// What packets of H.264 say of whether their frame is a key frame where none of them shows it:
/// encoders repeat parameter sets before any picture, and packetizers put them, supplemental
/// information and the slice into packets of their own. Added up over the packets of a frame.
struct KeyFrameSigns {
  bool has_parameters = false;  ///< a sequence parameter set
  bool can_begin = false;       ///< an I slice first, or a recovery point (section D.2.8)
  bool has_slice = false;

  void add(const KeyFrameSigns& other) {
    has_parameters |= other.has_parameters;
    can_begin |= other.can_begin;
    has_slice |= other.has_slice;
  }
  [[nodiscard]] bool make_key_frame() const { return has_parameters && can_begin; }
  /// Of a whole frame: what comes behind it needs it, and it needs nothing.
  [[nodiscard]] bool are_of_parameters_only() const {
    return has_parameters && !can_begin && !has_slice;
  }
};

/// What one packet carries of a frame, the payload descriptor removed. `starts_frame` is true where
/// a frame may begin, as far as the payload shows it: of H.264 for each packet with a delimiter,
/// parameter sets, supplemental information or the first slice of a picture, of AV1 for each that
/// begins with an OBU, of VP9 for each layer that needs none below. The view points into the
/// packet, or into the scratch memory where the payload had to be rewritten.
struct PayloadPart {
  ByteView data;
  bool starts_frame = false;
  /// Meaningful where starts_frame; always true for Opus, whose frames stand alone. Of H.264 as far
  /// as this payload shows it (an IDR slice, or `signs` that do); of AV1 what the sender says.
  bool is_key_frame = false;
  /// H.264, where starts_frame: whether packets of the same frame come before this one cannot be
  /// seen in it (an IDR slice whose parameter sets may have a packet of their own).
  bool may_be_preceded = false;
  KeyFrameSigns signs{};
};

/// What depacketize needs of scratch memory at most for a payload of `payload_size` bytes.
[[nodiscard]] std::size_t depacketize_scratch_size(Codec codec, std::size_t payload_size);

/// Reads one payload. Every byte may come from a stranger. A payload without a byte of the frame is
/// malformed (but for the fragment of H.264 that RFC 6184 section 5.8 allows to be empty), one of a
/// packet type outside the supported mode unsupported. The parts of one frame,
/// one after the other and then given to finish_frame, are the frame. Opus, VP8 and VP9 leave
/// `scratch` alone; the others answer buffer_too_small if it is too short for this payload.
Result<PayloadPart> depacketize(Codec codec, ByteView payload, MutableByteView scratch = {});

/// What a payload begins, for those who do not want its bytes.
struct PayloadStart {
  bool starts_frame = false;
  bool is_key_frame = false;     ///< as in PayloadPart
  bool may_be_preceded = false;  ///< as in PayloadPart
  KeyFrameSigns signs{};
};

/// As depacketize, without scratch memory or a copy.
Result<PayloadStart> inspect(Codec codec, ByteView payload);

/// Turns the joined parts of one frame into the frame, in place: OBUs that have size fields for
/// AV1; nothing is left to do for the others (H.264 comes as Annex B with four-byte start codes).
/// Errors: malformed, then `frame` is not to be used.
Result<void> finish_frame(Codec codec, Bytes& frame);

/// What a packetizer cannot read from a frame that is encrypted.
struct FrameInfo {
  /// Absent: read from the frame, as far as that is possible. Of H.264 a key frame has an IDR
  /// slice, or a sequence parameter set with an I slice or a recovery point, of AV1 a sequence
  /// header with a key frame; or no picture at all.
  std::optional<bool> is_key_frame;
  std::uint16_t width = 0;  ///< pixels; 0: not known
  std::uint16_t height = 0;
};

/// Reads what the bytes of an encoded, unencrypted frame say; whatever is not found stays absent.
[[nodiscard]] FrameInfo read_frame_info(Codec codec, ByteView frame);

/// Cuts frames into payloads of nearly equal size, so that few GSO calls send a frame: all equal
/// but the last (VP8, VP9), but the first of a key frame too (VP9), or among the parts of each NAL
/// unit (H.264) or OBU (AV1). Use: `start`, then `write_next` as often as `start` said. Not safe
/// for concurrent use; no allocation after warm-up.
class Packetizer {
 public:
  /// `first_picture_id` (15 bit, better random) numbers the first VP8 or VP9 frame, each further
  /// one the next; others ignore it.
  static std::unique_ptr<Packetizer> create(Codec codec, std::uint16_t first_picture_id = 0);
  virtual ~Packetizer() = default;
  Packetizer(const Packetizer&) = delete;
  Packetizer& operator=(const Packetizer&) = delete;

  /// Takes a view of the frame (it must outlive the writes) and returns the number of packets.
  /// `max_payload` counts the payload descriptor. VP9 and AV1 carry the key-frame flag outside the
  /// frame, from `info`; where that is absent it is read from the frame, wrongly if it is
  /// ciphertext without a clear byte as VP9's is, and for AV1, whose frames may be ciphertext
  /// behind a sequence header, taken from that header alone. Errors: invalid_argument for an empty
  /// frame, one that is not Annex B (H.264) or OBUs (AV1), for a `max_payload` without room for any
  /// of it or, Opus, for all of it; then nothing is left to write.
  Result<std::size_t> start(ByteView frame, std::size_t max_payload, const FrameInfo& info = {}) {
    return start_frame(frame, max_payload, info);
  }
  /// Writes the next payload and returns its size; `out` needs `max_payload` bytes.
  /// invalid_argument when none is left.
  virtual Result<std::size_t> write_next(MutableByteView out) = 0;

 protected:
  Packetizer() = default;

 private:
  virtual Result<std::size_t> start_frame(ByteView frame, std::size_t max_payload,
                                          const FrameInfo& info) = 0;
};

}  // namespace sealroom::rtp
