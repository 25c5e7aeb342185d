// Input: a byte that chooses kind and clear header, then a protected frame. The corpus holds frames
// that are valid under the key below. What opens must be exactly what the sender would have made.

#include <algorithm>
#include <cstdlib>

#include "sealroom/privmx/media_frame.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sealroom;
  using namespace sealroom::privmx;
  if (size == 0) return 0;
  const auto kind = static_cast<FrameKind>(data[0] % 5);
  const auto clear_header = static_cast<ClearHeader>(data[0] / 5 % 2);
  const ByteView frame(data + 1, size - 1);

  const auto key_id = RoomKeyId::parse(as_bytes("00112233445566778899aabbccddeeff"));
  KeyStore keys(crypto::fastest_backend());
  if (!key_id || !keys.add(key_id.value(), Bytes(kKeySize, 0x42))) std::abort();
  Bytes out(frame.size());
  const auto opened = unprotect_media(keys, clear_header, kind, frame, out);
  if (!opened) return 0;
  const ByteView iv = frame.last(kMediaTrailerSize).first(kIvSize);
  Bytes sealed(frame.size());
  const auto sealed_size = protect_media(keys, key_id.value(), iv, clear_header, kind,
                                         opened.value().unauthenticated_rms,
                                         ByteView(out).first(opened.value().size), sealed);
  if (!sealed_size || !std::equal(frame.begin(), frame.end(), sealed.begin())) std::abort();
  return 0;
}
