#include "sframe/replay_window.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <set>

namespace sealroom::sframe {
namespace {

TEST(ReplayWindow, AgreesWithASetOfCountersOnRandomWalks) {
  std::mt19937_64 random(1024);
  for (const std::uint64_t start : {std::uint64_t{0}, std::uint64_t{1'000'000},
                                    std::numeric_limits<std::uint64_t>::max() - 40'000}) {
    ReplayWindow window;
    std::set<std::uint64_t> accepted;
    std::uint64_t newest = start;
    for (int i = 0; i < 20'000; ++i) {
      // Mostly near the newest, now and then a leap beyond the window either way.
      const std::uint64_t reach = random() % 500 == 0 ? 2500 : (random() % 20 == 0 ? 1100 : 5);
      const std::uint64_t back = std::min(random() % (reach + 1), newest - start);
      const std::uint64_t counter =
          random() % 2 == 0 ? newest - back
                            : newest + std::min(random() % (reach / 40 + 2),
                                                std::numeric_limits<std::uint64_t>::max() - newest);
      const auto result = window.check(counter);
      if (!accepted.empty() && *accepted.rbegin() >= counter &&
          *accepted.rbegin() - counter >= kReplayWindow) {
        ASSERT_EQ(result.error(), Error::too_old);
      } else if (accepted.count(counter) != 0) {
        ASSERT_EQ(result.error(), Error::replayed);
      } else {
        ASSERT_TRUE(result.ok());
        window.accept(counter);
        accepted.insert(counter);
        newest = std::max(newest, counter);
      }
    }
    EXPECT_GT(accepted.size(), 5000U);
  }
}

TEST(ReplayWindow, EveryLeapForgetsExactlyWhatFellOut) {
  for (std::uint64_t leap = 1; leap < 2 * kReplayWindow + 2; ++leap) {
    ReplayWindow window;
    constexpr std::uint64_t kFirst = 3 * kReplayWindow + 37;
    for (std::uint64_t counter = kFirst - kReplayWindow + 1; counter <= kFirst; ++counter) {
      window.accept(counter);
    }
    const std::uint64_t newest = kFirst + leap;
    window.accept(newest);
    for (std::uint64_t age = 0; age < kReplayWindow; ++age) {
      const std::uint64_t counter = newest - age;
      ASSERT_EQ(window.check(counter).ok(), counter != newest && counter > kFirst)
          << leap << " " << age;
    }
    ASSERT_EQ(window.check(newest - kReplayWindow).error(), Error::too_old);
  }
}

TEST(ReplayWindow, HoldsBothEndsOfTheCounterRange) {
  constexpr auto kLargest = std::numeric_limits<std::uint64_t>::max();
  ReplayWindow window;
  window.accept(0);
  EXPECT_EQ(window.check(0).error(), Error::replayed);
  EXPECT_TRUE(window.check(kLargest));
  window.accept(kLargest);
  EXPECT_EQ(window.check(kLargest).error(), Error::replayed);
  EXPECT_TRUE(window.check(kLargest - 1));
  EXPECT_EQ(window.check(0).error(), Error::too_old);
}

}  // namespace
}  // namespace sealroom::sframe
