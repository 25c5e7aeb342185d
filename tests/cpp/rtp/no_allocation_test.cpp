#include <gtest/gtest.h>

#include "sealroom/rtp/header_extension.h"
#include "sealroom/rtp/packet_history.h"
#include "sealroom/rtp/payload_format.h"
#include "sealroom/rtp/rtcp.h"
#include "support/allocation_counter.h"

namespace sealroom::rtp {
namespace {

using sealroom::test::allocation_count;

TEST(PacketPath, DoesNotAllocate) {
  ExtensionMap map;
  ASSERT_TRUE(map.set(ExtensionType::mid, 1).ok());
  ASSERT_TRUE(map.set(ExtensionType::abs_send_time, 2).ok());
  HeaderExtensions extensions;
  extensions.mid = "0";
  const Bytes frame(50000, 0x11);
  const auto packetizer = Packetizer::create(Codec::vp8);
  PacketHistory history(256);
  std::array<std::uint8_t, kMaxDatagramSize> datagram{};

  const std::size_t before = allocation_count();
  std::uint16_t sequence_number = 0;
  std::size_t bytes_back = 0;
  for (int round = 0; round < 10; ++round) {
    const auto count = packetizer->start(frame, 1160);
    for (std::size_t i = 0; i < count.value(); ++i) {
      RtpHeader header;
      header.payload_type = PayloadType{96};
      header.sequence_number = sequence_number++;
      extensions.abs_send_time = to_abs_send_time(NtpTime{std::uint64_t{sequence_number} << 32});
      const auto header_bytes = write_header(header, extensions, map, datagram);
      const auto payload =
          packetizer->write_next(MutableByteView(datagram).subspan(header_bytes.value()));
      const ByteView packet = ByteView(datagram).first(header_bytes.value() + payload.value());
      history.store(header.sequence_number, packet, TimePoint{});
      const ByteView again =
          history.take_for_retransmission(header.sequence_number, Duration{0}, TimePoint{});
      const auto parsed = RtpPacketView::parse(again);
      if (read_extensions(parsed.value(), map).mid != "0") continue;
      bytes_back += depacketize(Codec::vp8, parsed.value().payload()).value().data.size();
    }
  }
  const std::size_t after = allocation_count();
  EXPECT_EQ(after - before, 0U);
  EXPECT_EQ(bytes_back, 10 * frame.size());
}

class PayloadPath : public ::testing::TestWithParam<Codec> {};

INSTANTIATE_TEST_SUITE_P(Codecs, PayloadPath,
                         ::testing::Values(Codec::vp8, Codec::vp9, Codec::h264, Codec::av1));

TEST_P(PayloadPath, DoesNotAllocateOnceWarm) {
  // Of each codec's format: a NAL unit, an OBU without size field; for VP8 and VP9 any bytes.
  Bytes frame(50000, 0x32);
  if (GetParam() == Codec::h264) frame[0] = frame[1] = 0, frame[2] = 1, frame[3] = 0x65;
  if (GetParam() == Codec::av1) frame[0] = 0x30;
  const auto packetizer = Packetizer::create(GetParam());
  std::array<std::uint8_t, kMaxDatagramSize> payload{};
  std::array<std::uint8_t, 1500> scratch{};
  Bytes joined;
  joined.reserve(60000);
  bool is_right = true;
  std::size_t before = 0;
  for (int round = 0; round < 10; ++round) {
    if (round == 1) before = allocation_count();
    joined.clear();
    const auto count = packetizer->start(frame, 1160);
    for (std::size_t i = 0; i < count.value(); ++i) {
      const auto size = packetizer->write_next(payload);
      const auto part = depacketize(GetParam(), ByteView(payload).first(size.value()), scratch);
      joined.insert(joined.end(), part.value().data.begin(), part.value().data.end());
    }
    is_right = is_right && finish_frame(GetParam(), joined).ok() && joined.size() >= frame.size();
  }
  EXPECT_EQ(allocation_count() - before, 0U);
  EXPECT_TRUE(is_right);
}

TEST(RtcpPath, DoesNotAllocate) {
  std::array<std::uint8_t, 512> buffer{};
  const std::array<std::uint16_t, 4> lost{1, 2, 50, 100};
  SenderReport report;
  report.reports.count = 2;

  const std::size_t before = allocation_count();
  RtcpWriter writer(buffer);
  const bool written =
      writer.sender_report(report).ok() &&
      writer.source_description(Ssrc{1}, "a cname longer than a small string").ok() &&
      writer.nack(Ssrc{1}, Ssrc{2}, lost).ok();
  RtcpReader reader(ByteView(buffer).first(writer.size()));
  RtcpPacketView packet;
  std::size_t parsed = 0;
  while (reader.next(packet)) {
    if (packet.type == RtcpType::sender_report) parsed += SenderReport::parse(packet).ok();
    if (packet.type == RtcpType::source_description)
      parsed += SourceDescription::parse(packet).ok();
    if (packet.type != RtcpType::transport_feedback) continue;
    parsed += parse_nack(Feedback::parse(packet).value()).value().count;
  }
  const std::size_t after = allocation_count();
  EXPECT_EQ(after - before, 0U);
  EXPECT_TRUE(written);
  EXPECT_EQ(parsed, 2 + lost.size());
}

TEST(AllocationCounter, Counts) {
  const std::size_t before = allocation_count();
  const auto packetizer = Packetizer::create(Codec::opus);
  EXPECT_GT(allocation_count(), before);
}

}  // namespace
}  // namespace sealroom::rtp
