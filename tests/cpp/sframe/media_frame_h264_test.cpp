#include "media_frame_fixture.h"
#include "support/hex.h"

namespace sealroom::sframe {
namespace {

using test::from_hex;

// What x264 writes for 64x48: parameter sets, a note, two slices of an IDR picture.
const Bytes kSps = from_hex("6742c00ad9107e27c044000003000400000300c83c489920");
const Bytes kPps = from_hex("68cb83cb20");
const Bytes kSei = from_hex("0605ffff0102030480");
const Bytes kIdr1 = from_hex("658884002bffdfd1f8149b00000301");
const Bytes kIdr2 = from_hex("6504a2210012ffe1b7");
const Bytes kDelta = from_hex("419a246c41ff0102");
const Bytes kCode3 = from_hex("000001");
const Bytes kCode4 = from_hex("00000001");

class H264FrameTest : public MediaFrameFixture {
 protected:
  static constexpr FrameFormat kFormat = FrameFormat::h264;

  static Bytes key_frame() {
    return concat({kCode4, kSps, kCode4, kPps, kCode3, kSei, kCode3, kIdr1, kCode3, kIdr2});
  }
  static Bytes key_frame_clear() {
    return concat({kCode4, kSps, kCode4, kPps, kCode4, ByteView(kIdr1).first(3)});
  }

  /// NAL units as any packetizer finds them: between start codes, without the zeros around.
  static std::vector<Bytes> units_of(ByteView stream) {
    std::vector<Bytes> units;
    for (std::size_t at = 0; at + 3 <= stream.size(); ++at) {
      if (stream[at] != 0 || stream[at + 1] != 0 || stream[at + 2] != 1) continue;
      std::size_t end = at + 3;
      while (end < stream.size() && !(end + 3 <= stream.size() && stream[end] == 0 &&
                                      stream[end + 1] == 0 && stream[end + 2] == 1)) {
        ++end;
      }
      Bytes unit(stream.begin() + static_cast<std::ptrdiff_t>(at + 3),
                 stream.begin() + static_cast<std::ptrdiff_t>(end));
      while (!unit.empty() && unit.back() == 0) unit.pop_back();
      units.push_back(std::move(unit));
      at = end - 1;
    }
    return units;
  }
  /// The same units with other start codes and zeros behind them.
  static Bytes reframe(ByteView stream, std::size_t zeros_before, std::size_t zeros_behind) {
    Bytes out;
    for (const Bytes& unit : units_of(stream)) {
      out.insert(out.end(), zeros_before, 0);
      out.push_back(1);
      append(out, unit);
      out.insert(out.end(), zeros_behind, 0);
    }
    return out;
  }
};

TEST_P(H264FrameTest, PacketizersSeeParameterSetsAndOneSliceOfTheSameType) {
  Sender sender = make_sender();
  Receiver receiver = make_receiver();
  const auto sealed = protect_media(sender, kFormat, key_frame());
  ASSERT_TRUE(sealed);
  const auto units = units_of(sealed.value());
  ASSERT_EQ(units.size(), 3U);
  EXPECT_EQ(units[0], kSps);
  EXPECT_EQ(units[1], kPps);
  EXPECT_TRUE(equal(ByteView(units[2]).first(3), ByteView(kIdr1).first(3)));
  EXPECT_EQ(units[2].back(), 0x80);
  const Bytes clear = key_frame_clear();
  EXPECT_TRUE(equal(ByteView(sealed.value()).first(clear.size()), clear));
  EXPECT_EQ(sealed.value()[clear.size()] >> 4, 7) << "the SFrame header follows the clear bytes";
  const auto opened = unprotect_media(receiver, kFormat, sealed.value());
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened.value(), key_frame());
}

TEST_P(H264FrameTest, ADeltaFrameIsOneSliceOfItsType) {
  Sender sender = make_sender();
  const auto sealed = protect_media(sender, kFormat, concat({kCode4, kDelta}));
  ASSERT_TRUE(sealed);
  const auto units = units_of(sealed.value());
  ASSERT_EQ(units.size(), 1U);
  EXPECT_TRUE(equal(ByteView(units[0]).first(3), ByteView(kDelta).first(3)));
}

TEST_P(H264FrameTest, TheClearBytesAreTheMetadataWithFourByteStartCodes) {
  // What docs/wire.md says, with SFrame alone.
  Sender sender = make_sender();
  Receiver receiver = make_receiver();
  const auto sealed = protect_media(sender, kFormat, key_frame());
  ASSERT_TRUE(sealed);
  const Bytes clear = key_frame_clear();
  ASSERT_EQ(sealed.value().back(), 0x80);
  const ByteView body =
      ByteView(sealed.value()).subspan(clear.size(), sealed.value().size() - clear.size() - 1);
  const auto opened = unprotect(receiver, body, clear);
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened.value(), key_frame());
}

TEST_P(H264FrameTest, StartCodesAndZerosMayChangeOnTheWay) {
  Sender sender = make_sender();
  for (const std::size_t zeros_before : {2U, 3U, 5U}) {
    for (const std::size_t zeros_behind : {0U, 1U, 4U}) {
      Receiver receiver = make_receiver();
      const auto sealed = protect_media(sender, kFormat, key_frame());
      ASSERT_TRUE(sealed);
      const Bytes moved = reframe(sealed.value(), zeros_before, zeros_behind);
      const auto opened = unprotect_media(receiver, kFormat, moved);
      ASSERT_TRUE(opened) << zeros_before << " " << zeros_behind;
      EXPECT_EQ(opened.value(), key_frame());
    }
  }
}

TEST_P(H264FrameTest, EveryFlippedBitIsRefused) {
  Sender sender = make_sender();
  for (const Bytes& frame : {key_frame(), concat({kCode4, kDelta}), from_hex("00")}) {
    const auto sealed = protect_media(sender, kFormat, frame);
    ASSERT_TRUE(sealed);
    EXPECT_EQ(accepted_flips(kFormat, sealed.value()), 0U);
    EXPECT_EQ(accepted_truncations(kFormat, sealed.value()), 0U);
  }
}

TEST_P(H264FrameTest, UnitsLeftOutAddedOrMovedAreRefused) {
  Sender sender = make_sender();
  Receiver receiver = make_receiver();
  const auto sealed = protect_media(sender, kFormat, key_frame());
  ASSERT_TRUE(sealed);
  const auto units = units_of(sealed.value());
  const Bytes slice = concat({kCode4, units[2]});
  for (const Bytes& other : {
           slice,
           concat({kCode4, kSps, slice}),
           concat({kCode4, kPps, kCode4, kSps, slice}),
           concat({kCode4, kSps, kCode4, kPps, kCode4, kPps, slice}),
           concat({sealed.value(), slice}),
           concat({sealed.value(), kCode4, kSei}),
           concat({from_hex("0000000109f0"), sealed.value()}),
           concat({kCode4, kSps, kCode4, kPps}),
           concat({from_hex("ff"), sealed.value()}),
           Bytes(units[2]),
       }) {
    EXPECT_FALSE(unprotect_media(receiver, kFormat, other));
  }
  EXPECT_TRUE(unprotect_media(receiver, kFormat, sealed.value()));
}

TEST_P(H264FrameTest, CiphertextThatNeedsEscapesComesBack) {
  // Two clear zero bytes before a header byte below 4.
  for (const Bytes& frame : {from_hex("00000001650000"), from_hex("0000016500000300"),
                             from_hex("000001010000010000010000")}) {
    EXPECT_EQ(round_trip(kFormat, frame), frame);
    Sender sender = make_sender({}, KeyId{0});
    const auto sealed = protect_media(sender, kFormat, frame);
    ASSERT_TRUE(sealed);
    EXPECT_EQ(units_of(sealed.value()).size(), 1U);
    EXPECT_EQ(sealed.value()[7], 3) << "the escape";
  }
}

TEST_P(H264FrameTest, AFrameThatNeedsEscapesIsRefusedWithAnyBitFlipped) {
  Sender sender = make_sender({}, KeyId{0});
  Receiver receiver(backend(), suite());
  ASSERT_TRUE(receiver.add_key(KeyId{0}, Bytes(32, 0x42)));
  const auto sealed = protect_media(sender, kFormat, from_hex("0000000165000012345678"));
  ASSERT_TRUE(sealed);
  for (std::size_t bit = 0; bit < sealed.value().size() * 8; ++bit) {
    Bytes tampered = sealed.value();
    tampered[bit / 8] = static_cast<std::uint8_t>(tampered[bit / 8] ^ (1U << (bit % 8)));
    ASSERT_FALSE(unprotect_media(receiver, kFormat, tampered)) << bit;
  }
  EXPECT_TRUE(unprotect_media(receiver, kFormat, sealed.value()));
}

TEST_P(H264FrameTest, LongFramesShowNoStartCodeAndComeBack) {
  // 6 MB of ciphertext in all: one or two natural escapes per back end and suite.
  Sender sender = make_sender();
  Receiver receiver = make_receiver();
  Bytes frame = concat({kCode4, kDelta});
  frame.resize(300'000);
  for (int i = 0; i < 20; ++i) {
    const auto sealed = protect_media(sender, kFormat, frame);
    ASSERT_TRUE(sealed);
    ASSERT_EQ(units_of(sealed.value()).size(), 1U);
    const auto opened = unprotect_media(receiver, kFormat, sealed.value());
    ASSERT_TRUE(opened);
    ASSERT_EQ(opened.value(), frame);
  }
}

TEST_P(H264FrameTest, FramesWithoutASliceGetAStandIn) {
  const Bytes stand_in = from_hex("419a80");
  for (const Bytes& frame : {
           from_hex("00"),
           from_hex("01"),
           from_hex("000001"),
           from_hex("00000001"),
           from_hex("0000000165"),
           from_hex("000000016588"),
           Bytes(1000, 0),
           Bytes(1000, 0xff),
           from_hex("0000010b"),
           from_hex("00000109f0"),
           from_hex("000001c5880001"),
       }) {
    Sender sender = make_sender();
    const auto sealed = protect_media(sender, kFormat, frame);
    ASSERT_TRUE(sealed);
    const auto units = units_of(sealed.value());
    ASSERT_EQ(units.size(), 1U);
    EXPECT_TRUE(equal(ByteView(units[0]).first(3), stand_in));
    EXPECT_EQ(round_trip(kFormat, frame), frame);
  }
  Sender sender = make_sender();
  const auto sealed = protect_media(sender, kFormat, concat({kCode4, kSps, kCode3, kPps}));
  ASSERT_TRUE(sealed);
  EXPECT_EQ(units_of(sealed.value()).size(), 3U) << "parameter sets alone stay visible";
}

TEST_P(H264FrameTest, ParameterSetsThatCouldNotTravelStayInside) {
  const Bytes slice = concat({kCode3, kDelta});
  const Bytes too_long = concat({from_hex("67"), Bytes(1100, 0x55)});
  for (const Bytes& frame : {
           concat({kCode4, from_hex("67420000000542"), slice}),  // three zeros inside
           concat({kCode4, from_hex("e742c00a"), slice}),        // forbidden_zero_bit
           concat({kCode4, from_hex("67"), slice}),              // nothing but a header
           concat({kCode4, too_long, slice}),
           concat({slice, kCode4, kSps}),  // behind the slice
       }) {
    Sender sender = make_sender();
    const auto sealed = protect_media(sender, kFormat, frame);
    ASSERT_TRUE(sealed);
    EXPECT_EQ(units_of(sealed.value()).size(), 1U);
    EXPECT_EQ(round_trip(kFormat, frame), frame);
  }
  // The ones that fit do travel; an SPS too many does not bring the frame down.
  Bytes many;
  for (int i = 0; i < 100; ++i) append(many, concat({kCode3, kSps}));
  append(many, slice);
  Sender sender = make_sender();
  const auto sealed = protect_media(sender, kFormat, many);
  ASSERT_TRUE(sealed);
  EXPECT_EQ(units_of(sealed.value()).size(), 1017 / (kSps.size() + 4) + 1);
  EXPECT_EQ(round_trip(kFormat, many), many);
}

TEST_P(H264FrameTest, EveryNonEmptyFrameComesBackUnchanged) {
  std::mt19937 random(6184);
  const std::vector<Bytes> pieces = {kCode3,
                                     kCode4,
                                     kSps,
                                     kPps,
                                     kSei,
                                     kIdr1,
                                     kIdr2,
                                     kDelta,
                                     from_hex("09f0"),
                                     from_hex("0b"),
                                     from_hex("0a"),
                                     from_hex("00"),
                                     from_hex("0000"),
                                     from_hex("000003"),
                                     from_hex("41"),
                                     from_hex("6500"),
                                     from_hex("67")};
  Sender sender = make_sender();
  Receiver receiver = make_receiver();
  for (int i = 0; i < 4000; ++i) {
    Bytes frame;
    if (i % 2 == 0) {
      for (std::size_t n = 1 + random() % 12; n > 0; --n) {
        append(frame, pieces[random() % pieces.size()]);
      }
    } else {
      frame.resize(1 + random() % 200);
      for (auto& byte : frame) byte = static_cast<std::uint8_t>(random() % 8);
    }
    const auto sealed = protect_media(sender, kFormat, frame);
    ASSERT_TRUE(sealed);
    ASSERT_LE(sealed.value().size(), max_protected_size(kFormat, frame.size()));
    const auto units = units_of(sealed.value());
    ASSERT_GE(units.size(), 1U);
    const Bytes moved = i % 3 == 0 ? reframe(sealed.value(), 2, random() % 2) : sealed.value();
    const auto opened = unprotect_media(receiver, kFormat, moved);
    ASSERT_TRUE(opened) << i;
    ASSERT_EQ(opened.value(), frame);
  }
}

TEST_P(H264FrameTest, SmallBuffersAreRefusedAndSpendNoCounter) {
  Sender sender = make_sender();
  Receiver receiver = make_receiver();
  const Bytes frame = key_frame();
  Bytes out(max_protected_size(kFormat, frame.size()) - 1);
  EXPECT_EQ(protect_frame(sender, kFormat, frame, out).error(), Error::buffer_too_small);
  EXPECT_EQ(protect_frame(sender, kFormat, {}, out).error(), Error::invalid_argument);
  EXPECT_EQ(sender.next_counter(), 0U);
  const auto sealed = protect_media(sender, kFormat, frame);
  ASSERT_TRUE(sealed);
  Bytes opened(frame.size() - 1);
  EXPECT_EQ(unprotect_frame(receiver, kFormat, sealed.value(), opened).error(),
            Error::buffer_too_small);
  EXPECT_TRUE(unprotect_media(receiver, kFormat, sealed.value()));
}

INSTANTIATE_TEST_SUITE_P(Suites, H264FrameTest, every_suite_and_backend(), suite_test_name);

}  // namespace
}  // namespace sealroom::sframe
