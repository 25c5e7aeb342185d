// The control information of one feedback message, read as REMB, as FIR and as transport-wide
// feedback; what a collector makes of it reads back the same.

#include <cstdlib>

#include "sealroom/rtp/transport_feedback.h"

using namespace sealroom;       // NOLINT(google-build-using-namespace)
using namespace sealroom::rtp;  // NOLINT(google-build-using-namespace)

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

/// The control information of the one packet in `writer`.
Feedback written(const RtcpWriter& writer, ByteView buffer) {
  RtcpReader reader(buffer.first(writer.size()));
  RtcpPacketView packet;
  require(reader.next(packet));
  const auto feedback = Feedback::parse(packet);
  require(feedback.ok());
  return feedback.value();
}

void check_remb(const Feedback& feedback) {
  const auto remb = parse_remb(feedback);
  if (!remb.ok()) return;
  std::array<std::uint8_t, 2048> buffer{};
  RtcpWriter writer(buffer);
  const std::span sources(remb.value().sources.data(), remb.value().count);
  require(writer.remb(Ssrc{1}, remb.value().bits_per_second, sources).ok());
  const auto again = parse_remb(written(writer, buffer));
  require(again.ok() && again.value().bits_per_second == remb.value().bits_per_second);
  require(again.value().count == remb.value().count);
}

void check_transport_feedback(const Feedback& feedback) {
  const auto parsed = TransportFeedback::parse(feedback);
  if (!parsed.ok()) return;
  static TransportFeedbackCollector collector;
  collector = TransportFeedbackCollector();
  PacketStatuses statuses(parsed.value());
  std::size_t count = 0;
  std::size_t timed = 0;
  for (PacketStatus status; statuses.next(status); ++count) {
    require(status.is_received || !status.arrival);
    if (!status.arrival) continue;
    collector.packet_received(status.sequence_number, TimePoint(*status.arrival));
    ++timed;
  }
  require(count == parsed.value().status_count);
  while (collector.has_feedback()) {
    std::array<std::uint8_t, 1200> buffer{};
    RtcpWriter writer(buffer);
    require(writer.size() == 0 && collector.write(writer, Ssrc{1}, Ssrc{2}).ok());
    const auto again = TransportFeedback::parse(written(writer, buffer));
    require(again.ok());
    PacketStatuses reader(again.value());
    std::size_t received = 0;
    for (PacketStatus status; reader.next(status);) received += status.arrival.has_value();
    require(received > 0 && received <= timed);
    timed -= received;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Feedback feedback{Ssrc{1}, Ssrc{2}, ByteView(data, size)};
  const auto fir = parse_fir(feedback);
  if (fir.ok()) require(fir.value().count <= kMaxReportBlocks);
  check_remb(feedback);
  check_transport_feedback(feedback);
  return 0;
}
