#pragma once

#include "sealroom/sframe/media_frame.h"

namespace sealroom::sframe::h264 {

// A protected frame is a byte stream of H.264 Annex B that packetizers cut as any other
// (docs/wire.md):
//   copies of the parameter sets, then one slice NAL unit: three clear bytes and
//   escaped(SFrame(the whole frame) || 0x80)

[[nodiscard]] std::size_t max_protected_size(std::size_t frame_size);
Result<std::size_t> protect(Sender& sender, ByteView frame, MutableByteView out);
Result<std::size_t> unprotect(Receiver& receiver, ByteView frame, MutableByteView out);

}  // namespace sealroom::sframe::h264
