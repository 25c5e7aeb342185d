#include <gtest/gtest.h>

#include <random>

#include "rtp/payload_support.h"

namespace sealroom::rtp {
namespace {

using test::assemble;
using test::for_each_truncation;
using test::from_hex;
using test::packetize;
using test::read_payload;

constexpr const char* kSps = "6742c01e";
constexpr const char* kPps = "68ce3c80";

Bytes annex_b(const std::vector<Bytes>& units, std::size_t zeros = 3) {
  Bytes frame;
  for (const Bytes& unit : units) {
    frame.insert(frame.end(), zeros, 0);
    frame.push_back(1);
    frame.insert(frame.end(), unit.begin(), unit.end());
  }
  return frame;
}

Bytes nal_unit(std::uint8_t header, std::size_t size, std::uint8_t first = 0x88) {
  Bytes unit(size);
  for (std::size_t i = 0; i < size; ++i) unit[i] = static_cast<std::uint8_t>(i * 7 | 2);
  unit[0] = header;
  if (size > 1) unit[1] = first;
  return unit;
}

TEST(H264, FramesOfAnyShapeComeBackWithLongStartCodes) {
  std::mt19937 random(1);
  const auto packetizer = Packetizer::create(Codec::h264);
  for (int round = 0; round < 3000; ++round) {
    std::vector<Bytes> units;
    for (std::size_t i = 0; i <= random() % 5; ++i) {
      const auto type = static_cast<std::uint8_t>(1 + random() % 23);
      const auto importance = static_cast<std::uint8_t>(random() % 4 << 5);
      units.push_back(nal_unit(importance | type, 1 + random() % 300));
    }
    const std::size_t max_payload = 3 + random() % 200;
    const Bytes frame = annex_b(units, 2 + random() % 2);
    const auto payloads = packetize(*packetizer, frame, max_payload);
    for (const Bytes& payload : payloads) ASSERT_LE(payload.size(), max_payload);
    ASSERT_EQ(assemble(Codec::h264, payloads).value(), annex_b(units));
  }
}

TEST(H264, ParameterSetsAreAggregated) {
  const auto packetizer = Packetizer::create(Codec::h264);
  const Bytes slice = nal_unit(0x65, 3000);
  const auto payloads =
      packetize(*packetizer, annex_b({from_hex(kSps), from_hex(kPps), slice}), 1100);
  ASSERT_EQ(payloads.size(), 4U);
  EXPECT_EQ(payloads[0], from_hex("780004" + std::string(kSps) + "0004" + kPps));
  EXPECT_EQ(payloads[1][0], 0x7c);  // FU-A, with the slice's NRI
  EXPECT_EQ(payloads[1][1], 0x85);  // S
  EXPECT_EQ(payloads[2][1], 0x05);
  EXPECT_EQ(payloads[3][1], 0x45);  // E
}

TEST(H264, FragmentsAreEqualButTheLast) {
  const auto packetizer = Packetizer::create(Codec::h264);
  for (std::size_t size = 101; size < 3000; size += 7) {
    const auto payloads = packetize(*packetizer, annex_b({nal_unit(0x41, size)}), 100);
    ASSERT_EQ(payloads.size(), (size - 1 + 97) / 98);
    for (const Bytes& payload : payloads) {
      if (&payload == &payloads.back()) continue;
      ASSERT_EQ(payload.size(), payloads.front().size());
    }
    ASSERT_LE(payloads.back().size(), payloads.front().size());
  }
}

TEST(H264, WhatJustFitsIsASingleNalUnitPacket) {
  const auto packetizer = Packetizer::create(Codec::h264);
  const Bytes unit = nal_unit(0x41, 100);
  EXPECT_EQ(packetize(*packetizer, annex_b({unit}), 100), std::vector<Bytes>{unit});
  EXPECT_EQ(packetize(*packetizer, annex_b({unit}), 99).size(), 2U);
}

TEST(H264, AggregateTakesTheHighestImportanceAndAnyForbiddenBit) {
  const auto packetizer = Packetizer::create(Codec::h264);
  const auto header = [&](std::uint8_t one, std::uint8_t other) {
    return packetize(*packetizer, annex_b({{one, 0x80}, {other, 0x80}}), 100)[0][0];
  };
  EXPECT_EQ(header(0x06, 0x41), 0x58);
  EXPECT_EQ(header(0x65, 0x06), 0x78);
  EXPECT_EQ(header(0x01, 0x86), 0x98);
}

TEST(H264, ZerosAroundNalUnitsAreLeftOut) {
  const auto packetizer = Packetizer::create(Codec::h264);
  const auto payloads =
      packetize(*packetizer, from_hex("00000000000141aa0000000000000141bb000000"), 3);
  EXPECT_EQ(payloads, (std::vector<Bytes>{from_hex("41aa"), from_hex("41bb")}));
}

TEST(H264, StartRefusesWhatIsNoByteStream) {
  const auto packetizer = Packetizer::create(Codec::h264);
  for (const char* hex : {"", "41aa", "0001", "000001", "00000100",
                          "000001000001"
                          "41aa",
                          "00000141aa000001", "aa00000141aa", "0000017841", "00000100aa",
                          "0000017caa", "0000015faa"}) {
    EXPECT_EQ(packetizer->start(from_hex(hex), 100).error(), Error::invalid_argument) << hex;
    Bytes out(100);
    EXPECT_EQ(packetizer->write_next(out).error(), Error::invalid_argument);
  }
  EXPECT_EQ(packetizer->start(from_hex("00000141aa"), 2).error(), Error::invalid_argument);
  EXPECT_TRUE(packetizer->start(from_hex("00000141aabbcc"), 3).ok());
}

TEST(H264, WriteIntoTooSmallABufferLosesNothing) {
  const auto packetizer = Packetizer::create(Codec::h264);
  const Bytes frame =
      annex_b({from_hex(kSps), from_hex(kPps), nal_unit(0x65, 150), nal_unit(0x41, 99)});
  const auto expected = packetize(*packetizer, frame, 100);
  ASSERT_EQ(expected.size(), 4U);
  ASSERT_TRUE(packetizer->start(frame, 100).ok());
  for (const Bytes& payload : expected) {
    for (std::size_t size = 0; size < payload.size(); ++size) {
      Bytes out(size);
      ASSERT_EQ(packetizer->write_next(out).error(), Error::buffer_too_small);
    }
    Bytes out(payload.size());
    ASSERT_EQ(packetizer->write_next(out).value(), payload.size());
    EXPECT_EQ(out, payload);
  }
}

TEST(H264, SaysWhereFramesStart) {
  struct Case {
    const char* payload;
    bool starts_frame;
    bool is_key_frame;
  };
  for (const Case& one : {
           Case{"658880", true, true},                     // IDR slice, first_mb_in_slice 0
           Case{"654880", false, false},                   // a later one of the picture
           Case{"418880", true, false},                    // another slice
           Case{"415880", false, false},                   //
           Case{"6742", true, false},                      // SPS: a delta frame's, too
           Case{"68ce", true, false},                      // PPS alone
           Case{"0910", true, false},                      // access unit delimiter
           Case{"0605", true, false},                      // SEI
           Case{"0a", false, false},                       // end of sequence
           Case{"7800026742000268ce", true, false},        // STAP-A: SPS, PPS
           Case{"780002674200026588", true, true},         // and an IDR slice
           Case{"78000267420002419a", true, false},        // and a P slice
           Case{"7800026742000241b8", true, true},         // and an I slice
           Case{"780002674200024188", true, true},         // slice_type 7
           Case{"780002674200050601018480", true, false},  // and a picture timing
           Case{"780002674200050606018480", true, true},   // and a recovery point
           Case{"18000206050003418880", true, false},      // STAP-A: SEI, slice
           Case{"18000206050003415880", true, false},      // the SEI starts it
           Case{"7c8588", true, true},                     // FU-A: start of an IDR slice
           Case{"7c8548", false, false},                   //
           Case{"7c0588", false, false},                   // its middle
           Case{"5c8188", true, false},                    //
       }) {
    const auto part = read_payload(Codec::h264, from_hex(one.payload));
    ASSERT_TRUE(part.ok()) << one.payload;
    EXPECT_EQ(part.value().starts_frame, one.starts_frame) << one.payload;
    EXPECT_EQ(part.value().is_key_frame, one.is_key_frame) << one.payload;
  }
}

TEST(H264, RestoresNalUnits) {
  const auto data = [](const char* hex) {
    return read_payload(Codec::h264, from_hex(hex)).value().data;
  };
  EXPECT_EQ(data("6588aa"), from_hex("000000016588aa"));
  EXPECT_EQ(data("7800026742000168"), from_hex("0000000167420000000168"));
  EXPECT_EQ(data("7c8588aa"), from_hex("000000016588aa"));
  EXPECT_EQ(data("7c0588aa"), from_hex("88aa"));
  EXPECT_EQ(data("7c4588"), from_hex("88"));
  EXPECT_EQ(data("7cc588aa"), from_hex("000000016588aa"));  // start and end at once
  // RFC 6184 section 5.8 allows fragments without a byte of the NAL unit.
  EXPECT_EQ(data("7c85"), from_hex("0000000165"));
  EXPECT_EQ(data("7c05"), Bytes());
  EXPECT_EQ(data("7c45"), Bytes());
}

TEST(H264, RefusesWhatIsNotOfMode1) {
  const auto error = [](const char* hex) {
    return read_payload(Codec::h264, from_hex(hex)).error();
  };
  EXPECT_EQ(error(""), Error::malformed);
  EXPECT_EQ(error("00aa"), Error::malformed);
  EXPECT_EQ(error("1eaa"), Error::malformed);
  EXPECT_EQ(error("1faa"), Error::malformed);
  for (const char* hex : {"19aabb", "1aaabb", "1baabb", "1daabb"}) {
    EXPECT_EQ(error(hex), Error::unsupported) << hex;  // STAP-B, MTAP16, MTAP24, FU-B
  }
  EXPECT_EQ(error("7c"), Error::truncated);
  EXPECT_EQ(error("7c8088"), Error::malformed);  // no NAL unit type
  EXPECT_EQ(error("7c9c88"), Error::malformed);  // a packet in a packet
  EXPECT_EQ(error("78"), Error::truncated);
  EXPECT_EQ(error("780000"), Error::malformed);
  EXPECT_EQ(error("78000178"), Error::malformed);
  EXPECT_EQ(error("7800026742ff"), Error::truncated);
  EXPECT_EQ(error("78000367"), Error::truncated);
}

TEST(H264, TooLittleScratchMemoryIsAnError) {
  const Bytes aggregate = from_hex("78000167000168000165000165000165000165");
  for (std::size_t size = 0; size < 30; ++size) {
    Bytes scratch(size);
    EXPECT_EQ(depacketize(Codec::h264, aggregate, scratch).error(), Error::buffer_too_small);
  }
  Bytes scratch(30);
  EXPECT_TRUE(depacketize(Codec::h264, aggregate, scratch).ok());
  EXPECT_GE(depacketize_scratch_size(Codec::h264, aggregate.size()), 30U);
  // A middle fragment stays where it is.
  EXPECT_TRUE(depacketize(Codec::h264, from_hex("7c0588")).ok());
}

TEST(H264, EveryShortPayloadIsSurvived) {
  for (unsigned start = 0; start < 0x10000; ++start) {
    const Bytes payload{static_cast<std::uint8_t>(start >> 8), static_cast<std::uint8_t>(start), 1,
                        0x67};
    for (std::size_t size = 0; size <= payload.size(); ++size) {
      const auto part = read_payload(Codec::h264, ByteView(payload).first(size));
      if (part.ok()) {
        const bool is_fragment = size == 2 && (start >> 8 & 0x1f) == 28;
        ASSERT_TRUE(!part.value().data.empty() || is_fragment);
      }
    }
  }
}

TEST(H264, KeyFramesAreKnownByTheirNalUnits) {
  const auto is_key = [](const std::vector<Bytes>& units) {
    return read_frame_info(Codec::h264, annex_b(units)).is_key_frame;
  };
  EXPECT_EQ(is_key({from_hex(kSps), from_hex(kPps), nal_unit(0x65, 20)}), true);
  EXPECT_EQ(is_key({nal_unit(0x06, 20), nal_unit(0x65, 20)}), true);
  EXPECT_EQ(is_key({nal_unit(0x06, 20), nal_unit(0x41, 20)}), false);
  EXPECT_EQ(is_key({from_hex(kSps), from_hex(kPps), nal_unit(0x41, 20, 0x9a)}), false);
  EXPECT_EQ(is_key({from_hex(kSps), from_hex(kPps), nal_unit(0x41, 20, 0xb8)}), true);
  EXPECT_EQ(is_key({from_hex(kSps), from_hex("06060184"), nal_unit(0x41, 20, 0x9a)}), true);
  EXPECT_EQ(read_frame_info(Codec::h264, from_hex("65aabb")).is_key_frame, std::nullopt);
}

}  // namespace
}  // namespace sealroom::rtp
