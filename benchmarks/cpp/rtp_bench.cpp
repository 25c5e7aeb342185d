// RTP headers with extensions, RTCP, RTX and RED: ns per packet.

#include "sealroom/rtp/dependency_descriptor.h"
#include "sealroom/rtp/header_extension.h"
#include "sealroom/rtp/red.h"
#include "sealroom/rtp/rtx.h"
#include "sealroom/rtp/transport_feedback.h"
#include "support.h"

namespace sealroom::bench {
namespace {

rtp::ExtensionMap make_map() {
  rtp::ExtensionMap map;
  must(map.set(rtp::ExtensionType::mid, 1));
  must(map.set(rtp::ExtensionType::abs_send_time, 2));
  must(map.set(rtp::ExtensionType::transport_sequence_number, 3));
  return map;
}

rtp::HeaderExtensions make_extensions() {
  rtp::HeaderExtensions extensions;
  extensions.mid = "0";
  extensions.abs_send_time = 0x123456;
  extensions.transport_sequence_number = std::uint16_t{77};
  return extensions;
}

Bytes make_packet(const rtp::ExtensionMap& map) {
  Bytes packet(1200);
  rtp::RtpHeader header;
  header.payload_type = PayloadType{96};
  header.ssrc = Ssrc{1};
  (void)must(rtp::write_header(header, make_extensions(), map, packet));
  return packet;
}

void BM_RtpParseWithExtensions(benchmark::State& state) {
  const rtp::ExtensionMap map = make_map();
  const Bytes packet = make_packet(map);
  for (auto _ : state) {
    const auto view = must(rtp::RtpPacketView::parse(packet));
    benchmark::DoNotOptimize(rtp::read_extensions(view, map));
  }
}

void BM_RtpWriteHeaderWithExtensions(benchmark::State& state) {
  const rtp::ExtensionMap map = make_map();
  const rtp::HeaderExtensions extensions = make_extensions();
  std::array<std::uint8_t, 64> out{};
  rtp::RtpHeader header;
  for (auto _ : state) {
    ++header.sequence_number;
    benchmark::DoNotOptimize(must(rtp::write_header(header, extensions, map, out)));
  }
}

void BM_RtcpParseCompound(benchmark::State& state) {
  std::array<std::uint8_t, 512> buffer{};
  rtp::RtcpWriter writer(buffer);
  rtp::SenderReport report;
  report.reports.count = 2;
  const std::array<std::uint16_t, 3> lost{10, 12, 40};
  must(writer.sender_report(report));
  must(writer.source_description(Ssrc{1}, "somebody@somewhere"));
  must(writer.nack(Ssrc{1}, Ssrc{2}, lost));
  for (auto _ : state) {
    rtp::RtcpReader reader(ByteView(buffer).first(writer.size()));
    rtp::RtcpPacketView packet;
    while (reader.next(packet)) {
      benchmark::DoNotOptimize(rtp::SenderReport::parse(packet));
      benchmark::DoNotOptimize(rtp::SourceDescription::parse(packet));
      const auto feedback = rtp::Feedback::parse(packet);
      if (feedback) benchmark::DoNotOptimize(rtp::parse_nack(feedback.value()));
    }
  }
}

void BM_TransportFeedbackPerPacket(benchmark::State& state) {
  rtp::TransportFeedbackCollector collector;
  std::array<std::uint8_t, 1200> buffer{};
  std::uint16_t number = 0;
  std::int64_t now = 0;
  for (auto _ : state) {
    collector.packet_received(++number, TimePoint(Duration(now += 300)));
    if (number % 64 != 0) continue;
    rtp::RtcpWriter writer(buffer);
    must(collector.write(writer, Ssrc{1}, Ssrc{2}));
  }
}

void BM_RtxWrap(benchmark::State& state) {
  const Bytes packet = make_packet(make_map());
  const auto view = must(rtp::RtpPacketView::parse(packet));
  Bytes out(1300);
  for (auto _ : state) {
    benchmark::DoNotOptimize(must(rtp::wrap_rtx(view, {Ssrc{2}, PayloadType{97}}, 7, out)));
  }
  state.SetBytesProcessed(state.iterations() * 1200);
}

void BM_RedEncodeAndParse(benchmark::State& state) {
  rtp::RedEncoder encoder(PayloadType{111}, static_cast<std::size_t>(state.range(0)));
  const Bytes payload = pattern(160);
  std::array<std::uint8_t, 1200> out{};
  std::uint32_t timestamp = 0;
  for (auto _ : state) {
    const auto size = must(encoder.encode(payload, RtpTimestamp{timestamp += 960}, out));
    benchmark::DoNotOptimize(must(rtp::parse_red(ByteView(out).first(size))));
  }
}

void BM_DependencyDescriptorOfADeltaFrame(benchmark::State& state) {
  const std::array<std::uint8_t, 13> key{0x80, 0x00, 0x01, 0x80, 0x00, 0x3a, 0x41,
                                         0x01, 0x80, 0xef, 0x80, 0x86, 0x80};
  const std::array<std::uint8_t, 3> delta{0x40, 0x00, 0x01};
  rtp::DependencyDescriptorReader reader;
  (void)must(reader.read(key));
  for (auto _ : state) benchmark::DoNotOptimize(must(reader.read(delta)));
}

BENCHMARK(BM_RtpParseWithExtensions);
BENCHMARK(BM_RtpWriteHeaderWithExtensions);
BENCHMARK(BM_RtcpParseCompound);
BENCHMARK(BM_TransportFeedbackPerPacket);
BENCHMARK(BM_RtxWrap);
BENCHMARK(BM_RedEncodeAndParse)->Arg(1)->Arg(2)->ArgName("distance");
BENCHMARK(BM_DependencyDescriptorOfADeltaFrame);

}  // namespace
}  // namespace sealroom::bench
