#include <gtest/gtest.h>

#include <random>

#include "rtp/payload_support.h"

namespace sealroom::rtp {
namespace {

using test::assemble;
using test::from_hex;
using test::packetize;
using test::read_payload;

constexpr std::uint8_t kSequenceHeader = 1 << 3;
constexpr std::uint8_t kDelimiter = 2 << 3;
constexpr std::uint8_t kMetadata = 5 << 3;
constexpr std::uint8_t kFrame = 6 << 3;
constexpr std::uint8_t kExtension = 0x04;
constexpr std::uint8_t kHasSize = 0x02;

/// An OBU of the type in `header`, its payload bytes counting up; with a size field if that says
/// so.
Bytes obu(std::uint8_t header, std::size_t payload_size) {
  Bytes result{header};
  if ((header & kExtension) != 0) result.push_back(0x48);
  if ((header & kHasSize) != 0) {
    std::size_t value = payload_size;
    for (; value >= 0x80; value >>= 7) result.push_back(static_cast<std::uint8_t>(value | 0x80));
    result.push_back(static_cast<std::uint8_t>(value));
  }
  for (std::size_t i = 0; i < payload_size; ++i) {
    result.push_back(static_cast<std::uint8_t>(i * 7 + 1));
  }
  return result;
}

Bytes join(const std::vector<Bytes>& parts) {
  Bytes whole;
  for (const Bytes& part : parts) whole.insert(whole.end(), part.begin(), part.end());
  return whole;
}

TEST(Av1, FramesOfAnyShapeComeBackWithSizeFields) {
  std::mt19937 random(1);
  const auto packetizer = Packetizer::create(Codec::av1);
  for (int round = 0; round < 5000; ++round) {
    std::vector<Bytes> sent;
    std::vector<Bytes> expected;
    bool has_sequence_header = false;
    const std::size_t count = 1 + random() % 6;
    for (std::size_t i = 0; i < count; ++i) {
      auto type = static_cast<std::uint8_t>(random() % 16);
      const std::size_t size = random() % 4 == 0 ? random() % 2000 : random() % 20;
      const bool is_last = i + 1 == count;
      if (is_last && (type == 2 || type == 8)) type = 6;
      const auto header =
          static_cast<std::uint8_t>(type << 3 | (random() % 2 == 0 ? kExtension : 0));
      const bool has_size = !is_last || random() % 2 == 0;
      sent.push_back(obu(has_size ? header | kHasSize : header, size));
      has_sequence_header |= type == 1;
      if (type != 2 && type != 8) expected.push_back(obu(header | kHasSize, size));
    }
    const std::size_t max_payload = 2 + random() % (round % 2 == 0 ? 20 : 1200);
    const auto payloads = packetize(*packetizer, join(sent), max_payload);
    for (std::size_t i = 0; i < payloads.size(); ++i) {
      ASSERT_LE(payloads[i].size(), max_payload);
      const auto part = read_payload(Codec::av1, payloads[i]);
      ASSERT_TRUE(part.ok());
      if (i == 0) {
        ASSERT_TRUE(part.value().starts_frame);
      }
      ASSERT_EQ(part.value().is_key_frame, i == 0 && has_sequence_header);
    }
    ASSERT_EQ(assemble(Codec::av1, payloads).value(), join(expected));
  }
}

TEST(Av1, WritesTheAggregationHeader) {
  const auto packetizer = Packetizer::create(Codec::av1);
  // A temporal unit of delimiter, sequence header and frame; the last element without a length.
  const Bytes key = join({from_hex("1200"), from_hex("0a02aabb"), from_hex("3203112233")});
  EXPECT_EQ(packetize(*packetizer, key, 100),
            std::vector<Bytes>{from_hex("280308aabb30112233")});  // W 2, N
  EXPECT_EQ(packetize(*packetizer, key, 100, FrameInfo{false, 0, 0}),
            std::vector<Bytes>{from_hex("200308aabb30112233")});
  EXPECT_EQ(packetize(*packetizer, from_hex("3203112233"), 100),
            std::vector<Bytes>{from_hex("1030112233")});  // W 1
  // One OBU over three packets: Y, Z and Y, Z.
  EXPECT_EQ(packetize(*packetizer, from_hex("3205a1a2a3a4a5"), 3),
            (std::vector<Bytes>{from_hex("5030a1"), from_hex("d0a2a3"), from_hex("90a4a5")}));
}

TEST(Av1, MoreThanThreeElementsAllHaveLengths) {
  const auto packetizer = Packetizer::create(Codec::av1);
  EXPECT_EQ(packetize(*packetizer,
                      from_hex("2a01aa"
                               "2a01bb"
                               "2a01cc"
                               "3201dd"),
                      100),
            std::vector<Bytes>{from_hex("00"
                                        "0228aa"
                                        "0228bb"
                                        "0228cc"
                                        "0230dd")});
}

TEST(Av1, TheEncryptedFormOfAFrameGetsItsSizeField) {
  const auto packetizer = Packetizer::create(Codec::av1);
  Bytes frame = from_hex("0a0baabbccddeeff0011223344");
  const Bytes sealed = obu(kFrame, 5000);
  frame.insert(frame.end(), sealed.begin(), sealed.end());
  const auto payloads = packetize(*packetizer, frame, 1150);
  EXPECT_EQ(payloads.size(), 5U);
  EXPECT_EQ(payloads[0][0], 0x68);  // Y, W 2, N
  EXPECT_EQ(assemble(Codec::av1, payloads).value(),
            join({from_hex("0a0baabbccddeeff0011223344"), obu(kFrame | kHasSize, 5000)}));
}

TEST(Av1, PacketsOfAFrameAreEqualButTheLast) {
  const auto packetizer = Packetizer::create(Codec::av1);
  for (std::size_t size = 100; size < 20000; size += 97) {
    for (const bool is_key : {false, true}) {
      const Bytes frame = join(
          {is_key ? obu(kSequenceHeader | kHasSize, 11) : Bytes{}, obu(kFrame | kHasSize, size)});
      const auto payloads = packetize(*packetizer, frame, 1150);
      for (const Bytes& payload : payloads) {
        if (&payload == &payloads.back()) continue;
        ASSERT_EQ(payload.size(), payloads.front().size());
      }
      ASSERT_LE(payloads.back().size(), payloads.front().size());
      ASSERT_EQ(payloads.size(), (size + 1 + (is_key ? 13 : 0) - 1) / 1149 + 1);
    }
  }
}

TEST(Av1, StartRefusesWhatIsNoObu) {
  const auto packetizer = Packetizer::create(Codec::av1);
  for (const char* hex : {"", "b0aa", "3203aabb", "34", "3280", "32ffffffffffffffffff01", "1200",
                          "1200"
                          "4201aa"}) {
    EXPECT_EQ(packetizer->start(from_hex(hex), 100).error(), Error::invalid_argument) << hex;
    Bytes out(100);
    EXPECT_EQ(packetizer->write_next(out).error(), Error::invalid_argument);
  }
  EXPECT_EQ(packetizer->start(from_hex("3201aa"), 1).error(), Error::invalid_argument);
  EXPECT_TRUE(packetizer->start(from_hex("3201aa"), 2).ok());
}

TEST(Av1, WriteIntoTooSmallABufferLosesNothing) {
  const auto packetizer = Packetizer::create(Codec::av1);
  const Bytes frame = join({obu(kSequenceHeader | kHasSize, 11), obu(kMetadata | kHasSize, 5),
                            obu(kFrame | kHasSize, 200)});
  const auto expected = packetize(*packetizer, frame, 100);
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

TEST(Av1, RefusesWhatIsNoPayload) {
  const auto error = [](const char* hex) {
    return read_payload(Codec::av1, from_hex(hex)).error();
  };
  EXPECT_EQ(error(""), Error::truncated);
  EXPECT_EQ(error("10"), Error::malformed);  // no byte
  EXPECT_EQ(error("90"), Error::malformed);
  EXPECT_EQ(error("50"), Error::malformed);
  EXPECT_EQ(error("9830"), Error::malformed);  // Z with N
  EXPECT_EQ(error("2001"), Error::truncated);
  EXPECT_EQ(error("300130"), Error::truncated);  // one of three elements
  EXPECT_EQ(error("0000"), Error::malformed);
  EXPECT_EQ(error("000000"), Error::malformed);
  EXPECT_EQ(error("000230"), Error::truncated);
  EXPECT_EQ(error("0001300230"), Error::truncated);
  EXPECT_EQ(error("0080"), Error::truncated);
  EXPECT_EQ(error("00ffffffffffffffffff01"), Error::truncated);
}

TEST(Av1, SaysWhereFramesStart) {
  const auto part = [](const char* hex) { return read_payload(Codec::av1, from_hex(hex)).value(); };
  EXPECT_TRUE(part("1030").starts_frame);
  EXPECT_FALSE(part("1030").is_key_frame);
  EXPECT_TRUE(part("1830").is_key_frame);
  EXPECT_FALSE(part("9030").starts_frame);
  EXPECT_TRUE(part("1730").starts_frame);  // reserved bits say nothing
}

TEST(Av1, DropsDelimitersAndTileListsOnTheWayIn) {
  const auto frame = assemble(Codec::av1, {from_hex("20"
                                                    "0110"
                                                    "30aa"),
                                           from_hex("10"
                                                    "40bbcc"),
                                           from_hex("10"
                                                    "28dd")});
  EXPECT_EQ(frame.value(), from_hex("3201aa2a01dd"));
  EXPECT_EQ(assemble(Codec::av1, {from_hex("1010")}).error(), Error::malformed);
}

TEST(Av1, KeepsARightSizeFieldAndRefusesAWrongOne) {
  EXPECT_EQ(assemble(Codec::av1, {from_hex("103202aabb")}).value(), from_hex("3202aabb"));
  // In fragments of one byte, and not in its shortest form.
  EXPECT_EQ(assemble(Codec::av1, {from_hex("5032"), from_hex("d082"), from_hex("d000"),
                                  from_hex("d0aa"), from_hex("90bb")})
                .value(),
            from_hex("328200aabb"));
  EXPECT_EQ(assemble(Codec::av1, {from_hex("103201aabb")}).error(), Error::malformed);
  EXPECT_EQ(assemble(Codec::av1, {from_hex("103203aabb")}).error(), Error::malformed);
  EXPECT_EQ(assemble(Codec::av1, {from_hex("1032")}).error(), Error::malformed);
}

TEST(Av1, HeadersMayBeCutInTwo) {
  EXPECT_EQ(assemble(Codec::av1, {from_hex("5034"), from_hex("d048"), from_hex("90aa")}).value(),
            from_hex("364801aa"));
  EXPECT_EQ(assemble(Codec::av1, {from_hex("1034")}).error(), Error::malformed);
}

TEST(Av1, FragmentsMustMeetTheirLike) {
  EXPECT_EQ(assemble(Codec::av1, {from_hex("90aa")}).error(), Error::malformed);
  EXPECT_EQ(assemble(Codec::av1, {from_hex("5030aa")}).error(), Error::malformed);
  EXPECT_EQ(assemble(Codec::av1, {from_hex("5030aa"), from_hex("1030bb")}).error(),
            Error::malformed);
  EXPECT_EQ(assemble(Codec::av1, {from_hex("1030aa"), from_hex("9030bb")}).error(),
            Error::malformed);
  EXPECT_EQ(assemble(Codec::av1, {from_hex("10b0aa")}).error(), Error::malformed);  // forbidden bit
}

TEST(Av1, FinishRefusesWhatIsNotParts) {
  for (const char* hex : {"", "00", "000001", "00000110", "000002", "00000010", "0000021030ff"}) {
    Bytes frame = from_hex(hex);
    EXPECT_EQ(finish_frame(Codec::av1, frame).error(), Error::malformed) << hex;
  }
}

// libwebrtc passes over elements of no byte, and Pion makes them.
TEST(Av1, ElementsWithoutAByteArePassedOver) {
  const auto frame = [](const std::vector<const char*>& payloads) {
    std::vector<Bytes> bytes;
    for (const char* hex : payloads) bytes.push_back(from_hex(hex));
    return assemble(Codec::av1, bytes);
  };
  const Bytes one = from_hex("3201aa");
  EXPECT_EQ(frame({"000230aa00"}).value(), one);
  EXPECT_EQ(frame({"00000230aa"}).value(), one);
  EXPECT_EQ(frame({"200030aa"}).value(), one);
  EXPECT_EQ(frame({"200230aa"}).value(), one);
  EXPECT_EQ(frame({"300230aa00"}).value(), one);
  // The last one of a packet goes on in the next: an OBU that begins there.
  EXPECT_EQ(frame({"400230aa00", "9028bb"}).value(), from_hex("3201aa2a01bb"));
  EXPECT_EQ(frame({"600230aa", "9028bb"}).value(), from_hex("3201aa2a01bb"));
  EXPECT_EQ(frame({"400230aa00", "d028", "90bb"}).value(), from_hex("3201aa2a01bb"));
  // And the first one of a packet ends what went on.
  EXPECT_EQ(frame({"5030aa", "80000228bb"}).value(), from_hex("3201aa2a01bb"));
  EXPECT_EQ(frame({"5030aa", "a00028bb"}).value(), from_hex("3201aa2a01bb"));
  EXPECT_EQ(frame({"400230aa00", "80000228bb"}).value(), from_hex("3201aa2a01bb"));
  EXPECT_EQ(frame({"400230aa00", "1028bb"}).error(), Error::malformed);
  EXPECT_EQ(frame({"000230aa00", "9028bb"}).error(), Error::malformed);
}

TEST(Av1, EveryCutIntoPacketsGivesTheSameFrame) {
  // Three OBUs over up to three packets, cut at every pair of places, with every form of W.
  const std::vector<Bytes> obus{from_hex("08a1a2"), from_hex("3448b1b2"), from_hex("28")};
  const Bytes expected = from_hex(
      "0a02a1a2"
      "364802b1b2"
      "2a00");
  std::size_t total = 0;
  for (const Bytes& one : obus) total += one.size();
  for (std::size_t first = 1; first <= total; ++first) {
    for (std::size_t second = first; second <= total; ++second) {
      for (const bool counts : {false, true}) {
        std::vector<Bytes> payloads;
        std::size_t begin = 0;
        for (const std::size_t end : {first, second, total}) {
          if (end == begin) continue;
          std::vector<Bytes> elements;
          bool starts_inside = false;
          bool ends_inside = false;
          std::size_t at = 0;
          for (const Bytes& one : obus) {
            const std::size_t from = std::max(begin, at);
            const std::size_t to = std::min(end, at + one.size());
            if (from < to) {
              elements.emplace_back(one.begin() + static_cast<std::ptrdiff_t>(from - at),
                                    one.begin() + static_cast<std::ptrdiff_t>(to - at));
              starts_inside |= from > at;
              ends_inside |= to < at + one.size();
            }
            at += one.size();
          }
          Bytes payload{static_cast<std::uint8_t>((starts_inside ? 0x80 : 0) |
                                                  (ends_inside ? 0x40 : 0) |
                                                  (counts ? elements.size() << 4 : 0))};
          for (const Bytes& element : elements) {
            if (!counts || &element != &elements.back()) {
              payload.push_back(static_cast<std::uint8_t>(element.size()));
            }
            payload.insert(payload.end(), element.begin(), element.end());
          }
          payloads.push_back(payload);
          begin = end;
        }
        ASSERT_EQ(assemble(Codec::av1, payloads).value(), expected) << first << ' ' << second;
      }
    }
  }
}

TEST(Av1, KeyFramesAreKnownByTheirSequenceAndFrameHeaders) {
  EXPECT_EQ(read_frame_info(Codec::av1, from_hex("12000a0100320110")).is_key_frame, true);
  EXPECT_EQ(read_frame_info(Codec::av1, from_hex("12000a01003201bb")).is_key_frame, false);
  EXPECT_EQ(read_frame_info(Codec::av1, from_hex("12000a010032003201bb")).is_key_frame, false);
  EXPECT_EQ(read_frame_info(Codec::av1, from_hex("12003201bb")).is_key_frame, false);
  EXPECT_EQ(read_frame_info(Codec::av1, from_hex("3202bb")).is_key_frame, std::nullopt);
}

// A queue that counts the bytes of frames would hold far more otherwise.
TEST(Av1, AFrameOfWhichLittleIsKeptDoesNotHoldTheMemoryOfTheRest) {
  Bytes frame;
  const auto add = [&](std::uint8_t header, std::size_t size) {
    const Bytes payload = join({{0x10}, obu(header, size)});
    Bytes scratch(depacketize_scratch_size(Codec::av1, payload.size()));
    const ByteView part = depacketize(Codec::av1, payload, scratch).value().data;
    frame.insert(frame.end(), part.begin(), part.end());
  };
  for (int i = 0; i < 200; ++i) add(kDelimiter, 1000);
  add(kFrame, 20);
  ASSERT_TRUE(finish_frame(Codec::av1, frame));
  EXPECT_EQ(frame, obu(kFrame | kHasSize, 20));
  EXPECT_LE(frame.capacity(), 2 * frame.size() + 4096);
}

}  // namespace
}  // namespace sealroom::rtp
