#include "sfu/sequence_rewriter.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace sealroom::sfu {
namespace {

/// The number of a packet that is then sealed.
std::optional<std::int64_t> use(SequenceRewriter& rewriter, std::int64_t input) {
  const auto output = rewriter.to_output(input);
  if (output) rewriter.mark_used(*output);
  return output;
}

TEST(SequenceRewriter, GivesNothingBeforeTheFirstRun) {
  SequenceRewriter rewriter(100);
  EXPECT_FALSE(rewriter.to_output(5));
  EXPECT_FALSE(rewriter.find(100));
}

TEST(SequenceRewriter, KeepsGapsAndOrderWithinARun) {
  SequenceRewriter rewriter(100);
  rewriter.begin_run(50);
  EXPECT_EQ(use(rewriter, 50), 100);
  EXPECT_EQ(use(rewriter, 53), 103);
  EXPECT_EQ(use(rewriter, 51), 101);
  EXPECT_FALSE(use(rewriter, 49));
}

TEST(SequenceRewriter, ANewRunGoesOnBehindTheLastNumber) {
  SequenceRewriter rewriter(65534);
  rewriter.begin_run(0);
  EXPECT_EQ(use(rewriter, 0), 65534);
  EXPECT_EQ(use(rewriter, 3), 65537);
  rewriter.begin_run(10);
  EXPECT_EQ(use(rewriter, 10), 65538);
  EXPECT_FALSE(use(rewriter, 2));
}

TEST(SequenceRewriter, FindsTheOriginAcrossRunsAndWraps) {
  SequenceRewriter rewriter(65534);
  rewriter.begin_run(1000);
  (void)use(rewriter, 1003);  // 1: 65537
  rewriter.begin_run(2000);
  (void)use(rewriter, 2005);
  EXPECT_EQ(rewriter.find(65534)->input, 1000);
  EXPECT_EQ(rewriter.find(1)->input, 1003);
  EXPECT_EQ(rewriter.find(2)->input, 2000);
  EXPECT_EQ(rewriter.find(7)->input, 2005);
  EXPECT_FALSE(rewriter.find(8));  // not given out yet: the number of a round before, and so none
  EXPECT_FALSE(rewriter.find(65533));  // before the first
}

TEST(SequenceRewriter, ANumberThatWasNotUsedIsGivenOutAgain) {
  SequenceRewriter rewriter(100);
  rewriter.begin_run(0);
  (void)use(rewriter, 0);
  EXPECT_EQ(rewriter.to_output(5), 105);  // and refused
  rewriter.begin_run(9);
  EXPECT_EQ(rewriter.to_output(9), 101);
}

TEST(SequenceRewriter, ARunWhosePacketsAreRefusedDoesNotGetAheadOfSrtp) {
  constexpr std::int64_t kMaxLead = SequenceRewriter::kMaxLead;
  SequenceRewriter rewriter(100);
  rewriter.begin_run(0);
  (void)use(rewriter, 0);
  for (std::int64_t input = 0; input <= kMaxLead; input += 512) {
    EXPECT_TRUE(rewriter.to_output(input));
    EXPECT_FALSE(rewriter.has_lost_touch(input));
  }
  EXPECT_FALSE(rewriter.to_output(kMaxLead + 1));
  EXPECT_TRUE(rewriter.has_lost_touch(kMaxLead + 1));
  rewriter.begin_run(kMaxLead + 1);
  EXPECT_EQ(use(rewriter, kMaxLead + 1), 101);
}

TEST(SequenceRewriter, NoOutputEverStandsForTwoInputs) {
  std::mt19937 random(7);
  SequenceRewriter rewriter(60000);
  std::map<std::int64_t, std::int64_t> input_of;
  std::int64_t newest = 0;
  rewriter.begin_run(newest);
  for (int i = 0; i < 200'000; ++i) {
    if (random() % 500 == 0) {
      newest += random() % 3000;
      rewriter.begin_run(newest);
    }
    const std::int64_t input = newest + static_cast<std::int64_t>(random() % 20) - 10;
    newest = std::max(newest, input);
    const auto output = use(rewriter, input);
    if (!output) continue;
    const auto [place, is_new] = input_of.emplace(*output, input);
    ASSERT_EQ(place->second, input);
    const auto origin = rewriter.find(static_cast<std::uint16_t>(*output));
    ASSERT_TRUE(origin);
    ASSERT_EQ(origin->input, input);
  }
}

}  // namespace
}  // namespace sealroom::sfu
