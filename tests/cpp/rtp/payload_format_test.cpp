#include "sealroom/rtp/payload_format.h"

#include <gtest/gtest.h>

#include "rtp/payload_support.h"

namespace sealroom::rtp {
namespace {

using test::ExactCopy;
using test::for_each_truncation;
using test::from_hex;
using test::packetize;
using test::to_bytes;

Bytes make_frame(std::size_t size, bool is_key_frame) {
  Bytes frame(size);
  for (std::size_t i = 0; i < size; ++i) frame[i] = static_cast<std::uint8_t>(i * 7 + 1);
  if (!frame.empty()) frame[0] = is_key_frame ? 0x10 : 0x11;
  return frame;
}

TEST(Vp8, FramesOfAnySizeComeBackWhole) {
  const auto packetizer = Packetizer::create(Codec::vp8);
  for (std::size_t max_payload : {5U, 6U, 7U, 100U, 1176U}) {
    for (std::size_t size = 1; size < 400; ++size) {
      const Bytes frame = make_frame(size, size % 2 == 0);
      Bytes joined;
      const auto payloads = packetize(*packetizer, frame, max_payload);
      for (std::size_t i = 0; i < payloads.size(); ++i) {
        const auto part = depacketize(Codec::vp8, payloads[i]);
        ASSERT_TRUE(part.ok());
        ASSERT_EQ(part.value().starts_frame, i == 0);
        ASSERT_EQ(part.value().is_key_frame, i == 0 && size % 2 == 0);
        joined.insert(joined.end(), part.value().data.begin(), part.value().data.end());
      }
      ASSERT_EQ(joined, frame);
    }
  }
}

TEST(Vp8, PacketsOfAFrameAreFewestAndEqualButTheLast) {
  const auto packetizer = Packetizer::create(Codec::vp8);
  for (std::size_t size = 1; size < 3000; size += 7) {
    const auto payloads = packetize(*packetizer, make_frame(size, false), 104);
    ASSERT_EQ(payloads.size(), (size + 99) / 100);
    for (const Bytes& payload : payloads) {
      ASSERT_LE(payload.size(), 104U);
      if (&payload != &payloads.back()) {
        ASSERT_EQ(payload.size(), payloads.front().size());
      }
    }
    ASSERT_LE(payloads.back().size(), payloads.front().size());
    // Balanced: the last one is short by less than one byte per packet.
    ASSERT_LT(payloads.front().size() - payloads.back().size(), payloads.size());
  }
}

TEST(Vp8, WritesTheDescriptorOfRfc7741) {
  const auto packetizer = Packetizer::create(Codec::vp8, 0x1234);
  const auto payloads = packetize(*packetizer, from_hex("aabbcc"), 6);
  ASSERT_EQ(payloads.size(), 2U);
  EXPECT_EQ(payloads[0], from_hex("90809234aabb"));  // X S, I, M and the PictureID
  EXPECT_EQ(payloads[1], from_hex("80809234cc"));
}

TEST(Vp8, PictureIdCountsFramesAndWrapsAtFifteenBits) {
  const auto packetizer = Packetizer::create(Codec::vp8, 0x7fff);
  const Bytes frame = make_frame(1, true);
  EXPECT_EQ(packetize(*packetizer, frame, 100)[0], from_hex("9080ffff10"));
  EXPECT_FALSE(packetizer->start({}, 100).ok());  // no frame, no PictureID
  EXPECT_EQ(packetize(*packetizer, frame, 100)[0], from_hex("9080800010"));
  EXPECT_EQ(packetize(*packetizer, frame, 100)[0], from_hex("9080800110"));
  const auto masked = Packetizer::create(Codec::vp8, 0x8001);
  EXPECT_EQ(packetize(*masked, frame, 100)[0], from_hex("9080800110"));
}

TEST(Vp8, StartRefusesWhatCannotBeCut) {
  const auto packetizer = Packetizer::create(Codec::vp8);
  const Bytes frame = make_frame(10, true);
  EXPECT_EQ(packetizer->start({}, 100).error(), Error::invalid_argument);
  EXPECT_EQ(packetizer->start(frame, 4).error(), Error::invalid_argument);
  EXPECT_EQ(packetizer->start(frame, 0).error(), Error::invalid_argument);
  Bytes out(100);
  EXPECT_EQ(packetizer->write_next(out).error(), Error::invalid_argument);
}

TEST(Vp8, WriteIntoTooSmallABufferLosesNothing) {
  const auto packetizer = Packetizer::create(Codec::vp8);
  const Bytes frame = make_frame(10, true);
  ASSERT_EQ(packetizer->start(frame, 100).value(), 1U);
  for (std::size_t size = 0; size < 14; ++size) {
    Bytes out(size);
    EXPECT_EQ(packetizer->write_next(out).error(), Error::buffer_too_small);
  }
  Bytes out(14);
  EXPECT_EQ(packetizer->write_next(out).value(), 14U);
}

TEST(Vp8, ReadsEveryDescriptorVariant) {
  // All of X, I (7 and 15 bit), L, T, K; the frame is one byte, 0x10 of a key frame.
  for (unsigned fields = 0; fields < 16; ++fields) {
    for (const bool is_long : {false, true}) {
      Bytes payload{0x90, static_cast<std::uint8_t>(fields << 4)};
      if ((fields & 8) != 0) {
        payload.push_back(is_long ? 0xff : 0x7f);
        if (is_long) payload.push_back(0xff);
      }
      if ((fields & 4) != 0) payload.push_back(0xff);
      if ((fields & 3) != 0) payload.push_back(0xff);
      const std::size_t descriptor = payload.size();
      payload.push_back(0x10);
      const auto part = depacketize(Codec::vp8, payload);
      ASSERT_TRUE(part.ok());
      EXPECT_EQ(to_bytes(part.value().data), Bytes{0x10});
      EXPECT_TRUE(part.value().starts_frame);
      EXPECT_TRUE(part.value().is_key_frame);
      for_each_truncation(payload, [&](ByteView view, std::size_t size) {
        const auto cut = depacketize(Codec::vp8, view);
        ASSERT_EQ(cut.ok(), size == payload.size());
        if (size < payload.size()) {
          EXPECT_EQ(cut.error(), size == descriptor ? Error::malformed : Error::truncated);
        }
      });
    }
  }
}

TEST(Vp8, OnlyTheStartOfPartitionZeroStartsAFrame) {
  const auto starts = [](const char* hex) {
    return depacketize(Codec::vp8, from_hex(hex)).value().starts_frame;
  };
  EXPECT_TRUE(starts("1000"));
  EXPECT_TRUE(starts("7800"));   // reserved bits and N say nothing about it
  EXPECT_FALSE(starts("0000"));  // continuation
  EXPECT_FALSE(starts("1100"));  // start of the first DCT partition
  EXPECT_FALSE(starts("1700"));
}

TEST(Vp8, KeyFrameIsTheInverseOfThePBit) {
  EXPECT_TRUE(depacketize(Codec::vp8, from_hex("10fe")).value().is_key_frame);
  EXPECT_FALSE(depacketize(Codec::vp8, from_hex("1001")).value().is_key_frame);
  EXPECT_FALSE(depacketize(Codec::vp8, from_hex("0000")).value().is_key_frame);
}

TEST(Vp8, EveryShortPayloadIsSurvived) {
  for (unsigned start = 0; start < 0x10000; ++start) {
    const Bytes payload{static_cast<std::uint8_t>(start >> 8), static_cast<std::uint8_t>(start),
                        0x80};
    for (std::size_t size = 0; size <= 3; ++size) {
      const auto part = depacketize(Codec::vp8, ExactCopy(ByteView(payload).first(size)).view());
      if (part.ok()) {
        ASSERT_FALSE(part.value().data.empty());
      }
    }
  }
}

TEST(Opus, FrameIsThePayload) {
  const auto packetizer = Packetizer::create(Codec::opus);
  const Bytes frame = make_frame(160, false);
  const auto payloads = packetize(*packetizer, frame, 160);
  ASSERT_EQ(payloads.size(), 1U);
  EXPECT_EQ(payloads[0], frame);
  const auto part = depacketize(Codec::opus, payloads[0]);
  ASSERT_TRUE(part.ok());
  EXPECT_TRUE(part.value().starts_frame);
  EXPECT_EQ(to_bytes(part.value().data), frame);
  EXPECT_EQ(depacketize(Codec::opus, {}).error(), Error::malformed);
}

TEST(Opus, StartRefusesWhatDoesNotFitOnePacket) {
  const auto packetizer = Packetizer::create(Codec::opus);
  const Bytes frame = make_frame(160, false);
  EXPECT_EQ(packetizer->start(frame, 159).error(), Error::invalid_argument);
  EXPECT_EQ(packetizer->start({}, 100).error(), Error::invalid_argument);
  ASSERT_TRUE(packetizer->start(frame, 160).ok());
  Bytes out(159);
  EXPECT_EQ(packetizer->write_next(out).error(), Error::buffer_too_small);
}

TEST(Vp8, KeyFrameAndSizeAreReadFromTheFrame) {
  const FrameInfo info = read_frame_info(Codec::vp8, from_hex("10020"
                                                              "09d012a40016841"));
  EXPECT_EQ(info.is_key_frame, true);
  EXPECT_EQ(info.width, 320);  // the scaling in the upper two bits left out
  EXPECT_EQ(info.height, 360);
  EXPECT_EQ(read_frame_info(Codec::vp8, from_hex("10")).is_key_frame, true);
  EXPECT_EQ(read_frame_info(Codec::vp8, from_hex("11")).is_key_frame, false);
  EXPECT_EQ(read_frame_info(Codec::vp8, {}).is_key_frame, std::nullopt);
}

TEST(Codec, KindAndClockRate) {
  EXPECT_EQ(media_kind(Codec::opus), MediaKind::audio);
  EXPECT_EQ(clock_rate(Codec::opus), 48000U);
  for (const Codec codec : {Codec::vp8, Codec::vp9, Codec::h264, Codec::av1}) {
    EXPECT_EQ(media_kind(codec), MediaKind::video);
    EXPECT_EQ(clock_rate(codec), 90000U);
  }
}

}  // namespace
}  // namespace sealroom::rtp
