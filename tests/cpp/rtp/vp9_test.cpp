#include <gtest/gtest.h>

#include "rtp/payload_support.h"

namespace sealroom::rtp {
namespace {

using test::assemble;
using test::for_each_truncation;
using test::from_hex;
using test::packetize;
using test::read_payload;

constexpr FrameInfo kKey{true, 0, 0};
constexpr FrameInfo kDelta{false, 0, 0};

// libvpx-vp9, 320x180, profile 0: the uncompressed header's first bytes.
const char* const kKeyFrame = "824983420013f00b30";

Bytes counting(std::size_t size) {
  Bytes frame(size);
  for (std::size_t i = 0; i < size; ++i) frame[i] = static_cast<std::uint8_t>(i * 7 + 1);
  return frame;
}

TEST(Vp9, FramesOfAnySizeComeBackWhole) {
  const auto packetizer = Packetizer::create(Codec::vp9);
  for (const FrameInfo& info : {kKey, FrameInfo{true, 640, 360}, kDelta}) {
    for (std::size_t max_payload : {21U, 22U, 30U, 100U, 1176U}) {
      for (std::size_t size = 1; size < 400; ++size) {
        const Bytes frame = counting(size);
        const auto payloads = packetize(*packetizer, frame, max_payload, info);
        for (std::size_t i = 0; i < payloads.size(); ++i) {
          const auto part = read_payload(Codec::vp9, payloads[i]);
          ASSERT_TRUE(part.ok());
          ASSERT_EQ(part.value().starts_frame, i == 0);
          ASSERT_EQ(part.value().is_key_frame, i == 0 && *info.is_key_frame);
          ASSERT_LE(payloads[i].size(), max_payload);
        }
        ASSERT_EQ(assemble(Codec::vp9, payloads).value(), frame);
      }
    }
  }
}

TEST(Vp9, PacketsOfAFrameAreEqualButTheLast) {
  const auto packetizer = Packetizer::create(Codec::vp9);
  for (const FrameInfo& info : {kKey, FrameInfo{true, 640, 360}, kDelta}) {
    for (std::size_t size = 1; size < 3000; size += 7) {
      const auto payloads = packetize(*packetizer, counting(size), 105, info);
      for (const Bytes& payload : payloads) {
        if (&payload == &payloads.back()) continue;
        ASSERT_EQ(payload.size(), payloads.front().size());
      }
      ASSERT_LE(payloads.back().size(), payloads.front().size());
    }
  }
}

TEST(Vp9, WritesTheDescriptorOfRfc9628) {
  const auto packetizer = Packetizer::create(Codec::vp9, 0x1234);
  // I L B E V, M and picture ID, no layers above, TL0PICIDX, then G: a group of one picture that
  // refers to the one before.
  EXPECT_EQ(packetize(*packetizer, from_hex("aabb"), 100, kKey)[0],
            from_hex("ae9234000008010401aabb"));
  EXPECT_EQ(packetize(*packetizer, from_hex("aabb"), 100, kDelta)[0], from_hex("ec92350001aabb"));
  EXPECT_EQ(packetize(*packetizer, from_hex("aa"), 100, FrameInfo{true, 640, 360})[0],
            from_hex("ae9236000218028001680"
                     "10401aa"));
}

TEST(Vp9, MarksFirstAndLastPacket) {
  const auto packetizer = Packetizer::create(Codec::vp9);
  const auto payloads = packetize(*packetizer, counting(40), 21, kDelta);
  ASSERT_EQ(payloads.size(), 3U);
  EXPECT_EQ(payloads[0][0], 0xe8);
  EXPECT_EQ(payloads[1][0], 0xe0);
  EXPECT_EQ(payloads[2][0], 0xe4);
}

TEST(Vp9, PictureIdsCountFramesAndWrap) {
  const auto packetizer = Packetizer::create(Codec::vp9, 0x7fff);
  const Bytes frame{1};
  EXPECT_EQ(packetize(*packetizer, frame, 100, kDelta)[0], from_hex("ecffff000001"));
  EXPECT_FALSE(packetizer->start({}, 100).ok());  // no frame, no number
  EXPECT_EQ(packetize(*packetizer, frame, 100, kDelta)[0], from_hex("ec8000000101"));
  for (int i = 2; i < 256; ++i) (void)packetize(*packetizer, frame, 100, kDelta);
  EXPECT_EQ(packetize(*packetizer, frame, 100, kDelta)[0], from_hex("ec80ff000001"));
}

TEST(Vp9, KeyFrameAndSizeAreReadFromAnUnencryptedFrame) {
  const FrameInfo info = read_frame_info(Codec::vp9, from_hex(kKeyFrame));
  EXPECT_EQ(info.is_key_frame, true);
  EXPECT_EQ(info.width, 320);
  EXPECT_EQ(info.height, 180);
  const auto packetizer = Packetizer::create(Codec::vp9);
  const auto payload = packetize(*packetizer, from_hex(kKeyFrame), 100)[0];
  EXPECT_EQ(payload, from_hex("ae8000000018014000b4010401" + std::string(kKeyFrame)));
  // What the caller says goes before.
  EXPECT_EQ(packetize(*packetizer, from_hex(kKeyFrame), 100, kDelta)[0][0], 0xec);
}

TEST(Vp9, OtherHeadersSayWhatTheyCan) {
  EXPECT_EQ(read_frame_info(Codec::vp9, from_hex("86")).is_key_frame, false);
  EXPECT_EQ(read_frame_info(Codec::vp9, from_hex("88")).is_key_frame, false);  // shows an old frame
  EXPECT_FALSE(read_frame_info(Codec::vp9, from_hex("424983420013f00b30")).is_key_frame);
  EXPECT_FALSE(read_frame_info(Codec::vp9, from_hex("82498343")).is_key_frame);  // no sync code
  EXPECT_FALSE(read_frame_info(Codec::vp9, {}).is_key_frame);
  // Profile 1, with subsampling: three bits later.
  const FrameInfo info = read_frame_info(Codec::vp9, from_hex("a249834220"
                                                              "04fc02cc"));
  EXPECT_EQ(info.is_key_frame, true);
  for_each_truncation(from_hex(kKeyFrame), [](ByteView view, std::size_t size) {
    const FrameInfo cut = read_frame_info(Codec::vp9, view);
    EXPECT_EQ(cut.is_key_frame.has_value(), size >= 4) << size;
    EXPECT_EQ(cut.width, size < 9 ? 0 : 320);
  });
}

TEST(Vp9, StartRefusesWhatCannotBeCut) {
  const auto packetizer = Packetizer::create(Codec::vp9);
  EXPECT_EQ(packetizer->start({}, 100).error(), Error::invalid_argument);
  EXPECT_EQ(packetizer->start(counting(10), 20).error(), Error::invalid_argument);
  Bytes out(100);
  EXPECT_EQ(packetizer->write_next(out).error(), Error::invalid_argument);
}

TEST(Vp9, WriteIntoTooSmallABufferLosesNothing) {
  const auto packetizer = Packetizer::create(Codec::vp9);
  const Bytes frame = counting(10);
  ASSERT_EQ(packetizer->start(frame, 100, kKey).value(), 1U);
  for (std::size_t size = 0; size < 19; ++size) {
    Bytes out(size);
    EXPECT_EQ(packetizer->write_next(out).error(), Error::buffer_too_small);
  }
  Bytes out(19);
  EXPECT_EQ(packetizer->write_next(out).value(), 19U);
}

TEST(Vp9, ReadsEveryDescriptorVariant) {
  // All of I, P, L, F, V; the frame is one byte.
  for (unsigned variant = 0; variant < 32; ++variant) {
    const bool has_id = (variant & 1) != 0;
    const bool predicted = (variant & 2) != 0;
    const bool has_layers = (variant & 4) != 0;
    const bool flexible = (variant & 8) != 0;
    const bool has_structure = (variant & 16) != 0;
    Bytes payload{static_cast<std::uint8_t>(0x08 | (has_id ? 0x80 : 0) | (predicted ? 0x40 : 0) |
                                            (has_layers ? 0x20 : 0) | (flexible ? 0x10 : 0) |
                                            (has_structure ? 0x02 : 0))};
    const auto append = [&](const char* hex) {
      for (const std::uint8_t byte : from_hex(hex)) payload.push_back(byte);
    };
    if (has_id) append("ffff");
    if (has_layers) append(flexible ? "f1" : "f1ff");
    if (flexible && predicted) append("ffff02");
    // Two layers with sizes; a group of two pictures with 3 references and none.
    if (has_structure)
      append(
          "38"
          "00100020"
          "00300040"
          "02"
          "0c010203"
          "00");
    payload.push_back(0xaa);
    if (flexible && !has_id) {
      EXPECT_EQ(read_payload(Codec::vp9, payload).error(), Error::malformed);
      continue;
    }
    const auto part = read_payload(Codec::vp9, payload);
    ASSERT_TRUE(part.ok()) << variant;
    EXPECT_EQ(part.value().data, Bytes{0xaa});
    EXPECT_TRUE(part.value().starts_frame);
    EXPECT_EQ(part.value().is_key_frame, !predicted);
    for_each_truncation(payload, [&](ByteView view, std::size_t size) {
      const auto cut = depacketize(Codec::vp9, view);
      ASSERT_EQ(cut.ok(), size == payload.size());
      if (size + 1 == payload.size()) {
        EXPECT_EQ(cut.error(), Error::malformed);
      } else if (size < payload.size()) {
        EXPECT_EQ(cut.error(), Error::truncated);
      }
    });
  }
}

TEST(Vp9, OnlyALayerThatNeedsNoneBelowStartsAFrame) {
  EXPECT_TRUE(read_payload(Codec::vp9, from_hex("280000aa")).value().starts_frame);
  EXPECT_TRUE(read_payload(Codec::vp9, from_hex("28e100aa")).value().starts_frame);  // TID, D
  EXPECT_TRUE(read_payload(Codec::vp9, from_hex("280200aa")).value().starts_frame);
  EXPECT_FALSE(read_payload(Codec::vp9, from_hex("280300aa")).value().starts_frame);
  EXPECT_FALSE(read_payload(Codec::vp9, from_hex("280e00aa")).value().is_key_frame);
  EXPECT_FALSE(read_payload(Codec::vp9, from_hex("04aa")).value().starts_frame);
}

TEST(Vp9, MoreThanThreeReferencesAreMalformed) {
  EXPECT_TRUE(read_payload(Codec::vp9, from_hex("d80103"
                                                "0304aa"))
                  .ok());
  EXPECT_EQ(read_payload(Codec::vp9, from_hex("d801030303"
                                              "04aa"))
                .error(),
            Error::malformed);
}

}  // namespace
}  // namespace sealroom::rtp
