// Input: a byte that chooses suite and frame format, then a protected frame. The corpus holds
// frames that are valid under the key below, so that mutations reach the tag check. The same bytes
// are also taken for an encoded frame, which must come back unchanged.

#include <algorithm>
#include <cstdlib>

#include "sealroom/sframe/media_frame.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sealroom;
  using namespace sealroom::sframe;
  if (size == 0) return 0;
  const auto suite = static_cast<CipherSuite>(data[0] % 5 + 1);
  const auto format = static_cast<FrameFormat>(data[0] / 5 % 4);
  const ByteView frame(data + 1, size - 1);

  Receiver receiver(crypto::fastest_backend(), suite);
  if (!receiver.add_key(KeyId{7}, as_bytes("fuzz"))) std::abort();
  Bytes out(frame.size());
  if (const auto first = unprotect_frame(receiver, format, frame, out)) {
    if (first.value() >= frame.size()) std::abort();
    const auto again = unprotect_frame(receiver, format, frame, out);
    if (again || again.error() != Error::replayed) std::abort();
  }

  // Header bytes below 4, which H.264 may have to escape.
  auto sender = Sender::create(crypto::fastest_backend(), suite, KeyId{0}, as_bytes("fuzz"));
  if (!sender || !receiver.add_key(KeyId{0}, as_bytes("fuzz"))) std::abort();
  Bytes sealed(max_protected_size(format, frame.size()));
  const auto sealed_size = protect_frame(sender.value(), format, frame, sealed);
  if (!sealed_size) {
    if (frame.empty() && sealed_size.error() == Error::invalid_argument) return 0;
    std::abort();
  }
  sealed.resize(sealed_size.value());
  Bytes opened(sealed.size());
  const auto opened_size = unprotect_frame(receiver, format, sealed, opened);
  if (!opened_size || opened_size.value() != frame.size()) std::abort();
  if (!std::equal(frame.begin(), frame.end(), opened.begin())) std::abort();
  return 0;
}
