#include <algorithm>
#include <array>
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
  const FrameInfo info = read_frame_info(Codec::vp9, ByteView(data, size));
  require(info.width == 0 || info.is_key_frame == true);

  const auto parsed = depacketize(Codec::vp9, ByteView(data, size));
  const auto start = inspect(Codec::vp9, ByteView(data, size));
  require(parsed.ok() == start.ok());
  if (!parsed.ok()) return 0;
  const PayloadPart& part = parsed.value();
  require(!part.data.empty() && part.data.data() + part.data.size() == data + size);
  require(part.starts_frame || !part.is_key_frame);
  require(part.starts_frame == start.value().starts_frame);

  // Cut again into small payloads, the data comes back.
  static const auto packetizer = Packetizer::create(Codec::vp9);
  const FrameInfo given{size % 2 == 0, static_cast<std::uint16_t>(size % 3), 2};
  const auto count = packetizer->start(part.data, 21 + size % 40, given);
  require(count.ok());
  ByteView rest = part.data;
  std::array<std::uint8_t, 64> out{};
  for (std::size_t i = 0; i < count.value(); ++i) {
    const auto written = packetizer->write_next(out);
    require(written.ok() && written.value() <= 21 + size % 40);
    const auto piece = depacketize(Codec::vp9, ByteView(out).first(written.value()));
    require(piece.ok() && piece.value().starts_frame == (i == 0));
    require(piece.value().is_key_frame == (i == 0 && *given.is_key_frame));
    const ByteView bytes = piece.value().data;
    require(bytes.size() <= rest.size() && std::equal(bytes.begin(), bytes.end(), rest.begin()));
    rest = rest.subspan(bytes.size());
  }
  require(rest.empty());
  return 0;
}
