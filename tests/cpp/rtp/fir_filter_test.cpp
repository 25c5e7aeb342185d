#include "sealroom/rtp/fir_filter.h"

#include <gtest/gtest.h>

namespace sealroom::rtp {
namespace {

constexpr TimePoint kNow{std::chrono::seconds(100)};

TEST(FirFilter, NumbersAreOfEachPairOfRequesterAndMedia) {
  FirFilter filter;
  EXPECT_TRUE(filter.is_new(Ssrc{1}, {Ssrc{9}, 0}, kNow));
  EXPECT_TRUE(filter.is_new(Ssrc{2}, {Ssrc{9}, 0}, kNow));
  EXPECT_TRUE(filter.is_new(Ssrc{1}, {Ssrc{8}, 0}, kNow));
  EXPECT_FALSE(filter.is_new(Ssrc{1}, {Ssrc{9}, 0}, kNow));
  EXPECT_TRUE(filter.is_new(Ssrc{1}, {Ssrc{9}, 1}, kNow));
  EXPECT_FALSE(filter.is_new(Ssrc{1}, {Ssrc{8}, 0}, kNow));
}

TEST(FirFilter, ANumberCountsAgainSomeTimeAfterItsFirstUse) {
  FirFilter filter;
  EXPECT_TRUE(filter.is_new(Ssrc{1}, {Ssrc{9}, 3}, kNow));
  EXPECT_FALSE(filter.is_new(Ssrc{1}, {Ssrc{9}, 3}, kNow + FirFilter::kMemory / 2));
  EXPECT_TRUE(filter.is_new(Ssrc{1}, {Ssrc{9}, 3}, kNow + FirFilter::kMemory));
}

TEST(FirFilter, OfTooManyPairsTheOneThatAskedLongestAgoIsForgotten) {
  FirFilter filter;
  for (std::uint32_t i = 0; i <= FirFilter::kMaxPairs; ++i) {
    EXPECT_TRUE(filter.is_new(Ssrc{i}, {Ssrc{9}, 0}, kNow + Duration(i)));
  }
  const TimePoint later = kNow + std::chrono::seconds(1);
  EXPECT_FALSE(filter.is_new(Ssrc{FirFilter::kMaxPairs}, {Ssrc{9}, 0}, later));
  EXPECT_FALSE(filter.is_new(Ssrc{1}, {Ssrc{9}, 0}, later));
  EXPECT_TRUE(filter.is_new(Ssrc{0}, {Ssrc{9}, 0}, later));
}

}  // namespace
}  // namespace sealroom::rtp
