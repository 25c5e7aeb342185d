#include "sealroom/rtp/rtcp.h"

#include <gtest/gtest.h>

#include <string>

#include "rtp/support.h"

namespace sealroom::rtp {
namespace {

using test::ExactCopy;
using test::for_each_truncation;
using test::from_hex;
using test::to_bytes;

// Layout of RFC 3550 section 6.4.1: one report block with -2 lost packets.
const std::string kSenderReport =
    "81c8000c"
    "11111111"
    "0123456789abcdef"
    "00015f90"
    "00000064"
    "0001e240"
    "22222222"
    "80fffffe"
    "0001ffff"
    "0000002a"
    "456789ab"
    "00010000";
const std::string kReceiverReport =
    "81c90007"
    "11111111"
    "22222222"
    "40000005"
    "0001ffff"
    "0000002a"
    "456789ab"
    "00010000";
// CNAME "me@home" behind a NAME item, one zero and padding.
const std::string kSourceDescription =
    "81ca0005"
    "11111111"
    "0202"
    "4d65"
    "0107"
    "6d6540686f6d65"
    "000000";
const std::string kBye =
    "82cb0002"
    "11111111"
    "22222222";
const std::string kNack =
    "81cd0004"
    "11111111"
    "22222222"
    "fffe8001"
    "00640000";
const std::string kPli =
    "81ce0002"
    "11111111"
    "22222222";
const std::string kFir =
    "84ce0006"
    "11111111"
    "00000000"
    "22222222"
    "01000000"
    "33333333"
    "05000000";

RtcpPacketView single(const Bytes& compound) {
  RtcpReader reader(compound);
  RtcpPacketView packet;
  EXPECT_TRUE(reader.next(packet));
  return packet;
}

// Walks a datagram and parses whatever it holds; true if all of it is well-formed.
bool parse_everything(ByteView datagram) {
  RtcpReader reader(datagram);
  RtcpPacketView packet;
  bool good = true;
  while (reader.next(packet)) {
    switch (packet.type) {
      case RtcpType::sender_report:
        good = SenderReport::parse(packet).ok() && good;
        break;
      case RtcpType::receiver_report:
        good = ReceiverReport::parse(packet).ok() && good;
        break;
      case RtcpType::source_description:
        good = SourceDescription::parse(packet).ok() && good;
        break;
      case RtcpType::bye:
        good = Bye::parse(packet).ok() && good;
        break;
      case RtcpType::transport_feedback:
      case RtcpType::payload_feedback: {
        const auto feedback = Feedback::parse(packet);
        good = feedback.ok() && good;
        if (feedback.ok()) {
          (void)parse_nack(feedback.value());
          (void)parse_fir(feedback.value());
        }
        break;
      }
      default:
        break;
    }
  }
  return reader.ok() && good;
}

TEST(Rtcp, ReadsASenderReport) {
  const Bytes bytes = from_hex(kSenderReport);
  const auto parsed = SenderReport::parse(single(bytes));
  ASSERT_TRUE(parsed.ok());
  const SenderReport& report = parsed.value();
  EXPECT_EQ(report.sender, Ssrc{0x11111111});
  EXPECT_EQ(report.ntp_time, NtpTime{0x0123456789abcdef});
  EXPECT_EQ(report.rtp_timestamp, RtpTimestamp{90000});
  EXPECT_EQ(report.packet_count, 100U);
  EXPECT_EQ(report.octet_count, 123456U);
  ASSERT_EQ(report.reports.count, 1U);
  const ReportBlock& block = report.reports.blocks[0];
  EXPECT_EQ(block.ssrc, Ssrc{0x22222222});
  EXPECT_EQ(block.fraction_lost, 0x80);
  EXPECT_EQ(block.cumulative_lost, -2);
  EXPECT_EQ(block.extended_highest_sequence, 0x1ffffU);
  EXPECT_EQ(block.jitter, 42U);
  EXPECT_EQ(block.last_sender_report, 0x456789abU);
  EXPECT_EQ(block.delay_since_last_sender_report, 65536U);
}

TEST(Rtcp, ReadsAReceiverReportAndIgnoresAProfileExtension) {
  Bytes bytes = from_hex(kReceiverReport + "cafecafe");
  bytes[3] = 8;
  const auto parsed = ReceiverReport::parse(single(bytes));
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed.value().reports.blocks[0].fraction_lost, 0x40);
  EXPECT_EQ(parsed.value().reports.blocks[0].cumulative_lost, 5);
}

TEST(Rtcp, ReadsTheCnameBehindOtherItems) {
  const Bytes bytes = from_hex(kSourceDescription);
  const auto parsed = SourceDescription::parse(single(bytes));
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed.value().ssrc, Ssrc{0x11111111});
  EXPECT_EQ(parsed.value().cname, "me@home");
}

TEST(Rtcp, SourceDescriptionWithoutACnameIsEmpty) {
  const Bytes none = from_hex("80ca0000");
  EXPECT_EQ(SourceDescription::parse(single(none)).value().cname, "");
  const Bytes name_only = from_hex("81ca00031111111102024d6500000000");
  EXPECT_EQ(SourceDescription::parse(single(name_only)).value().cname, "");
}

TEST(Rtcp, SourceDescriptionItemPastTheEndIsTruncated) {
  const Bytes bytes = from_hex(
      "81ca0002111111110107"
      "6d65");
  EXPECT_EQ(SourceDescription::parse(single(bytes)).error(), Error::truncated);
  const Bytes no_end = from_hex(
      "81ca0002111111110102"
      "6d65");  // the list's closing zero is missing
  EXPECT_EQ(SourceDescription::parse(single(no_end)).error(), Error::truncated);
}

TEST(Rtcp, ReadsByeWithItsReason) {
  const Bytes bytes = from_hex(
      "82cb0003"
      "1111111122222222"
      "03627965");
  const auto parsed = Bye::parse(single(bytes));
  ASSERT_TRUE(parsed.ok());
  ASSERT_EQ(parsed.value().count, 2U);
  EXPECT_EQ(parsed.value().sources[1], Ssrc{0x22222222});
  EXPECT_EQ(parsed.value().reason, "bye");
}

TEST(Rtcp, ByeReasonPastTheEndIsTruncated) {
  const Bytes bytes = from_hex(
      "81cb0002"
      "11111111"
      "04627965");
  EXPECT_EQ(Bye::parse(single(bytes)).error(), Error::truncated);
  const Bytes none = from_hex(
      "81cb0002"
      "11111111"
      "00000000");
  EXPECT_EQ(Bye::parse(single(none)).value().reason, "");
}

TEST(Rtcp, ReadsEveryItemOfEveryChunk) {
  const Bytes bytes = from_hex(
      "83ca000b"
      "11111111"
      "0202"
      "4d65"
      "0107"
      "6d6540686f6d65"
      "000000"
      "22222222"
      "00000000"
      "33333333"
      "0804"
      "02696478"
      "0601"
      "41"
      "000000");
  SdesReader reader(single(bytes));
  SdesItem item;
  std::string read;
  while (reader.next(item)) {
    read += std::to_string(item.ssrc.value >> 28) + ":" +
            std::to_string(static_cast<int>(item.type)) + "=" + std::string(item.text) + " ";
  }
  EXPECT_TRUE(reader.ok());
  EXPECT_EQ(read, "1:2=Me 1:1=me@home 3:8=\x02idx 3:6=A ");
}

TEST(Rtcp, SourceItemsPastTheEndAreSaid) {
  for (const char* hex : {"81ca00021111111101076d65",     // the text
                          "82ca00021111111101000000",     // the second chunk
                          "81ca00021111111101026d65"}) {  // the closing zero
    const Bytes bytes = from_hex(hex);
    SdesReader reader(single(bytes));
    SdesItem item;
    while (reader.next(item)) continue;
    EXPECT_FALSE(reader.ok()) << hex;
  }
}

TEST(Rtcp, ReadsRemb) {
  // As in the draft's format: exponent 6, mantissa 0x10000, two sources.
  const Bytes bytes = from_hex(
      "8fce0006"
      "11111111"
      "00000000"
      "52454d42"
      "02190000"
      "22222222"
      "33333333");
  const auto remb = parse_remb(Feedback::parse(single(bytes)).value());
  ASSERT_TRUE(remb.ok());
  EXPECT_EQ(remb.value().bits_per_second, 0x10000ULL << 6);
  ASSERT_EQ(remb.value().count, 2U);
  EXPECT_EQ(remb.value().sources[1], Ssrc{0x33333333});
}

TEST(Rtcp, RefusesRembThatCannotBe) {
  const auto error = [](const char* hex) {
    const Bytes bytes = from_hex(hex);
    const auto remb = parse_remb(Feedback{{}, {}, bytes});
    return remb.ok() ? std::optional<Error>() : remb.error();
  };
  EXPECT_EQ(error("52454d"), Error::unsupported);
  EXPECT_EQ(error("52454d42010000"), Error::truncated);
  EXPECT_EQ(error("52454d4201000001"), Error::truncated);
  EXPECT_EQ(error("4142434400000001"), Error::unsupported);
  EXPECT_EQ(error("52454d4200bbffff"), std::nullopt);      // 18 bits and 46 zeros
  EXPECT_EQ(error("52454d4200bfffff"), Error::malformed);  // 18 bits and 47 zeros
  EXPECT_EQ(error("52454d4200fc0001"), std::nullopt);      // 2 to the 63
}

TEST(CheckCompound, AsksForAReportFirstAndNoPaddingOfIt) {
  EXPECT_TRUE(check_compound(from_hex(kSenderReport + kSourceDescription + kNack)).ok());
  EXPECT_TRUE(check_compound(from_hex(kReceiverReport)).ok());
  EXPECT_EQ(check_compound(from_hex(kNack + kReceiverReport)).error(), Error::malformed);
  EXPECT_EQ(check_compound({}).error(), Error::malformed);
  EXPECT_EQ(check_compound(from_hex(kReceiverReport + "80")).error(), Error::malformed);
  Bytes padded = from_hex(kReceiverReport + "00000004");
  padded[0] |= 0x20;
  padded[3] += 1;
  EXPECT_EQ(check_compound(padded).error(), Error::malformed);
  Bytes other = from_hex(kReceiverReport + kBye);
  other[32] = 0x41;  // version 1 behind a good report
  EXPECT_EQ(check_compound(other).error(), Error::malformed);
}

TEST(Rtcp, ReadsPliAndFir) {
  const Bytes pli = from_hex(kPli);
  EXPECT_EQ(single(pli).count_or_format, kPliFormat);
  EXPECT_EQ(Feedback::parse(single(pli)).value().media, Ssrc{0x22222222});
  const Bytes fir = from_hex(kFir);
  EXPECT_EQ(single(fir).count_or_format, kFirFormat);
  const auto targets = parse_fir(Feedback::parse(single(fir)).value());
  ASSERT_TRUE(targets.ok());
  ASSERT_EQ(targets.value().count, 2U);
  EXPECT_EQ(targets.value().entries[0].ssrc, Ssrc{0x22222222});
  EXPECT_EQ(targets.value().entries[1].ssrc, Ssrc{0x33333333});
  EXPECT_EQ(targets.value().entries[1].command_sequence_number, 5);
}

TEST(Rtcp, ExpandsNacksAcrossTheWrap) {
  const Bytes bytes = from_hex(kNack);
  const auto list = parse_nack(Feedback::parse(single(bytes)).value());
  ASSERT_TRUE(list.ok());
  ASSERT_EQ(list.value().count, 4U);
  EXPECT_EQ(list.value().sequence_numbers[0], 0xfffe);
  EXPECT_EQ(list.value().sequence_numbers[1], 0xffff);
  EXPECT_EQ(list.value().sequence_numbers[2], 14);  // bit 15: 0xfffe + 16
  EXPECT_EQ(list.value().sequence_numbers[3], 100);
}

TEST(Rtcp, NackListIsBoundedWhateverThePeerSends) {
  const Bytes words(4 * 10000, 0xff);
  const Feedback feedback{{}, {}, words};
  const auto list = parse_nack(feedback);
  ASSERT_TRUE(list.ok());
  EXPECT_EQ(list.value().count, kMaxNackedPackets);
}

TEST(Rtcp, FirListIsBoundedWhateverThePeerSends) {
  const Bytes entries(8 * 1000, 0xff);
  EXPECT_EQ(parse_fir(Feedback{{}, {}, entries}).value().count, kMaxReportBlocks);
}

TEST(Rtcp, RefusesControlInformationOfTheWrongSize) {
  for (const std::size_t size : {0U, 1U, 3U, 5U}) {
    const Bytes words(size);
    EXPECT_EQ(parse_nack(Feedback{{}, {}, words}).error(), Error::malformed) << size;
    EXPECT_EQ(parse_fir(Feedback{{}, {}, words}).error(), Error::malformed) << size;
  }
}

TEST(Rtcp, ParsersRefuseOtherTypes) {
  const Bytes bytes = from_hex(kPli);
  const RtcpPacketView packet = single(bytes);
  EXPECT_EQ(SenderReport::parse(packet).error(), Error::invalid_argument);
  EXPECT_EQ(ReceiverReport::parse(packet).error(), Error::invalid_argument);
  EXPECT_EQ(SourceDescription::parse(packet).error(), Error::invalid_argument);
  EXPECT_EQ(Bye::parse(packet).error(), Error::invalid_argument);
  const Bytes bye = from_hex(kBye);
  EXPECT_EQ(Feedback::parse(single(bye)).error(), Error::invalid_argument);
}

TEST(Rtcp, ReportWithFewerBlocksThanItCountsIsTruncated) {
  Bytes sender = from_hex(kSenderReport);
  sender[0] = 0x82;
  EXPECT_EQ(SenderReport::parse(single(sender)).error(), Error::truncated);
  Bytes receiver = from_hex(kReceiverReport);
  receiver[0] = 0x9f;
  EXPECT_EQ(ReceiverReport::parse(single(receiver)).error(), Error::truncated);
  Bytes bye = from_hex(kBye);
  bye[0] = 0x83;
  EXPECT_EQ(Bye::parse(single(bye)).error(), Error::truncated);
}

TEST(RtcpReader, WalksACompoundAndKeepsUnknownPackets) {
  const std::string app =
      "85cc0003"
      "11111111"
      "6e616d65"
      "01020304";
  const Bytes bytes = from_hex(kSenderReport + kSourceDescription + app + kNack + kBye);
  RtcpReader reader(bytes);
  RtcpPacketView packet;
  std::vector<int> types;
  while (reader.next(packet)) types.push_back(static_cast<int>(packet.type));
  EXPECT_TRUE(reader.ok());
  EXPECT_EQ(types, (std::vector<int>{200, 202, 204, 205, 203}));
}

TEST(RtcpReader, RemovesPaddingAlsoBeforeTheEnd) {
  const Bytes bytes = from_hex(
      "a0cc0002"
      "11111111"
      "00000001" +
      kBye);
  RtcpReader reader(bytes);
  RtcpPacketView packet;
  ASSERT_TRUE(reader.next(packet));
  EXPECT_EQ(to_bytes(packet.body), from_hex("11111111000000"));
  ASSERT_TRUE(reader.next(packet));
  EXPECT_EQ(packet.type, RtcpType::bye);
  EXPECT_FALSE(reader.next(packet));
  EXPECT_TRUE(reader.ok());
}

TEST(RtcpReader, RefusesPaddingThatCannotBe) {
  for (const char* hex : {"a0c80000", "a0c8000100000000", "a0c8000100000005", "a0c80001000000ff"}) {
    const Bytes bytes = from_hex(hex);
    RtcpReader reader(bytes);
    RtcpPacketView packet;
    EXPECT_FALSE(reader.next(packet)) << hex;
    EXPECT_FALSE(reader.ok()) << hex;
  }
}

TEST(RtcpReader, RefusesOtherVersions) {
  for (const char* hex :
       {"01ce00021111111122222222", "41ce00021111111122222222", "c1ce00021111111122222222"}) {
    EXPECT_FALSE(parse_everything(from_hex(hex)));
  }
}

TEST(RtcpReader, TrailingGarbageIsNotACleanEnd) {
  const Bytes bytes = from_hex(kPli + "80");
  RtcpReader reader(bytes);
  RtcpPacketView packet;
  EXPECT_TRUE(reader.next(packet));
  EXPECT_FALSE(reader.next(packet));
  EXPECT_FALSE(reader.ok());
  EXPECT_FALSE(reader.next(packet));
}

TEST(RtcpReader, EveryTruncationOfEveryKindIsRefused) {
  for (const std::string& hex :
       {kSenderReport, kReceiverReport, kSourceDescription, kBye, kNack, kPli, kFir}) {
    const Bytes whole = from_hex(hex);
    EXPECT_TRUE(parse_everything(whole)) << hex;
    for_each_truncation(whole, [&](ByteView view, std::size_t size) {
      const bool is_whole_or_empty = size == whole.size() || size == 0;
      EXPECT_EQ(parse_everything(view), is_whole_or_empty) << hex << " at " << size;
    });
  }
}

TEST(Rtcp, BodiesCutToAnyWordAreRefusedNotOverRead) {
  // Here the length field agrees with the shorter packet, so only the body's parser can notice.
  for (const std::string& hex : {kSenderReport, kReceiverReport, kSourceDescription, kBye, kPli}) {
    const Bytes whole = from_hex(hex);
    for (std::size_t size = 4; size < whole.size(); size += 4) {
      Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      cut[3] = static_cast<std::uint8_t>(size / 4 - 1);
      EXPECT_FALSE(parse_everything(ExactCopy(cut).view())) << hex << " at " << size;
    }
  }
}

TEST(Rtcp, EveryByteChangedIsSurvived) {
  const Bytes whole =
      from_hex(kSenderReport + kSourceDescription + kReceiverReport + kNack + kFir + kBye);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (unsigned value = 0; value < 256; ++value) {
      Bytes changed = whole;
      changed[at] = static_cast<std::uint8_t>(value);
      (void)parse_everything(ExactCopy(changed).view());
    }
  }
}

}  // namespace
}  // namespace sealroom::rtp
