#include "rewritten_payload.h"

using namespace sealroom;  // NOLINT(google-build-using-namespace)

// The first byte chooses: one payload, the joined parts of a frame, or a frame.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr auto kCodec = rtp::Codec::h264;
  if (size == 0) return 0;
  const ByteView input(data + 1, size - 1);
  if (data[0] == 0) {
    fuzz::read_payload(kCodec, input);
  } else if (data[0] == 1) {
    Bytes joined(input.begin(), input.end());
    if (rtp::finish_frame(kCodec, joined).ok()) (void)rtp::read_frame_info(kCodec, joined);
  } else {
    (void)rtp::read_frame_info(kCodec, input);
    static const auto packetizer = rtp::Packetizer::create(kCodec);
    fuzz::cut_and_join_twice(kCodec, *packetizer, input, 3 + data[0] % 64);
  }
  return 0;
}
