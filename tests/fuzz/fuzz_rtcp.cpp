#include <cstdlib>

#include "sealroom/rtp/rtcp.h"

using namespace sealroom;       // NOLINT(google-build-using-namespace)
using namespace sealroom::rtp;  // NOLINT(google-build-using-namespace)

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

/// The packet `write` writes, read back.
template <class Write>
RtcpPacketView written(MutableByteView buffer, Write write) {
  RtcpWriter writer(buffer);
  require(write(writer).ok());
  RtcpReader reader(buffer.first(writer.size()));
  RtcpPacketView packet;
  require(reader.next(packet));
  return packet;
}

void check_feedback(const RtcpPacketView& packet, MutableByteView buffer) {
  const auto feedback = Feedback::parse(packet);
  if (!feedback.ok()) return;
  const auto targets = parse_fir(feedback.value());
  if (targets.ok()) require(targets.value().count <= kMaxReportBlocks);
  const auto nack = parse_nack(feedback.value());
  if (!nack.ok()) return;
  const std::size_t count = nack.value().count;
  require(count >= 1 && count <= kMaxNackedPackets);
  const std::span<const std::uint16_t> numbers(nack.value().sequence_numbers.data(), count);
  const auto again = Feedback::parse(written(buffer, [&](RtcpWriter& writer) {
    return writer.nack(feedback.value().sender, feedback.value().media, numbers);
  }));
  require(again.ok() && again.value().media == feedback.value().media);
  require(parse_nack(again.value()).ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::array<std::uint8_t, 4096> buffer{};
  (void)check_compound(ByteView(data, size));
  RtcpReader reader(ByteView(data, size));
  RtcpPacketView packet;
  while (reader.next(packet)) {
    require(packet.body.size() + 4 <= size);
    const auto sender = SenderReport::parse(packet);
    if (sender.ok()) {
      const auto again = SenderReport::parse(written(
          buffer, [&](RtcpWriter& writer) { return writer.sender_report(sender.value()); }));
      require(again.ok() && again.value().ntp_time == sender.value().ntp_time);
      require(again.value().reports.count == sender.value().reports.count);
    }
    const auto receiver = ReceiverReport::parse(packet);
    if (receiver.ok()) {
      require(written(buffer, [&](RtcpWriter& writer) {
                return writer.receiver_report(receiver.value());
              }).count_or_format == packet.count_or_format);
    }
    const auto description = SourceDescription::parse(packet);
    if (description.ok() && !description.value().cname.empty()) {
      const auto again = SourceDescription::parse(written(buffer, [&](RtcpWriter& writer) {
        return writer.source_description(description.value().ssrc, description.value().cname);
      }));
      require(again.ok() && again.value().cname == description.value().cname);
    }
    const auto bye = Bye::parse(packet);
    if (bye.ok()) require(bye.value().count == packet.count_or_format);
    SdesReader sdes(packet);
    std::size_t text = 0;
    for (SdesItem item; sdes.next(item);) text += 2 + item.text.size();
    require(text <= packet.body.size());
    check_feedback(packet, buffer);
  }
  return 0;
}
