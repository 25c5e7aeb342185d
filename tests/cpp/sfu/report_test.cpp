#include "support.h"

namespace sealroom::sfu::test {
namespace {

using ReportTest = RouterTest;

Bytes sender_report(Ssrc sender, std::uint64_t ntp, std::uint32_t timestamp) {
  return rtcp([&](rtp::RtcpWriter& writer) {
    rtp::SenderReport report;
    report.sender = sender;
    report.ntp_time = NtpTime{ntp};
    report.rtp_timestamp = RtpTimestamp{timestamp};
    (void)writer.sender_report(report);
    (void)writer.source_description(sender, "publisher");
  });
}

std::vector<rtp::SenderReport> sender_reports(const Peer& peer) {
  std::vector<rtp::SenderReport> reports;
  for (const auto& packet : peer.find(rtp::RtcpType::sender_report)) {
    reports.push_back(must(rtp::SenderReport::parse(packet)));
  }
  return reports;
}

/// Without the empty ones that other feedback begins with.
std::vector<rtp::ReceiverReport> receiver_reports(const Peer& peer) {
  std::vector<rtp::ReceiverReport> reports;
  for (const auto& packet : peer.find(rtp::RtcpType::receiver_report)) {
    const auto report = must(rtp::ReceiverReport::parse(packet));
    if (report.reports.count > 0) reports.push_back(report);
  }
  return reports;
}

TEST_P(ReportTest, SenderReportsCarryTheProducersTimeLineOnForEachConsumer) {
  Peer& publisher = network.add_peer();
  const ProducerId producer = network.add_video(publisher);
  Peer& a = network.add_peer();
  Peer& b = network.add_peer();
  network.add_consumer(a, producer, Ssrc{50});
  network.add_consumer(b, producer, Ssrc{51});
  send_frame(publisher, 0, 4, true, 0);
  network.advance(seconds(3));
  EXPECT_TRUE(sender_reports(a).empty()) << "before the producer's first";

  const std::uint64_t ntp = std::uint64_t{0xE0000000} << 32;
  network.send_rtcp(publisher, sender_report(kVideoSsrc, ntp, 900'000));
  ASSERT_EQ(sender_reports(a).size(), 1u);
  ASSERT_EQ(sender_reports(b).size(), 1u);
  const auto first = sender_reports(b)[0];
  EXPECT_EQ(first.sender, Ssrc{51});
  EXPECT_EQ(first.ntp_time.value, ntp);
  EXPECT_EQ(first.rtp_timestamp.value, 900'000u);
  EXPECT_EQ(first.packet_count, 4u);
  EXPECT_EQ(first.octet_count, 2000u);

  network.advance(milliseconds(2500));
  ASSERT_EQ(sender_reports(a).size(), 3u);
  const auto third = sender_reports(a)[2];
  EXPECT_EQ(third.sender, Ssrc{50});
  EXPECT_EQ(third.ntp_time.value, ntp + (std::uint64_t{2} << 32));
  EXPECT_EQ(third.rtp_timestamp.value, 900'000u + 180'000);
}

TEST_P(ReportTest, TracksOfOnePublisherShareACanonicalName) {
  Peer& publisher = network.add_peer();
  Peer& other = network.add_peer();
  const ProducerId video = network.add_video(publisher);
  const ProducerId audio = network.add_audio(publisher);
  const ProducerId stranger = network.add_audio(other);
  Peer& subscriber = network.add_peer();
  network.add_consumer(subscriber, video, Ssrc{50});
  network.add_consumer(subscriber, audio, Ssrc{51});
  network.add_consumer(subscriber, stranger, Ssrc{52});
  send_frame(publisher, 0, 1, true, 0);
  PacketSpec spec;
  spec.type = kAudioType;
  spec.ssrc = kAudioSsrc;
  for (Peer* from : {&publisher, &other}) {
    network.send(*from, spec, pattern(10, 0));
    network.send_rtcp(*from, sender_report(kAudioSsrc, 1, 1));
  }
  network.send_rtcp(publisher, sender_report(kVideoSsrc, 1, 1));
  std::map<std::uint32_t, std::string> names;
  for (const auto& packet : subscriber.find(rtp::RtcpType::source_description)) {
    const auto description = must(rtp::SourceDescription::parse(packet));
    names[description.ssrc.value] = std::string(description.cname);
  }
  ASSERT_EQ(names.size(), 3u);
  EXPECT_EQ(names[50], names[51]);
  EXPECT_NE(names[50], names[52]);
}

TEST_P(ReportTest, ReceiverReportsTellTheProducerOfItsLossEverySecond) {
  Peer& publisher = network.add_peer();
  network.add_video(publisher);
  send_frame(publisher, 65530, 20, true, 0, {65535, 0});
  network.send_rtcp(publisher, sender_report(kVideoSsrc, 0x11112222'33334444, 0));
  network.advance(milliseconds(999));
  EXPECT_TRUE(receiver_reports(publisher).empty());
  network.advance(milliseconds(1));
  ASSERT_EQ(receiver_reports(publisher).size(), 1u);
  const auto report = receiver_reports(publisher)[0];
  ASSERT_EQ(report.reports.count, 1u);
  const rtp::ReportBlock& block = report.reports.blocks[0];
  EXPECT_EQ(block.ssrc, kVideoSsrc);
  EXPECT_EQ(block.cumulative_lost, 2);
  EXPECT_EQ(block.fraction_lost, 2 * 256 / 20);
  EXPECT_EQ(block.extended_highest_sequence, 65536u + 13);
  EXPECT_EQ(block.last_sender_report, 0x22223333u);
  EXPECT_EQ(block.delay_since_last_sender_report, 65536u);
  // Every compound begins with a report and names its source (RFC 3550 section 6.1).
  EXPECT_EQ(publisher.find(rtp::RtcpType::source_description).size(), publisher.control.size());
  EXPECT_EQ(publisher.find(rtp::RtcpType::receiver_report).size(), publisher.control.size());
  network.advance(seconds(5));
  EXPECT_EQ(receiver_reports(publisher).size(), 6u);
}

TEST_P(ReportTest, NothingIsReportedBeforeTheFirstPacket) {
  Peer& publisher = network.add_peer();
  network.add_video(publisher);
  network.advance(seconds(5));
  EXPECT_TRUE(publisher.control.empty());
}

TEST_P(ReportTest, AConsumersLossIsTakenFromItsReceiverReports) {
  Peer& publisher = network.add_peer();
  const ProducerId producer = network.add_video(publisher);
  Peer& subscriber = network.add_peer();
  const ConsumerId consumer = network.add_consumer(subscriber, producer, Ssrc{50});
  network.send_rtcp(subscriber, rtcp([](rtp::RtcpWriter& writer) {
                      rtp::ReceiverReport report;
                      report.sender = Ssrc{9};
                      report.reports.count = 2;
                      report.reports.blocks[0].ssrc = Ssrc{777};
                      report.reports.blocks[0].fraction_lost = 200;
                      report.reports.blocks[1].ssrc = Ssrc{50};
                      report.reports.blocks[1].fraction_lost = 51;
                      (void)writer.receiver_report(report);
                    }));
  EXPECT_EQ(network.router.statistics(consumer)->fraction_lost, 51);
}

SEALROOM_INSTANTIATE_ROUTER_TEST(ReportTest);

}  // namespace
}  // namespace sealroom::sfu::test
