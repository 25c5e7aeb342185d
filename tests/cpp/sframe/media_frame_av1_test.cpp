#include "media_frame_fixture.h"
#include "support/hex.h"

namespace sealroom::sframe {
namespace {

using test::from_hex;

const Bytes kTemporalDelimiter = from_hex("1200");
// What SVT-AV1 writes for 64x48.
const Bytes kSequenceHeader = from_hex("00000002aaffbff8032008");
const Bytes kFrame = from_hex("101122334455667788");

class Av1FrameTest : public MediaFrameFixture {
 protected:
  static constexpr FrameFormat kFormat = FrameFormat::av1;

  static Bytes leb128(std::size_t value) {
    Bytes out;
    for (; value >= 0x80; value >>= 7) out.push_back(static_cast<std::uint8_t>(value | 0x80));
    out.push_back(static_cast<std::uint8_t>(value));
    return out;
  }
  static Bytes obu(std::uint8_t type, ByteView payload, bool has_size = true) {
    const Bytes header = {static_cast<std::uint8_t>(type << 3 | (has_size ? 2 : 0))};
    return has_size ? concat({header, leb128(payload.size()), payload}) : concat({header, payload});
  }
  static Bytes key_frame() {
    return concat({kTemporalDelimiter, obu(1, kSequenceHeader), obu(6, kFrame)});
  }
  static Bytes delta_frame() { return concat({kTemporalDelimiter, obu(6, kFrame)}); }
  /// What lies behind the header of the OBU_FRAME, which has no size.
  static ByteView sealed_of(ByteView frame, std::size_t sequence_header_size) {
    return frame.subspan(sequence_header_size == 0 ? 1 : sequence_header_size + 3);
  }
};

TEST_P(Av1FrameTest, AKeyFrameShowsItsSequenceHeaderAndADeltaFrameNothing) {
  Sender sender = make_sender();
  Receiver receiver = make_receiver();
  const Bytes clear = concat({obu(1, kSequenceHeader), from_hex("30")});
  auto sealed = protect_media(sender, kFormat, key_frame());
  ASSERT_TRUE(sealed);
  EXPECT_TRUE(equal(ByteView(sealed.value()).first(clear.size()), clear));
  // The metadata is the sequence header's payload, as docs/wire.md says.
  auto opened =
      unprotect(receiver, ByteView(sealed.value()).subspan(clear.size()), kSequenceHeader);
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened.value(), key_frame());

  sealed = protect_media(sender, kFormat, delta_frame());
  ASSERT_TRUE(sealed);
  EXPECT_EQ(sealed.value()[0], 0x30);
  opened = unprotect(receiver, ByteView(sealed.value()).subspan(1));
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened.value(), delta_frame());
}

TEST_P(Av1FrameTest, SizesAndTemporalDelimiterMayChangeOnTheWay) {
  Sender sender = make_sender();
  for (const bool has_delimiter : {false, true}) {
    for (const bool has_size : {false, true}) {
      Receiver receiver = make_receiver();
      const Bytes delimiter = has_delimiter ? kTemporalDelimiter : Bytes{};
      auto sealed = protect_media(sender, kFormat, key_frame());
      ASSERT_TRUE(sealed);
      auto opened = unprotect_media(
          receiver, kFormat,
          concat({delimiter, obu(1, kSequenceHeader),
                  obu(6, sealed_of(sealed.value(), kSequenceHeader.size()), has_size)}));
      ASSERT_TRUE(opened);
      EXPECT_EQ(opened.value(), key_frame());
      sealed = protect_media(sender, kFormat, delta_frame());
      ASSERT_TRUE(sealed);
      opened = unprotect_media(receiver, kFormat,
                               concat({delimiter, obu(6, sealed_of(sealed.value(), 0), has_size)}));
      ASSERT_TRUE(opened);
      EXPECT_EQ(opened.value(), delta_frame());
    }
  }
}

TEST_P(Av1FrameTest, ASizeFieldMayBeLongerThanItMust) {
  Sender sender = make_sender();
  Receiver receiver = make_receiver();
  const auto sealed = protect_media(sender, kFormat, delta_frame());
  ASSERT_TRUE(sealed);
  const ByteView body = sealed_of(sealed.value(), 0);
  ASSERT_LT(body.size(), 0x80U);
  const auto size = static_cast<std::uint8_t>(body.size() | 0x80);
  const Bytes nine_bytes = {0x32, size, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00};
  EXPECT_FALSE(unprotect_media(receiver, kFormat, concat({nine_bytes, body})));
  EXPECT_TRUE(unprotect_media(receiver, kFormat, concat({Bytes{0x32, size, 0x00}, body})));
}

TEST_P(Av1FrameTest, EveryFlippedBitIsRefused) {
  Sender sender = make_sender();
  for (const Bytes& frame : {key_frame(), delta_frame(), from_hex("00")}) {
    const auto sealed = protect_media(sender, kFormat, frame);
    ASSERT_TRUE(sealed);
    EXPECT_EQ(accepted_flips(kFormat, sealed.value()), 0U);
    EXPECT_EQ(accepted_truncations(kFormat, sealed.value()), 0U);
  }
}

TEST_P(Av1FrameTest, WhatHasNotTheFormIsRefused) {
  Sender sender = make_sender();
  Receiver receiver = make_receiver();
  const auto sealed = protect_media(sender, kFormat, key_frame());
  ASSERT_TRUE(sealed);
  const ByteView body = sealed_of(sealed.value(), kSequenceHeader.size());
  const Bytes frame_obu = obu(6, body);
  for (const Bytes& other : {
           frame_obu,                             // became a delta frame
           concat({obu(1, Bytes{}), frame_obu}),  // an empty one
           concat({obu(1, kSequenceHeader), obu(1, kSequenceHeader), frame_obu}),
           concat({obu(1, kSequenceHeader), kTemporalDelimiter, frame_obu}),
           concat({kTemporalDelimiter, sealed.value(), kTemporalDelimiter}),
           concat({kTemporalDelimiter, kTemporalDelimiter, sealed.value()}),
           concat({obu(1, kSequenceHeader), frame_obu, obu(15, kFrame)}),  // something behind
           concat({obu(1, kSequenceHeader), obu(3, body)}),                // another type
           concat({from_hex("12018f"), sealed.value()}),
           obu(1, kSequenceHeader),
           kTemporalDelimiter,
           from_hex("30"),
           from_hex("32ff"),
           Bytes{},
       }) {
    EXPECT_FALSE(unprotect_media(receiver, kFormat, other));
  }
  EXPECT_TRUE(unprotect_media(receiver, kFormat, sealed.value()));
}

TEST_P(Av1FrameTest, TheSequenceHeaderIsFoundInAnySpelling) {
  const Bytes with_extension = concat({from_hex("0e20"), leb128(11), kSequenceHeader});
  const Bytes last_without_size = obu(1, kSequenceHeader, false);
  const Bytes long_payload(700, 0x33);
  for (const auto& [frame, payload] : {
           std::pair(concat({with_extension, obu(6, kFrame)}), kSequenceHeader),
           std::pair(last_without_size, kSequenceHeader),
           std::pair(concat({obu(15, kFrame), obu(5, kFrame), obu(1, kSequenceHeader)}),
                     kSequenceHeader),
           std::pair(concat({obu(1, long_payload), obu(6, kFrame)}), long_payload),
       }) {
    Sender sender = make_sender();
    const auto sealed = protect_media(sender, kFormat, frame);
    ASSERT_TRUE(sealed);
    const Bytes clear = concat({obu(1, payload), from_hex("30")});
    ASSERT_TRUE(equal(ByteView(sealed.value()).first(clear.size()), clear));
    EXPECT_EQ(round_trip(kFormat, frame), frame);
  }
}

TEST_P(Av1FrameTest, WithoutAUsableSequenceHeaderTheWholeFrameIsHidden) {
  for (const Bytes& frame : {
           concat({obu(6, kFrame), obu(1, kSequenceHeader)}),  // behind the frame
           concat({obu(1, Bytes(1025, 1)), obu(6, kFrame)}),   // too long
           concat({obu(1, Bytes{}), obu(6, kFrame)}),          // empty
           from_hex("0a20"),
           from_hex("8a0100"),
           from_hex("0e"),
           from_hex("0affffffffffffffffff"),
           Bytes(500, 0xff),
           Bytes(500, 0),
       }) {
    Sender sender = make_sender();
    const auto sealed = protect_media(sender, kFormat, frame);
    ASSERT_TRUE(sealed);
    EXPECT_EQ(sealed.value()[0], 0x30);
    EXPECT_EQ(round_trip(kFormat, frame), frame);
  }
}

TEST_P(Av1FrameTest, EveryNonEmptyFrameComesBackUnchanged) {
  std::mt19937 random(9043);
  Sender sender = make_sender();
  Receiver receiver = make_receiver();
  for (int i = 0; i < 4000; ++i) {
    Bytes frame;
    for (std::size_t n = 1 + random() % 4; n > 0; --n) {
      Bytes payload(random() % 40);
      for (auto& byte : payload) byte = static_cast<std::uint8_t>(random());
      append(frame, obu(static_cast<std::uint8_t>(random() % 16), payload, random() % 4 != 0));
    }
    if (i % 5 == 0) frame[0] = static_cast<std::uint8_t>(random());
    const auto sealed = protect_media(sender, kFormat, frame);
    ASSERT_TRUE(sealed);
    ASSERT_LE(sealed.value().size(), max_protected_size(kFormat, frame.size()));
    const auto opened = unprotect_media(receiver, kFormat, sealed.value());
    ASSERT_TRUE(opened) << i;
    ASSERT_EQ(opened.value(), frame);
  }
}

TEST_P(Av1FrameTest, SmallBuffersAreRefusedAndSpendNoCounter) {
  Sender sender = make_sender();
  Receiver receiver = make_receiver();
  const Bytes frame = key_frame();
  const auto sealed = protect_media(sender, kFormat, frame);
  ASSERT_TRUE(sealed);
  const std::uint64_t counter = sender.next_counter();
  for (std::size_t size = 0; size < sealed.value().size(); ++size) {
    Bytes out(size);
    EXPECT_EQ(protect_frame(sender, kFormat, frame, out).error(), Error::buffer_too_small);
  }
  EXPECT_EQ(sender.next_counter(), counter);
  Bytes opened(frame.size() - 1);
  EXPECT_EQ(unprotect_frame(receiver, kFormat, sealed.value(), opened).error(),
            Error::buffer_too_small);
  EXPECT_TRUE(unprotect_media(receiver, kFormat, sealed.value()));
}

INSTANTIATE_TEST_SUITE_P(Suites, Av1FrameTest, every_suite_and_backend(), suite_test_name);

}  // namespace
}  // namespace sealroom::sframe
