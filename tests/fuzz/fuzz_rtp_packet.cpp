#include <cstdlib>

#include "sealroom/rtp/header_extension.h"

using namespace sealroom;       // NOLINT(google-build-using-namespace)
using namespace sealroom::rtp;  // NOLINT(google-build-using-namespace)

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

ExtensionMap make_map() {
  ExtensionMap map;
  for (std::size_t i = 0; i < kExtensionTypes; ++i) {
    require(map.set(static_cast<ExtensionType>(i), static_cast<std::uint8_t>(i + 1)).ok());
  }
  return map;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const ExtensionMap map = make_map();
  const ByteView packet(data, size);
  (void)is_rtcp(packet);
  const auto ssrc = peek_ssrc(packet);
  const auto peeked_size = peek_header_size(packet);
  const auto parsed = RtpPacketView::parse(packet);
  if (!parsed.ok()) return 0;

  const RtpPacketView& view = parsed.value();
  require(view.header_size() + view.payload().size() + view.padding_size() == size);
  require(ssrc.ok() && ssrc.value() == view.header().ssrc);
  require(peeked_size.ok() && peeked_size.value() == view.header_size());

  // What was read can be written, and reads the same again.
  const HeaderExtensions extensions = read_extensions(view, map);
  std::array<std::uint8_t, 512> out{};
  const auto written = write_header(view.header(), extensions, map, out);
  require(written.ok() && written.value() == header_size(extensions, map));
  const auto again = RtpPacketView::parse(ByteView(out).first(written.value()));
  require(again.ok() && again.value().header().sequence_number == view.header().sequence_number);
  const HeaderExtensions same = read_extensions(again.value(), map);
  require(same.mid == extensions.mid && same.rid == extensions.rid);
  require(same.repaired_rid == extensions.repaired_rid);
  require(same.abs_send_time == extensions.abs_send_time);
  require(same.transport_sequence_number == extensions.transport_sequence_number);
  require(same.audio_level.has_value() == extensions.audio_level.has_value());
  require(same.video_orientation.has_value() == extensions.video_orientation.has_value());
  require(same.dependency_descriptor.size() == extensions.dependency_descriptor.size());
  return 0;
}
