#pragma once

#include "sealroom/rtp/payload_format.h"

namespace sealroom::rtp {

/// How many packets of at most `capacity` bytes `size` bytes need, and how long each but the last
/// is when they share evenly. Both arguments are above 0.
struct EvenCut {
  std::size_t packets;
  std::size_t part_size;
};
inline EvenCut cut_evenly(std::size_t size, std::size_t capacity) {
  const std::size_t packets = (size - 1) / capacity + 1;
  return {packets, (size - 1) / packets + 1};
}

/// RFC 7587, opus.cpp
std::unique_ptr<Packetizer> create_opus_packetizer();
Result<PayloadPart> depacketize_opus(ByteView payload);

/// RFC 7741, vp8.cpp
std::unique_ptr<Packetizer> create_vp8_packetizer(std::uint16_t first_picture_id);
Result<PayloadPart> depacketize_vp8(ByteView payload);
FrameInfo read_vp8_info(ByteView frame);

/// RFC 9628, vp9.cpp
std::unique_ptr<Packetizer> create_vp9_packetizer(std::uint16_t first_picture_id);
Result<PayloadPart> depacketize_vp9(ByteView payload);
FrameInfo read_vp9_info(ByteView frame);  ///< vp9_header.cpp

/// RFC 6184, h264.cpp; the packetizer is in h264_packetizer.cpp
std::unique_ptr<Packetizer> create_h264_packetizer();
std::size_t h264_scratch_size(std::size_t payload_size);
Result<PayloadPart> depacketize_h264(ByteView payload, MutableByteView scratch);
Result<PayloadStart> inspect_h264(ByteView payload);
FrameInfo read_h264_info(ByteView frame);

/// The AV1 RTP specification, av1.cpp; the packetizer is in av1_packetizer.cpp
std::unique_ptr<Packetizer> create_av1_packetizer();
std::size_t av1_scratch_size(std::size_t payload_size);
Result<PayloadPart> depacketize_av1(ByteView payload, MutableByteView scratch);
Result<PayloadStart> inspect_av1(ByteView payload);
Result<void> finish_av1(Bytes& frame);
FrameInfo read_av1_info(ByteView frame);

}  // namespace sealroom::rtp
