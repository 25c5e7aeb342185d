// Input: a data message. The corpus holds messages that are valid under the key below. What opens
// must be exactly what the sender would have made, and must not open twice.

#include <algorithm>
#include <cstdlib>

#include "sealroom/privmx/data_message.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sealroom;
  using namespace sealroom::privmx;
  const ByteView message(data, size);
  const auto key_id = RoomKeyId::parse(as_bytes("00112233445566778899aabbccddeeff"));
  KeyStore keys(crypto::fastest_backend());
  if (!key_id || !keys.add(key_id.value(), Bytes(kKeySize, 0x42))) std::abort();
  DataReceiver receiver;
  Bytes out(message.size());
  const auto opened = receiver.unprotect(keys, message, out);
  if (!opened) {
    if (receiver.last_sequence()) std::abort();
    return 0;
  }
  Bytes sealed(message.size());
  DataSender sender(opened.value().sequence);
  const auto sealed_size = sender.protect(keys, key_id.value(), message.subspan(5, kIvSize),
                                          ByteView(out).first(opened.value().size), sealed);
  if (!sealed_size || !std::equal(message.begin(), message.end(), sealed.begin())) std::abort();
  const auto again = receiver.unprotect(keys, message, out);
  if (again || again.error() != Error::replayed) std::abort();
  return 0;
}
