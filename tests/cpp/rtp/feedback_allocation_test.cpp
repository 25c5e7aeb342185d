#include <gtest/gtest.h>

#include <memory>

#include "rtp/support.h"
#include "sealroom/rtp/dependency_descriptor.h"
#include "sealroom/rtp/red.h"
#include "sealroom/rtp/rtx.h"
#include "sealroom/rtp/transport_feedback.h"
#include "support/allocation_counter.h"

namespace sealroom::rtp {
namespace {

using sealroom::test::allocation_count;

TEST(RtcpFeedbackPath, DoesNotAllocate) {
  TransportFeedbackCollector collector;
  std::array<std::uint8_t, 1200> buffer{};
  const std::array<Ssrc, 2> sources{Ssrc{1}, Ssrc{2}};
  const std::array<FirEntry, 1> entries{};
  const std::array<SdesItem, 2> items{
      {{Ssrc{1}, SdesType::cname, "a cname longer than any small string"},
       {Ssrc{1}, SdesType::note, "a note as long as that other one"}}};
  const std::size_t before = allocation_count();
  std::size_t received = 0;
  std::size_t others = 0;
  for (std::uint16_t number = 0; number < 5000; ++number) {
    collector.packet_received(number, TimePoint(Duration(number * 700)));
    if (number % 50 != 49) continue;
    RtcpWriter writer(buffer);
    if (!collector.write(writer, Ssrc{1}, Ssrc{2}) || !writer.remb(Ssrc{1}, 1'000'000, sources) ||
        !writer.full_intra_request(Ssrc{1}, entries) || !writer.source_description(items) ||
        !writer.bye(sources, "a reason longer than any small string") || !writer.pad(8)) {
      break;
    }
    RtcpReader reader(ByteView(buffer).first(writer.size()));
    RtcpPacketView packet;
    while (reader.next(packet)) {
      others += Bye::parse(packet).ok();
      SdesReader sdes(packet);
      for (SdesItem item; sdes.next(item);) ++others;
      const auto feedback = Feedback::parse(packet);
      if (!feedback) continue;
      others += packet.count_or_format == kFirFormat && parse_fir(feedback.value()).ok();
      others += parse_remb(feedback.value()).ok();
      if (packet.type != RtcpType::transport_feedback) continue;
      const auto parsed = TransportFeedback::parse(feedback.value());
      PacketStatuses statuses(parsed.value());
      for (PacketStatus status; statuses.next(status);) received += status.is_received;
    }
  }
  EXPECT_EQ(allocation_count() - before, 0U);
  EXPECT_EQ(received, 5000U);
  EXPECT_EQ(others, 100U * 5);
}

TEST(RtxAndRedPath, DoesNotAllocate) {
  const Bytes original = test::from_hex("80601234000000010000000201020304");
  RedEncoder encoder(PayloadType{111}, 2);
  std::array<std::uint8_t, 1200> wrapped{};
  std::array<std::uint8_t, 1200> back{};
  const std::size_t before = allocation_count();
  std::size_t good = 0;
  for (std::uint16_t number = 0; number < 100; ++number) {
    const auto packet = RtpPacketView::parse(original).value();
    const auto size = wrap_rtx(packet, {Ssrc{9}, PayloadType{97}}, number, wrapped);
    const auto rtx = RtpPacketView::parse(ByteView(wrapped).first(size.value())).value();
    good += unwrap_rtx(rtx, {Ssrc{2}, PayloadType{96}}, back).value() == original.size();
    const auto red = encoder.encode(packet.payload(), RtpTimestamp{number * 960U}, back);
    good += parse_red(ByteView(back).first(red.value())).value().count;
  }
  EXPECT_EQ(allocation_count() - before, 0U);
  EXPECT_EQ(good, 100U + 300U - 3U);
}

TEST(DependencyDescriptorPath, DoesNotAllocate) {
  const Bytes key = test::from_hex("80000180003a410180ef808680");
  const Bytes delta = test::from_hex("400001");
  const auto reader = std::make_unique<DependencyDescriptorReader>();
  const std::size_t before = allocation_count();
  bool good = true;
  for (int i = 0; i < 10; ++i) good = reader->read(key).ok() && reader->read(delta).ok() && good;
  EXPECT_EQ(allocation_count() - before, 0U);
  EXPECT_TRUE(good);
}

}  // namespace
}  // namespace sealroom::rtp
