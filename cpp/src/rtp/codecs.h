#pragma once

#include "sealroom/rtp/payload_format.h"

namespace sealroom::rtp {

/// RFC 7587, opus.cpp
std::unique_ptr<Packetizer> create_opus_packetizer();
Result<PayloadPart> depacketize_opus(ByteView payload);

/// RFC 7741, vp8.cpp
std::unique_ptr<Packetizer> create_vp8_packetizer(std::uint16_t first_picture_id);
Result<PayloadPart> depacketize_vp8(ByteView payload);

}  // namespace sealroom::rtp
