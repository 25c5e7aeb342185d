#include "sealroom/rtp/rtx.h"

#include <gtest/gtest.h>

#include "rtp/support.h"

namespace sealroom::rtp {
namespace {

using test::ExactCopy;
using test::from_hex;
using test::to_bytes;

constexpr StreamAddress kMedia{Ssrc{0x05060708}, PayloadType{96}};
constexpr StreamAddress kRtx{Ssrc{0x99999999}, PayloadType{97}};

// With marker, a CSRC, an extension, a payload of three bytes and two bytes of padding.
const char* const kOriginal =
    "b1e0123401020304050607080a0a0a0abede00011061000001020300"
    "02";
const char* const kWrapped =
    "91e100070102030499999999"
    "0a0a0a0abede0001106100001234010203";

Result<std::size_t> wrap(ByteView packet, MutableByteView out) {
  return wrap_rtx(RtpPacketView::parse(packet).value(), kRtx, 7, out);
}

TEST(Rtx, PutsTheOriginalSequenceNumberBeforeThePayload) {
  const Bytes original = from_hex(kOriginal);
  Bytes out(100);
  const auto size = wrap(original, out);
  ASSERT_TRUE(size.ok());
  EXPECT_EQ(to_bytes(ByteView(out).first(size.value())), from_hex(kWrapped));
}

TEST(Rtx, GivesTheOriginalBackWithoutItsPadding) {
  const Bytes wrapped = from_hex(kWrapped);
  Bytes out(100);
  const auto size = unwrap_rtx(RtpPacketView::parse(wrapped).value(), kMedia, out);
  ASSERT_TRUE(size.ok());
  EXPECT_EQ(to_bytes(ByteView(out).first(size.value())),
            from_hex("91e0123401020304050607080a0a0a0abede000110610000010203"));
}

TEST(Rtx, IgnoresPaddingOfTheRtxPacketItself) {
  const Bytes wrapped = from_hex("a0e1000701020304999999991234ab000003");
  const auto parsed = parse_rtx(RtpPacketView::parse(wrapped).value());
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed.value().original_sequence_number, 0x1234);
  EXPECT_EQ(to_bytes(parsed.value().payload), from_hex("ab"));
}

TEST(Rtx, APacketWithoutRoomForTheNumberIsTruncated) {
  for (const char* payload : {"", "12"}) {
    const Bytes packet = from_hex(std::string("80610007010203049999"
                                              "9999") +
                                  payload);
    const ExactCopy copy(packet);
    EXPECT_EQ(parse_rtx(RtpPacketView::parse(copy.view()).value()).error(), Error::truncated);
  }
}

TEST(Rtx, WritesWholePacketsOrNothingPastTheEnd) {
  const Bytes original = from_hex(kOriginal);
  const std::size_t needed = from_hex(kWrapped).size();
  for (std::size_t size = 0; size < needed; ++size) {
    Bytes out(size);
    EXPECT_EQ(wrap(original, out).error(), Error::buffer_too_small);
  }
}

TEST(Rtx, RefusesPayloadTypesOfEightBits) {
  const Bytes wrapped = from_hex(kWrapped);
  Bytes out(100);
  const auto packet = RtpPacketView::parse(wrapped).value();
  EXPECT_EQ(wrap_rtx(packet, {Ssrc{1}, PayloadType{128}}, 0, out).error(), Error::invalid_argument);
  EXPECT_EQ(unwrap_rtx(packet, {Ssrc{1}, PayloadType{128}}, out).error(), Error::invalid_argument);
}

}  // namespace
}  // namespace sealroom::rtp
