#include "sealroom/rtp/payload_format.h"

#include "codecs.h"

namespace sealroom::rtp {

MediaKind media_kind(Codec codec) {
  return codec == Codec::opus ? MediaKind::audio : MediaKind::video;
}

std::uint32_t clock_rate(Codec codec) {
  // RFC 7587 section 4.1: 48000 whatever the encoder's sampling rate is.
  return codec == Codec::opus ? 48000 : 90000;
}

std::size_t depacketize_scratch_size(Codec /*codec*/, std::size_t /*payload_size*/) { return 0; }

Result<PayloadPart> depacketize(Codec codec, ByteView payload, MutableByteView /*scratch*/) {
  switch (codec) {
    case Codec::opus:
      return depacketize_opus(payload);
    case Codec::vp8:
      return depacketize_vp8(payload);
    case Codec::vp9:
    case Codec::h264:
    case Codec::av1:
      return Error::unsupported;
  }
  return Error::unsupported;
}

Result<void> finish_frame(Codec /*codec*/, Bytes& /*frame*/) { return {}; }

std::unique_ptr<Packetizer> Packetizer::create(Codec codec, std::uint16_t first_picture_id) {
  switch (codec) {
    case Codec::opus:
      return create_opus_packetizer();
    case Codec::vp8:
      return create_vp8_packetizer(first_picture_id);
    case Codec::vp9:
    case Codec::h264:
    case Codec::av1:
      return nullptr;
  }
  return nullptr;
}

}  // namespace sealroom::rtp
