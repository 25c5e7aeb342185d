#include "sealroom/rtp/packet.h"

#include <gtest/gtest.h>

#include "rtp/support.h"

namespace sealroom::rtp {
namespace {

using test::for_each_truncation;
using test::from_hex;
using test::to_bytes;

// V=2 P X CC=2, M, PT 96, sequence 0x1234, two CSRCs, one extension word, 3 bytes of payload, 5 of
// padding.
const char* const kFullPacket =
    "b2e01234"
    "01020304"
    "deadbeef"
    "0000000a"
    "0000000b"
    "bede0001"
    "10300000"
    "aabbcc"
    "0000000005";

TEST(RtpPacketView, ReadsEveryField) {
  const Bytes packet = from_hex(kFullPacket);
  const auto parsed = RtpPacketView::parse(packet);
  ASSERT_TRUE(parsed.ok());
  const RtpPacketView& view = parsed.value();
  EXPECT_TRUE(view.header().marker);
  EXPECT_EQ(view.header().payload_type, PayloadType{96});
  EXPECT_EQ(view.header().sequence_number, 0x1234);
  EXPECT_EQ(view.header().timestamp, RtpTimestamp{0x01020304});
  EXPECT_EQ(view.header().ssrc, Ssrc{0xdeadbeef});
  EXPECT_EQ(view.header_size(), 28U);
  EXPECT_EQ(view.extension_profile(), kOneByteExtensionProfile);
  EXPECT_EQ(to_bytes(view.extension_data()), from_hex("10300000"));
  EXPECT_EQ(to_bytes(view.payload()), from_hex("aabbcc"));
  EXPECT_EQ(view.padding_size(), 5U);
  EXPECT_EQ(view.packet().size(), packet.size());
}

TEST(RtpPacketView, BareHeaderHasAnEmptyPayload) {
  const Bytes packet = from_hex("806012340102030400000001");
  const auto parsed = RtpPacketView::parse(packet);
  ASSERT_TRUE(parsed.ok());
  EXPECT_TRUE(parsed.value().payload().empty());
  EXPECT_FALSE(parsed.value().header().marker);
  EXPECT_EQ(parsed.value().extension_profile(), 0);
}

TEST(RtpPacketView, PaddingMayBeAllThereIs) {
  const Bytes packet = from_hex("a0601234010203040000000100000004");
  const auto parsed = RtpPacketView::parse(packet);
  ASSERT_TRUE(parsed.ok());
  EXPECT_TRUE(parsed.value().payload().empty());
  EXPECT_EQ(parsed.value().padding_size(), 4U);
}

TEST(RtpPacketView, RefusesPaddingThatCannotBe) {
  const auto error = [](const char* hex) { return RtpPacketView::parse(from_hex(hex)).error(); };
  EXPECT_EQ(error("a06012340102030400000001aabb00"), Error::malformed);  // says zero
  EXPECT_EQ(error("a06012340102030400000001aabb04"), Error::malformed);  // reaches into the header
  EXPECT_EQ(error("a06012340102030400000001"), Error::truncated);        // no byte to say it
}

TEST(RtpPacketView, RefusesOtherVersions) {
  for (const char* first : {"00", "40", "c0"}) {
    const Bytes packet = from_hex(std::string(first) + "6012340102030400000001aa");
    EXPECT_EQ(RtpPacketView::parse(packet).error(), Error::malformed) << first;
  }
}

TEST(RtpPacketView, HeaderCutShortIsTruncated) {
  const Bytes packet = from_hex(kFullPacket);
  for_each_truncation(packet, [](ByteView view, std::size_t size) {
    const auto parsed = RtpPacketView::parse(view);
    const auto header = peek_header_size(view);
    EXPECT_EQ(header.ok(), size >= 28) << size;
    if (size < 28) {
      ASSERT_FALSE(parsed.ok()) << size;
      EXPECT_EQ(parsed.error(), Error::truncated) << size;
    } else {
      EXPECT_EQ(header.value(), 28U);
    }
  });
}

TEST(RtpPacketView, ExtensionLongerThanThePacketIsTruncated) {
  EXPECT_EQ(RtpPacketView::parse(from_hex("906012340102030400000001bedeffff00000000")).error(),
            Error::truncated);
}

TEST(PeekHeaderSize, LeavesEncryptedPaddingAlone) {
  // The last byte of an SRTP packet belongs to its tag; read as a padding count it would be
  // nonsense.
  const Bytes packet = from_hex("a06012340102030400000001aabbcc00");
  EXPECT_FALSE(RtpPacketView::parse(packet).ok());
  ASSERT_TRUE(peek_header_size(packet).ok());
  EXPECT_EQ(peek_header_size(packet).value(), 12U);
}

TEST(PeekSsrc, ReadsItWithoutTheRest) {
  EXPECT_EQ(peek_ssrc(from_hex("9f6012340102030400c0ffee")).value(), Ssrc{0x00c0ffee});
  EXPECT_EQ(peek_ssrc(from_hex("9f6012340102030400c0ff")).error(), Error::truncated);
  EXPECT_EQ(peek_ssrc(from_hex("1f6012340102030400c0ffee")).error(), Error::malformed);
}

TEST(IsRtcp, TellsByTheSecondByte) {
  const auto second = [](std::uint8_t byte) { return is_rtcp(Bytes{0x80, byte}); };
  EXPECT_FALSE(second(191));
  EXPECT_TRUE(second(192));
  EXPECT_TRUE(second(223));
  EXPECT_FALSE(second(224));
  EXPECT_FALSE(second(0x80 | 96));  // a marked packet of the first dynamic type
  EXPECT_FALSE(is_rtcp(Bytes{0x80}));
  EXPECT_FALSE(is_rtcp({}));
}

}  // namespace
}  // namespace sealroom::rtp
