#include "sealroom/rtp/red.h"

#include <gtest/gtest.h>

#include "rtp/support.h"

namespace sealroom::rtp {
namespace {

using test::for_each_truncation;
using test::from_hex;
using test::to_bytes;

constexpr PayloadType kOpus{111};

/// Packets of one stream, 960 apart, each payload filled with its number.
class Stream {
 public:
  explicit Stream(std::size_t distance) : encoder_(kOpus, distance) {}

  RedBlocks next(std::size_t size, std::size_t room = 1200, std::uint32_t step = 960) {
    timestamp_.value += step;
    const Bytes payload(size, ++number_);
    out_.assign(room, 0xEE);
    const auto written = encoder_.encode(payload, timestamp_, out_);
    EXPECT_TRUE(written.ok());
    const auto parsed = parse_red(ByteView(out_).first(written.value()));
    EXPECT_TRUE(parsed.ok());
    return parsed.value();
  }

 private:
  RedEncoder encoder_;
  RtpTimestamp timestamp_{0xFFFFF000};
  std::uint8_t number_ = 0;
  Bytes out_;
};

TEST(RedEncoder, WritesTheBytesOfRfc2198) {
  RedEncoder encoder(kOpus, 1);
  Bytes out(100);
  auto size = encoder.encode(from_hex("aabb"), RtpTimestamp{0}, out);
  EXPECT_EQ(to_bytes(ByteView(out).first(size.value())), from_hex("6faabb"));
  size = encoder.encode(from_hex("cc"), RtpTimestamp{960}, out);
  // 960 << 10 | 2 behind F and the block's payload type.
  EXPECT_EQ(to_bytes(ByteView(out).first(size.value())), from_hex("ef0f00026faabbcc"));
}

TEST(RedEncoder, CarriesAsManyPayloadsAsItsDistanceOldestFirst) {
  for (std::size_t distance = 1; distance <= RedEncoder::kMaxDistance; ++distance) {
    Stream stream(distance);
    for (std::size_t i = 0; i < 20; ++i) {
      const RedBlocks red = stream.next(10 + i);
      ASSERT_EQ(red.count, std::min(i, distance) + 1);
      for (std::size_t age = 0; age < red.count; ++age) {
        const RedBlock& block = red.blocks[red.count - 1 - age];
        EXPECT_EQ(block.payload_type, kOpus);
        EXPECT_EQ(block.timestamp_offset, 960 * age);
        EXPECT_EQ(to_bytes(block.payload),
                  Bytes(10 + i - age, static_cast<std::uint8_t>(i + 1 - age)));
      }
    }
  }
}

TEST(RedEncoder, LeavesOutTheOldestWhereThereIsNoRoom) {
  Stream stream(3);
  for (int i = 0; i < 3; ++i) (void)stream.next(100);
  EXPECT_EQ(stream.next(100, 1 + 100 + 3 * 104).count, 4U);
  EXPECT_EQ(stream.next(100, 1 + 100 + 3 * 104 - 1).count, 3U);
  EXPECT_EQ(stream.next(100, 1 + 100).count, 1U);
}

TEST(RedEncoder, ARowEndsAtWhatTenBitsOfLengthCannotHold) {
  Stream stream(2);
  (void)stream.next(1023);
  EXPECT_EQ(stream.next(1024, 3000).count, 2U);
  EXPECT_EQ(stream.next(10, 3000).count, 1U);
  EXPECT_EQ(stream.next(10, 3000).count, 2U);  // not the one before the large one
}

TEST(RedEncoder, ARowEndsAtWhatFourteenBitsOfOffsetCannotHold) {
  Stream stream(2);
  (void)stream.next(10);
  EXPECT_EQ(stream.next(10, 100, 16383).count, 2U);
  EXPECT_EQ(stream.next(10, 100, 1).count, 2U);  // 16384 behind the oldest
  EXPECT_EQ(stream.next(10, 100, 16384).count, 1U);
}

TEST(RedEncoder, RefusesAPrimaryThatDoesNotFitAndForgetsIt) {
  RedEncoder encoder(kOpus, 1);
  Bytes out(5);
  EXPECT_EQ(encoder.encode(Bytes(5), RtpTimestamp{0}, out).error(), Error::buffer_too_small);
  EXPECT_EQ(encoder.encode(Bytes(1), RtpTimestamp{960}, out).value(), 2U);
}

TEST(ParseRed, EveryTruncationIsRefusedUpToThePrimary) {
  const Bytes whole = from_hex(
      "ef1e0002ef0f00036faabbcc0102"
      "05");
  ASSERT_EQ(parse_red(whole).value().count, 3U);
  for_each_truncation(whole, [&](ByteView view, std::size_t size) {
    const auto red = parse_red(view);
    ASSERT_EQ(red.ok(), size >= 14) << size;
    if (red.ok()) return;
    EXPECT_EQ(red.error(), Error::truncated);
  });
}

TEST(ParseRed, MoreBlocksThanItsTableAreRefused) {
  Bytes payload;
  for (std::size_t i = 0; i < kMaxRedBlocks - 1; ++i) {
    payload.insert(payload.end(), {0xef, 0, 0, 0});
  }
  Bytes fits = payload;
  fits.push_back(0x6f);
  EXPECT_EQ(parse_red(fits).value().count, kMaxRedBlocks);
  payload.insert(payload.end(), {0xef, 0, 0, 0, 0x6f});
  EXPECT_EQ(parse_red(payload).error(), Error::limit_exceeded);
}

}  // namespace
}  // namespace sealroom::rtp
