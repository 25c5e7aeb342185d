#include <gtest/gtest.h>

#include <numeric>

#include "rtp/support.h"
#include "sealroom/rtp/rtcp.h"

namespace sealroom::rtp {
namespace {

using test::from_hex;
using test::to_bytes;

constexpr Ssrc kSender{0x11111111};
constexpr Ssrc kMedia{0x22222222};

SenderReport full_report() {
  SenderReport report;
  report.sender = kSender;
  report.ntp_time = NtpTime{0x0123456789abcdef};
  report.rtp_timestamp = RtpTimestamp{90000};
  report.packet_count = 100;
  report.octet_count = 123456;
  report.reports.count = kMaxReportBlocks;
  for (std::size_t i = 0; i < kMaxReportBlocks; ++i) {
    const auto n = static_cast<std::uint32_t>(i);
    report.reports.blocks[i] = {Ssrc{n}, 7, -0x800000, n + 1, n + 2, n + 3, n + 4};
  }
  return report;
}

std::vector<std::uint16_t> written_nack(std::vector<std::uint16_t> numbers,
                                        std::size_t* size = nullptr) {
  std::array<std::uint8_t, 2048> buffer{};
  RtcpWriter writer(buffer);
  EXPECT_TRUE(writer.nack(kSender, kMedia, numbers).ok());
  if (size != nullptr) *size = writer.size();
  RtcpReader reader(ByteView(buffer).first(writer.size()));
  RtcpPacketView packet;
  EXPECT_TRUE(reader.next(packet));
  EXPECT_EQ(packet.count_or_format, kNackFormat);
  const auto list = parse_nack(Feedback::parse(packet).value());
  EXPECT_TRUE(list.ok());
  const auto& read = list.value();
  return {read.sequence_numbers.begin(),
          read.sequence_numbers.begin() + static_cast<std::ptrdiff_t>(read.count)};
}

TEST(RtcpWriter, ReportsRoundTripWithAllBlocks) {
  std::array<std::uint8_t, 2048> buffer{};
  RtcpWriter writer(buffer);
  const SenderReport report = full_report();
  ASSERT_TRUE(writer.sender_report(report).ok());
  EXPECT_EQ(writer.size(), 4U + 24U + 31U * 24U);
  ASSERT_TRUE(writer.receiver_report({kSender, report.reports}).ok());

  RtcpReader reader(ByteView(buffer).first(writer.size()));
  RtcpPacketView packet;
  ASSERT_TRUE(reader.next(packet));
  const auto sender = SenderReport::parse(packet);
  ASSERT_TRUE(sender.ok());
  EXPECT_EQ(sender.value().ntp_time, report.ntp_time);
  EXPECT_EQ(sender.value().octet_count, 123456U);
  ASSERT_EQ(sender.value().reports.count, kMaxReportBlocks);
  const ReportBlock& last = sender.value().reports.blocks[30];
  EXPECT_EQ(last.ssrc, Ssrc{30});
  EXPECT_EQ(last.cumulative_lost, -0x800000);
  EXPECT_EQ(last.delay_since_last_sender_report, 34U);
  ASSERT_TRUE(reader.next(packet));
  EXPECT_EQ(ReceiverReport::parse(packet).value().reports.count, kMaxReportBlocks);
  EXPECT_FALSE(reader.next(packet));
  EXPECT_TRUE(reader.ok());
}

TEST(RtcpWriter, WritesTheBytesOfTheRfcs) {
  std::array<std::uint8_t, 64> buffer{};
  RtcpWriter writer(buffer);
  ASSERT_TRUE(writer.picture_loss_indication(kSender, kMedia).ok());
  ASSERT_TRUE(writer.bye(kSender).ok());
  const std::vector<std::uint16_t> lost{0xfffe, 0xffff, 14, 15};
  ASSERT_TRUE(writer.nack(kSender, kMedia, lost).ok());
  EXPECT_EQ(to_bytes(ByteView(buffer).first(writer.size())), from_hex("81ce0002"
                                                                      "1111111122222222"
                                                                      "81cb0001"
                                                                      "11111111"
                                                                      "81cd0004"
                                                                      "1111111122222222"
                                                                      "fffe8001"
                                                                      "000f0000"));
}

TEST(RtcpWriter, CnameAlwaysEndsWithAZeroAtAWord) {
  for (std::size_t size = 1; size <= 255; ++size) {
    std::array<std::uint8_t, 300> buffer{};
    buffer.fill(0xEE);
    const std::string cname(size, 'c');
    RtcpWriter writer(buffer);
    ASSERT_TRUE(writer.source_description(kSender, cname).ok());
    ASSERT_EQ(writer.size() % 4, 0U);
    ASSERT_EQ(buffer[writer.size() - 1], 0);
    ASSERT_EQ(buffer[writer.size()], 0xEE);
    RtcpReader reader(ByteView(buffer).first(writer.size()));
    RtcpPacketView packet;
    ASSERT_TRUE(reader.next(packet));
    ASSERT_EQ(SourceDescription::parse(packet).value().cname, cname);
  }
}

TEST(RtcpWriter, SourceItemsBecomeChunksAndReadBack) {
  for (std::size_t size = 0; size < 9; ++size) {
    const std::string text(size, 't');
    const std::array<SdesItem, 4> items{{{Ssrc{1}, SdesType::cname, "a"},
                                         {Ssrc{1}, SdesType::tool, text},
                                         {Ssrc{2}, SdesType::priv, text},
                                         {Ssrc{3}, SdesType::note, "n"}}};
    std::array<std::uint8_t, 200> buffer{};
    RtcpWriter writer(buffer);
    ASSERT_TRUE(writer.source_description(items).ok());
    ASSERT_TRUE(writer.bye(kSender).ok());
    RtcpReader reader(ByteView(buffer).first(writer.size()));
    RtcpPacketView packet;
    ASSERT_TRUE(reader.next(packet));
    EXPECT_EQ(packet.count_or_format, 3);
    SdesReader sdes(packet);
    SdesItem item;
    for (const SdesItem& expected : items) {
      ASSERT_TRUE(sdes.next(item));
      EXPECT_EQ(item.ssrc, expected.ssrc);
      EXPECT_EQ(item.type, expected.type);
      EXPECT_EQ(item.text, expected.text);
    }
    EXPECT_FALSE(sdes.next(item));
    EXPECT_TRUE(sdes.ok());
    EXPECT_TRUE(reader.next(packet));
  }
}

TEST(RtcpWriter, ByeCarriesItsReason) {
  for (std::size_t size = 0; size < 9; ++size) {
    const std::array<Ssrc, 2> sources{Ssrc{1}, Ssrc{2}};
    const std::string reason(size, 'r');
    std::array<std::uint8_t, 64> buffer{};
    RtcpWriter writer(buffer);
    ASSERT_TRUE(writer.bye(sources, reason).ok());
    RtcpReader reader(ByteView(buffer).first(writer.size()));
    RtcpPacketView packet;
    ASSERT_TRUE(reader.next(packet));
    const auto bye = Bye::parse(packet);
    ASSERT_TRUE(bye.ok());
    EXPECT_EQ(bye.value().count, 2U);
    EXPECT_EQ(bye.value().reason, reason);
  }
}

TEST(RtcpWriter, WritesTheBytesOfFirAndRemb) {
  std::array<std::uint8_t, 64> buffer{};
  RtcpWriter writer(buffer);
  const std::array<FirEntry, 1> entries{{{kMedia, 7}}};
  const std::array<Ssrc, 1> sources{kMedia};
  ASSERT_TRUE(writer.full_intra_request(kSender, entries).ok());
  ASSERT_TRUE(writer.remb(kSender, 0x40001, sources).ok());
  EXPECT_EQ(to_bytes(ByteView(buffer).first(writer.size())), from_hex("84ce0004"
                                                                      "1111111100000000"
                                                                      "2222222207000000"
                                                                      "8fce0005"
                                                                      "1111111100000000"
                                                                      "52454d4201060000"
                                                                      "22222222"));
}

TEST(RtcpWriter, RembKeepsEighteenBitsOfAnyRate) {
  for (unsigned shift = 0; shift < 64; ++shift) {
    const std::uint64_t rate = ~std::uint64_t{0} >> shift;
    std::array<std::uint8_t, 64> buffer{};
    RtcpWriter writer(buffer);
    ASSERT_TRUE(writer.remb(kSender, rate, {}).ok());
    RtcpReader reader(ByteView(buffer).first(writer.size()));
    RtcpPacketView packet;
    ASSERT_TRUE(reader.next(packet));
    const auto remb = parse_remb(Feedback::parse(packet).value());
    ASSERT_TRUE(remb.ok());
    EXPECT_LE(remb.value().bits_per_second, rate);
    EXPECT_LE(rate - remb.value().bits_per_second, rate >> 17);
  }
}

TEST(RtcpWriter, PadsTheLastPacketOnly) {
  Bytes buffer(64);
  RtcpWriter writer(buffer);
  EXPECT_EQ(writer.pad(4).error(), Error::invalid_argument);
  ASSERT_TRUE(writer.receiver_report({kSender, {}}).ok());
  ASSERT_TRUE(writer.picture_loss_indication(kSender, kMedia).ok());
  for (const std::size_t size : {0U, 3U, 256U}) {
    EXPECT_EQ(writer.pad(size).error(), Error::invalid_argument);
  }
  EXPECT_EQ(writer.pad(48).error(), Error::buffer_too_small);
  ASSERT_TRUE(writer.pad(8).ok());
  EXPECT_EQ(writer.pad(4).error(), Error::invalid_argument);
  EXPECT_EQ(to_bytes(ByteView(buffer).first(writer.size())), from_hex("80c9000111111111"
                                                                      "a1ce0004"
                                                                      "1111111122222222"
                                                                      "0000000000000008"));
  EXPECT_TRUE(check_compound(ByteView(buffer).first(writer.size())).ok());
}

TEST(RtcpWriter, FeedbackThatEndsInAWordIsPadded) {
  for (std::size_t size = 0; size < 9; ++size) {
    Bytes buffer(12 + (size + 3) / 4 * 4);
    RtcpWriter writer(buffer);
    EXPECT_EQ(writer.feedback_room(), (size + 3) / 4 * 4);
    const Bytes content(size, 0xAB);
    ASSERT_TRUE(writer.feedback(RtcpType::payload_feedback, 31, kSender, kMedia, content).ok());
    RtcpReader reader(buffer);
    RtcpPacketView packet;
    ASSERT_TRUE(reader.next(packet));
    EXPECT_EQ(packet.count_or_format, 31);
    EXPECT_EQ(to_bytes(Feedback::parse(packet).value().control_information), content);
  }
}

TEST(RtcpWriter, NackRoundTripsAndPacksTightly) {
  std::size_t size = 0;
  std::vector<std::uint16_t> run(17);
  std::iota(run.begin(), run.end(), std::uint16_t{65530});
  EXPECT_EQ(written_nack(run, &size), run);
  EXPECT_EQ(size, 16U);  // seventeen in a row are one word
  const std::vector<std::uint16_t> sparse{1, 18, 40, 56, 57};
  EXPECT_EQ(written_nack(sparse, &size), sparse);
  EXPECT_EQ(size, 12U + 4 * 4U);
  EXPECT_EQ(written_nack({5, 5, 6, 6}), (std::vector<std::uint16_t>{5, 6}));
}

TEST(RtcpWriter, WritesWholePacketsOrNothing) {
  const std::vector<std::uint16_t> lost{1, 100};
  const SenderReport report = full_report();
  for (std::size_t size = 0; size < 900; size += 4) {
    Bytes buffer(size, 0xEE);
    RtcpWriter writer(buffer);
    std::size_t before = 0;
    const auto check = [&](Result<void> result, std::size_t needed) {
      const bool fits = size - before >= needed;
      ASSERT_EQ(result.ok(), fits);
      if (!fits) {
        ASSERT_EQ(result.error(), Error::buffer_too_small);
        ASSERT_EQ(writer.size(), before);
        if (before < size) {
          ASSERT_EQ(buffer[before], 0xEE);
        }
      }
      before = writer.size();
    };
    check(writer.sender_report(report), 772);
    check(writer.source_description(kSender, "cname"), 16);
    check(writer.nack(kSender, kMedia, lost), 20);
    check(writer.receiver_report({kSender, {}}), 8);
    check(writer.picture_loss_indication(kSender, kMedia), 12);
    check(writer.bye(kSender), 8);
  }
}

TEST(RtcpWriter, RefusesValuesThatDoNotFit) {
  Bytes buffer(70000 * 4);
  RtcpWriter writer(buffer);
  SenderReport report = full_report();
  report.reports.count = kMaxReportBlocks + 1;
  EXPECT_EQ(writer.sender_report(report).error(), Error::invalid_argument);
  EXPECT_EQ(writer.receiver_report({kSender, report.reports}).error(), Error::invalid_argument);
  report.reports.count = 1;
  for (const std::int32_t lost : {0x800000, -0x800001}) {
    report.reports.blocks[0].cumulative_lost = lost;
    EXPECT_EQ(writer.sender_report(report).error(), Error::invalid_argument);
  }
  EXPECT_EQ(writer.source_description(kSender, "").error(), Error::invalid_argument);
  EXPECT_EQ(writer.source_description(kSender, std::string(256, 'c')).error(),
            Error::invalid_argument);
  EXPECT_EQ(writer.nack(kSender, kMedia, {}).error(), Error::invalid_argument);
  const std::vector<Ssrc> many(256);
  EXPECT_EQ(writer.bye(std::span(many).first(32), {}).error(), Error::invalid_argument);
  EXPECT_EQ(writer.bye({}, {}).error(), Error::invalid_argument);
  EXPECT_EQ(writer.bye(std::span(many).first(1), std::string(256, 'r')).error(),
            Error::invalid_argument);
  EXPECT_EQ(writer.remb(kSender, 1, many).error(), Error::invalid_argument);
  EXPECT_EQ(writer.full_intra_request(kSender, {}).error(), Error::invalid_argument);
  EXPECT_EQ(writer.source_description(std::span<const SdesItem>()).error(),
            Error::invalid_argument);
  EXPECT_EQ(writer.feedback(RtcpType::bye, 1, kSender, kMedia, {}).error(),
            Error::invalid_argument);
  std::vector<std::uint16_t> too_many(65536);
  for (std::size_t i = 0; i < too_many.size(); ++i) {
    too_many[i] = static_cast<std::uint16_t>(i * 17);  // each in a word of its own
  }
  EXPECT_EQ(writer.nack(kSender, kMedia, too_many).error(), Error::invalid_argument);
  EXPECT_EQ(writer.size(), 0U);
}

}  // namespace
}  // namespace sealroom::rtp
