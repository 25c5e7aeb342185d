#include <algorithm>
#include <cstdlib>

#include "sealroom/rtp/payload_format.h"

using namespace sealroom;       // NOLINT(google-build-using-namespace)
using namespace sealroom::rtp;  // NOLINT(google-build-using-namespace)

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto parsed = depacketize(Codec::vp8, ByteView(data, size));
  if (!parsed.ok()) return 0;
  const PayloadPart& part = parsed.value();
  require(!part.data.empty() && part.data.data() + part.data.size() == data + size);
  require(part.starts_frame || !part.is_key_frame);

  // Cut again into small payloads, the data comes back.
  static const auto packetizer = Packetizer::create(Codec::vp8);
  const auto count = packetizer->start(part.data, 4 + 1 + size % 50);
  require(count.ok());
  ByteView rest = part.data;
  std::array<std::uint8_t, 64> out{};
  for (std::size_t i = 0; i < count.value(); ++i) {
    const auto written = packetizer->write_next(out);
    require(written.ok());
    const auto piece = depacketize(Codec::vp8, ByteView(out).first(written.value()));
    require(piece.ok() && piece.value().starts_frame == (i == 0));
    const ByteView bytes = piece.value().data;
    require(bytes.size() <= rest.size() && std::equal(bytes.begin(), bytes.end(), rest.begin()));
    rest = rest.subspan(bytes.size());
  }
  require(rest.empty());
  return 0;
}
