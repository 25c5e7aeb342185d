#include "sealroom/base/bytes.h"

#include <cstring>

namespace sealroom {

void secure_wipe(MutableByteView secret) {
  if (secret.empty()) return;
  std::memset(secret.data(), 0, secret.size());
  // Tells the compiler that somebody reads the memory, so the memset stays.
  __asm__ __volatile__("" : : "r"(secret.data()) : "memory");
}

bool equal_constant_time(ByteView a, ByteView b) {
  if (a.size() != b.size()) return false;
  std::uint8_t difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference = static_cast<std::uint8_t>(difference | (a[i] ^ b[i]));
  }
  // Hides the value from the compiler until every byte is in it, so that it cannot leave the loop
  // early.
  __asm__ __volatile__("" : "+r"(difference));
  return difference == 0;
}

}  // namespace sealroom
