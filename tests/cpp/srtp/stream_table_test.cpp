#include "srtp/stream_table.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace sealroom::srtp {
namespace {

TEST(StreamTable, AgreesWithAMapThroughInsertsAndErasures) {
  std::mt19937 random(1);
  StreamTable<int> table;
  std::map<std::uint32_t, int> expected;
  for (int i = 0; i < 20'000; ++i) {
    const std::uint32_t number = random() % 64 * 0x04000001U;
    const Ssrc ssrc{number};
    int* found = table.find(ssrc);
    ASSERT_EQ(found != nullptr, expected.contains(number));
    if (found != nullptr) {
      ASSERT_EQ(*found, expected[number]);
      ASSERT_EQ(std::as_const(table).find(ssrc), found);
    }
    if (random() % 2 == 0) {
      table.erase(ssrc);
      expected.erase(number);
    } else if (found == nullptr) {
      ASSERT_EQ(table.insert(ssrc, i), i);
      expected[number] = i;
    }
    ASSERT_EQ(table.size(), expected.size());
  }
}

}  // namespace
}  // namespace sealroom::srtp
