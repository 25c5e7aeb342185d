#include "srtp/replay_window.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <set>

namespace sealroom::srtp {
namespace {

bool accepts(ReplayWindow& window, std::uint64_t index) {
  if (!window.check(index).ok()) return false;
  window.commit(index);
  return true;
}

TEST(ReplayWindow, TakesAnyFirstIndex) {
  ReplayWindow window(64);
  EXPECT_FALSE(window.started());
  EXPECT_TRUE(accepts(window, 1'000'000));
  EXPECT_EQ(window.newest(), 1'000'000U);
}

TEST(ReplayWindow, CheckAloneChangesNothing) {
  ReplayWindow window(64);
  EXPECT_TRUE(window.check(7).ok());
  EXPECT_FALSE(window.started());
  window.commit(7);
  EXPECT_TRUE(window.check(1000).ok());
  EXPECT_EQ(window.newest(), 7U);
}

TEST(ReplayWindow, OldestIndexInsideIsTakenAndTheOneBeforeIsTooOld) {
  for (const std::size_t size : {64U, 128U, 192U, 1024U, 32768U}) {
    ReplayWindow window(size);
    window.commit(100'000);
    EXPECT_EQ(window.check(100'000 - size).error(), Error::too_old) << size;
    EXPECT_TRUE(accepts(window, 100'000 - size + 1)) << size;
    EXPECT_EQ(window.check(100'000 - size + 1).error(), Error::replayed) << size;
  }
}

TEST(ReplayWindow, SizeIsRoundedUpToAMultipleOf64) {
  ReplayWindow window(65);
  window.commit(1000);
  EXPECT_TRUE(window.check(1000 - 127).ok());
  EXPECT_EQ(window.check(1000 - 128).error(), Error::too_old);
}

TEST(ReplayWindow, WorksToTheLastIndex) {
  ReplayWindow window(64);
  const std::uint64_t last = (std::uint64_t{1} << 48) - 1;
  EXPECT_TRUE(accepts(window, 0));
  EXPECT_TRUE(accepts(window, last));
  EXPECT_TRUE(accepts(window, last - 63));
  EXPECT_EQ(window.check(0).error(), Error::too_old);
}

// The plain statement of the rule, over every kind of step that moves the ring.
TEST(ReplayWindow, AgreesWithASetOfAllAcceptedIndices) {
  std::mt19937_64 random(3711);
  for (const std::size_t size : {64U, 128U, 192U, 1024U}) {
    ReplayWindow window(size);
    std::set<std::uint64_t> accepted;
    std::uint64_t newest = 50'000;
    for (int i = 0; i < 100'000; ++i) {
      const std::uint64_t reach = (random() % 8 == 0 ? 3 : 1) * size;
      const std::uint64_t index =
          newest + random() % (random() % 4 == 0 ? reach : 4) - random() % reach;
      const bool too_old = !accepted.empty() && index + size <= newest;
      const bool fresh = !too_old && !accepted.contains(index);
      const auto checked = window.check(index);
      ASSERT_EQ(checked.ok(), fresh) << index << " newest " << newest;
      if (!fresh) {
        ASSERT_EQ(checked.error(), too_old ? Error::too_old : Error::replayed);
        continue;
      }
      window.commit(index);
      newest = accepted.empty() ? index : std::max(newest, index);
      accepted.insert(index);
      ASSERT_EQ(window.newest(), newest);
    }
  }
}

}  // namespace
}  // namespace sealroom::srtp
