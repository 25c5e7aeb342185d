#include "sealroom/sframe/header.h"

#include <gtest/gtest.h>

#include <random>

#include "support/json.h"

namespace sealroom::sframe {
namespace {

using test::from_hex;

TEST(Header, EncodesAndParsesEveryVectorOfRfc9605) {
  const auto file = test::Json::load("sframe-rfc9605.json");
  const auto& vectors = file["header"].items();
  EXPECT_EQ(vectors.size(), 289U);
  for (const auto& vector : vectors) {
    const Header header{KeyId{vector["kid"].number()}, vector["ctr"].number()};
    const Bytes encoded = vector["encoded"].hex();
    SCOPED_TRACE(vector["encoded"].text());

    Bytes out(kMaxHeaderSize);
    const auto size = header.encode(out);
    ASSERT_TRUE(size);
    EXPECT_EQ(size.value(), header.encoded_size());
    out.resize(size.value());
    EXPECT_EQ(out, encoded);

    const auto parsed = Header::parse(encoded);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed.value().header, header);
    EXPECT_EQ(parsed.value().size, encoded.size());
  }
}

TEST(Header, ReadsOnlyItsOwnBytesOfALongerFrame) {
  const Bytes frame = from_hex("1904d2aabbcc");
  const auto parsed = Header::parse(frame);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed.value().header, (Header{KeyId{1}, 0x04d2}));
  EXPECT_EQ(parsed.value().size, 3U);
}

TEST(Header, RefusesEveryTruncation) {
  Bytes encoded(kMaxHeaderSize);
  ASSERT_TRUE((Header{KeyId{~0ULL}, ~0ULL}.encode(encoded)));
  for (std::size_t size = 0; size < encoded.size(); ++size) {
    const auto parsed = Header::parse(ByteView(encoded).first(size));
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error(), Error::truncated);
  }
}

TEST(Header, RefusesEncodingsThatAreNotTheShortest) {
  for (const char* encoded : {
           "0800",  // CTR 0 in a byte of its own
           "0807",  // 7 fits the config byte
           "090001",
           "0900ff",              // a leading zero byte
           "0f00ffffffffffffff",  // 7 bytes suffice
           "8000",
           "8007",  // the same for KID
           "9000ff",
           "f000ffffffffffffff",
           "880807",  // good KID, bad CTR
       }) {
    const auto parsed = Header::parse(from_hex(encoded));
    ASSERT_FALSE(parsed) << encoded;
    EXPECT_EQ(parsed.error(), Error::malformed) << encoded;
  }
}

TEST(Header, RefusesABufferThatIsTooSmallAndWritesNothing) {
  const Header header{KeyId{300}, 70000};
  for (std::size_t size = 0; size < header.encoded_size(); ++size) {
    Bytes out(size, 0xee);
    EXPECT_EQ(header.encode(out).error(), Error::buffer_too_small);
    EXPECT_EQ(out, Bytes(size, 0xee));
  }
}

TEST(Header, WhatItAcceptsOfRandomBytesItEncodesBackToTheSameBytes) {
  std::mt19937 random(9605);
  int accepted = 0;
  for (int i = 0; i < 100'000; ++i) {
    Bytes data(random() % (kMaxHeaderSize + 3));
    for (auto& byte : data) byte = static_cast<std::uint8_t>(random());
    const auto parsed = Header::parse(data);
    if (!parsed) continue;
    ++accepted;
    ASSERT_LE(parsed.value().size, data.size());
    Bytes out(kMaxHeaderSize);
    const auto size = parsed.value().header.encode(out);
    ASSERT_TRUE(size);
    ASSERT_EQ(size.value(), parsed.value().size);
    ASSERT_TRUE(std::equal(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size.value()),
                           data.begin()));
  }
  EXPECT_GT(accepted, 10'000);
}

}  // namespace
}  // namespace sealroom::sframe
