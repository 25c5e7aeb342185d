// What the parser accepts must be the one encoding of what it says.

#include <algorithm>
#include <cstdlib>

#include "sealroom/sframe/header.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sealroom;
  const auto parsed = sframe::Header::parse({data, size});
  if (!parsed) return 0;
  Bytes encoded(sframe::kMaxHeaderSize);
  const auto written = parsed.value().header.encode(encoded);
  if (!written || written.value() != parsed.value().size || written.value() > size ||
      !std::equal(data, data + written.value(), encoded.begin())) {
    std::abort();
  }
  return 0;
}
