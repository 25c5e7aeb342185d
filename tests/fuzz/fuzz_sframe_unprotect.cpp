// Input: a byte that chooses suite and frame format, then a protected frame. The corpus holds
// frames that are valid under the keys below, so that mutations reach the window and the tag check.

#include <cstdlib>

#include "sealroom/sframe/media_frame.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sealroom;
  using namespace sealroom::sframe;
  if (size == 0) return 0;
  const auto suite = static_cast<CipherSuite>(data[0] % 5 + 1);
  const auto format = (data[0] & 0x80) != 0 ? FrameFormat::vp8 : FrameFormat::opaque;
  const ByteView frame(data + 1, size - 1);

  Receiver receiver(crypto::fastest_backend(), suite);
  for (const KeyId key_id : {KeyId{7}, KeyId{0x0102}}) {
    if (!receiver.add_key(key_id, as_bytes("fuzz"))) std::abort();
  }
  Bytes out(frame.size());
  const auto first = unprotect_frame(receiver, format, frame, out);
  if (!first) return 0;
  if (first.value() >= frame.size()) std::abort();
  const auto again = unprotect_frame(receiver, format, frame, out);
  if (again || again.error() != Error::replayed) std::abort();
  return 0;
}
