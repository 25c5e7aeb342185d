#pragma once

#include "sealroom/sframe/media_frame.h"

namespace sealroom::sframe::av1 {

// A protected frame is a temporal unit whose OBUs packetizers cut as any other (docs/wire.md):
//   a copy of the sequence header OBU if the frame has one, then one OBU_FRAME:
//   SFrame(the whole frame)

[[nodiscard]] std::size_t max_protected_size(std::size_t frame_size);
Result<std::size_t> protect(Sender& sender, ByteView frame, MutableByteView out);
Result<std::size_t> unprotect(Receiver& receiver, ByteView frame, MutableByteView out);

}  // namespace sealroom::sframe::av1
