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

std::size_t depacketize_scratch_size(Codec codec, std::size_t payload_size) {
  switch (codec) {
    case Codec::h264:
      return h264_scratch_size(payload_size);
    case Codec::av1:
      return av1_scratch_size(payload_size);
    case Codec::opus:
    case Codec::vp8:
    case Codec::vp9:
      break;
  }
  return 0;
}

Result<PayloadPart> depacketize(Codec codec, ByteView payload, MutableByteView scratch) {
  switch (codec) {
    case Codec::opus:
      return depacketize_opus(payload);
    case Codec::vp8:
      return depacketize_vp8(payload);
    case Codec::vp9:
      return depacketize_vp9(payload);
    case Codec::h264:
      return depacketize_h264(payload, scratch);
    case Codec::av1:
      return depacketize_av1(payload, scratch);
  }
  return Error::unsupported;
}

Result<PayloadStart> inspect(Codec codec, ByteView payload) {
  switch (codec) {
    case Codec::h264:
      return inspect_h264(payload);
    case Codec::av1:
      return inspect_av1(payload);
    case Codec::opus:
    case Codec::vp8:
    case Codec::vp9:
      break;
  }
  const auto part = depacketize(codec, payload);
  if (!part) return part.error();
  return PayloadStart{part.value().starts_frame, part.value().is_key_frame,
                      part.value().may_be_preceded, part.value().signs};
}

Result<void> finish_frame(Codec codec, Bytes& frame) {
  if (codec == Codec::av1) return finish_av1(frame);
  return {};
}

FrameInfo read_frame_info(Codec codec, ByteView frame) {
  switch (codec) {
    case Codec::opus:
      return {true, 0, 0};
    case Codec::vp8:
      return read_vp8_info(frame);
    case Codec::vp9:
      return read_vp9_info(frame);
    case Codec::h264:
      return read_h264_info(frame);
    case Codec::av1:
      return read_av1_info(frame);
  }
  return {};
}

std::unique_ptr<Packetizer> Packetizer::create(Codec codec, std::uint16_t first_picture_id) {
  switch (codec) {
    case Codec::opus:
      return create_opus_packetizer();
    case Codec::vp8:
      return create_vp8_packetizer(first_picture_id);
    case Codec::vp9:
      return create_vp9_packetizer(first_picture_id);
    case Codec::h264:
      return create_h264_packetizer();
    case Codec::av1:
      return create_av1_packetizer();
  }
  return nullptr;
}

}  // namespace sealroom::rtp
