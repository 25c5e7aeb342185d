#pragma once

#include "sealroom/sframe/media_frame.h"

namespace sealroom::sframe::vp8 {

/// 10 for what counts as a key frame, else 1; 0 of nothing.
[[nodiscard]] std::size_t clear_prefix_size(ByteView frame);

[[nodiscard]] std::size_t max_protected_size(std::size_t frame_size);
Result<std::size_t> protect(Sender& sender, ByteView frame, MutableByteView out);
Result<std::size_t> unprotect(Receiver& receiver, ByteView frame, MutableByteView out);

}  // namespace sealroom::sframe::vp8
