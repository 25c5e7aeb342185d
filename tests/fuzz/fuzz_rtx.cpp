// A packet as an original, which comes back from its RTX form, and as a packet of an RTX stream.

#include <algorithm>
#include <cstdlib>

#include "sealroom/rtp/rtx.h"

using namespace sealroom;       // NOLINT(google-build-using-namespace)
using namespace sealroom::rtp;  // NOLINT(google-build-using-namespace)

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto parsed = RtpPacketView::parse(ByteView(data, size));
  if (!parsed.ok()) return 0;
  const RtpPacketView& original = parsed.value();
  const StreamAddress rtx{Ssrc{0x99999999}, PayloadType{97}};
  const StreamAddress media{original.header().ssrc, original.header().payload_type};
  Bytes wrapped(size + kRtxOverhead);
  const auto wrapped_size = wrap_rtx(original, rtx, 7, wrapped);
  require(wrapped_size.ok());
  require(wrapped_size.value() == size - original.padding_size() + kRtxOverhead);
  const auto packet = RtpPacketView::parse(ByteView(wrapped).first(wrapped_size.value()));
  require(packet.ok() && packet.value().header().ssrc == rtx.ssrc);
  Bytes back(size);
  const auto back_size = unwrap_rtx(packet.value(), media, back);
  require(back_size.ok() && back_size.value() == size - original.padding_size());
  // All but the padding bit of the first byte.
  require((back[0] | 0x20) == (data[0] | 0x20));
  require(std::equal(back.begin() + 1,
                     back.begin() + static_cast<std::ptrdiff_t>(back_size.value()), data + 1));

  const auto inner = parse_rtx(original);
  require(inner.ok() == (original.payload().size() >= kRtxOverhead));
  return 0;
}
