#include "sframe/emulation_prevention.h"

#include <gtest/gtest.h>

#include <random>

namespace sealroom::sframe {
namespace {

std::size_t find_slowly(ByteView data, std::size_t from) {
  for (std::size_t at = from + 2; at < data.size(); ++at) {
    if (data[at] <= 3 && data[at - 1] == 0 && data[at - 2] == 0) return at;
  }
  return data.size();
}

Bytes escape_slowly(ByteView data) {
  Bytes out;
  int zeros = 0;
  for (const std::uint8_t byte : data) {
    if (zeros >= 2 && byte <= 3) {
      out.push_back(3);
      zeros = 0;
    }
    out.push_back(byte);
    zeros = byte == 0 ? zeros + 1 : 0;
  }
  return out;
}

Bytes escape(ByteView data) {
  Bytes buffer(max_escaped_size(data.size()));
  std::copy(data.begin(), data.end(), buffer.begin());
  buffer.resize(escape_in_place(buffer, data.size()));
  return buffer;
}

Result<Bytes> unescape(ByteView data) {
  Bytes out(data.size());
  const auto size = sframe::unescape(data, out);
  if (!size) return size.error();
  out.resize(size.value());
  return out;
}

/// Mostly bytes that matter, so that every case of the block search comes up.
Bytes random_bytes(std::mt19937& random, std::size_t size, unsigned distinct) {
  Bytes bytes(size);
  for (auto& byte : bytes) {
    byte = static_cast<std::uint8_t>(random() % distinct);
    if (byte > 4) byte = static_cast<std::uint8_t>(random());
  }
  return bytes;
}

TEST(EmulationPreventionTest, FindsAnEmulationAtEveryPlaceOfABlock) {
  for (std::size_t size = 3; size <= 200; ++size) {
    for (std::size_t at = 2; at < size; ++at) {
      for (std::uint8_t last = 0; last <= 4; ++last) {
        Bytes data(size, 0xff);
        data[at - 2] = data[at - 1] = 0;
        data[at] = last;
        ASSERT_EQ(find_emulation(data, 0), last <= 3 ? at : size) << size;
        ASSERT_EQ(find_emulation(data, at - 1), find_slowly(data, at - 1));
      }
    }
  }
}

TEST(EmulationPreventionTest, AgreesWithAByteLoopOnDataFullOfZeros) {
  std::mt19937 random(264);
  for (int i = 0; i < 30'000; ++i) {
    const Bytes data = random_bytes(random, random() % 300, i % 2 == 0 ? 40 : 6);
    const std::size_t from = data.empty() ? 0 : random() % (data.size() + 1);
    ASSERT_EQ(find_emulation(data, from), find_slowly(data, from));
    const Bytes escaped = escape(data);
    ASSERT_EQ(escaped, escape_slowly(data)) << i;
    for (std::size_t at = 2; at < escaped.size(); ++at) {
      ASSERT_FALSE(escaped[at - 2] == 0 && escaped[at - 1] == 0 && escaped[at] < 3);
    }
    if (!data.empty() && data.back() == 0) continue;  // the caller ends it with a stop byte
    const auto back = unescape(escaped);
    ASSERT_TRUE(back) << i;
    ASSERT_EQ(back.value(), data);
  }
}

TEST(EmulationPreventionTest, TheBoundHoldsForNothingButZeros) {
  for (std::size_t size = 0; size < 300; ++size) {
    const Bytes escaped = escape(Bytes(size, 0));
    EXPECT_LE(escaped.size(), max_escaped_size(size));
    EXPECT_EQ(escaped, escape_slowly(Bytes(size, 0)));
  }
}

TEST(EmulationPreventionTest, TwoSpellingsOfOneContentAreRefused) {
  for (const Bytes& data : {Bytes{0, 0, 0, 9}, Bytes{0, 0, 1, 9}, Bytes{0, 0, 2, 9},
                            Bytes{0, 0, 3, 9}, Bytes{0, 0, 3}, Bytes{9, 0, 0, 3, 4}}) {
    const auto result = unescape(data);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error(), Error::malformed);
  }
  // Whatever is accepted escapes to the same bytes again.
  std::mt19937 random(7414);
  int accepted = 0;
  for (int i = 0; i < 20'000; ++i) {
    const Bytes data = random_bytes(random, 1 + random() % 12, 5);
    const auto content = unescape(data);
    if (!content) continue;
    ++accepted;
    ASSERT_EQ(escape(content.value()), data);
  }
  EXPECT_GT(accepted, 1000);
}

TEST(EmulationPreventionTest, ASmallOutputIsRefused) {
  Bytes out(3);
  EXPECT_EQ(sframe::unescape(Bytes{1, 2, 3, 4}, out).error(), Error::buffer_too_small);
}

}  // namespace
}  // namespace sealroom::sframe
