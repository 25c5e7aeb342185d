// A RED payload; its blocks, encoded again one after the other, are found in what is made of them.

#include <algorithm>
#include <cstdlib>

#include "sealroom/rtp/red.h"

using namespace sealroom;       // NOLINT(google-build-using-namespace)
using namespace sealroom::rtp;  // NOLINT(google-build-using-namespace)

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto parsed = parse_red(ByteView(data, size));
  if (!parsed.ok()) return 0;
  const RedBlocks& red = parsed.value();
  require(red.count >= 1 && red.count <= kMaxRedBlocks);
  std::size_t total = 4 * (red.count - 1) + 1;
  for (std::size_t i = 0; i < red.count; ++i) total += red.blocks[i].payload.size();
  require(total == size);
  require(red.primary().timestamp_offset == 0);

  RedEncoder encoder(PayloadType{111}, 1 + size % RedEncoder::kMaxDistance);
  Bytes out(size + 1200);
  for (std::size_t i = 0; i < red.count; ++i) {
    const RedBlock& block = red.blocks[i];
    const RtpTimestamp timestamp{100'000U - block.timestamp_offset};
    const auto written = encoder.encode(block.payload, timestamp, out);
    require(written.ok());
    const auto again = parse_red(ByteView(out).first(written.value()));
    require(again.ok() && again.value().count <= RedEncoder::kMaxDistance + 1);
    const ByteView primary = again.value().primary().payload;
    require(std::equal(primary.begin(), primary.end(), block.payload.begin(), block.payload.end()));
  }
  return 0;
}
