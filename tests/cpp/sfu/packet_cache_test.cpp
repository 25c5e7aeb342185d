#include "sfu/packet_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "support/allocation_counter.h"

namespace sealroom::sfu {
namespace {

using sealroom::test::allocated_bytes;
using sealroom::test::allocation_count;

constexpr std::int64_t kCapacity = 2048;
constexpr std::size_t kMax = PacketCache::kMaxPacket;

/// A cache whose packets tell their number. Takes no memory of its own, so that what is counted is
/// the cache's.
struct PacketCacheTest : testing::Test {
  bool insert(std::int64_t sequence, std::size_t size) {
    std::fill_n(packet.begin(), size, content(sequence));
    return cache.insert(sequence, ByteView(packet).first(size));
  }
  static std::uint8_t content(std::int64_t sequence) {
    return static_cast<std::uint8_t>(sequence * 7 + (sequence >> 8));
  }
  [[nodiscard]] bool is_kept(std::int64_t sequence, std::size_t size) const {
    const ByteView kept = cache.find(sequence);
    return kept.size() == size &&
           std::ranges::all_of(kept, [&](std::uint8_t byte) { return byte == content(sequence); });
  }

  std::array<std::uint8_t, kMax> packet{};
  PacketCache cache{kCapacity};
};

TEST_F(PacketCacheTest, KeepsAsManyAsItsCapacityWhateverTheirSizes) {
  const auto size_of = [](std::int64_t sequence) {
    return sequence < 5000 ? kMax : 12 + static_cast<std::size_t>(sequence * 7919) % (kMax - 11);
  };
  for (std::int64_t sequence = 0; sequence < 12'000; ++sequence) {
    ASSERT_TRUE(insert(sequence, size_of(sequence)));
    if (sequence % 1000 != 999) continue;
    const std::int64_t oldest = std::max<std::int64_t>(0, sequence - kCapacity + 1);
    EXPECT_TRUE(cache.find(oldest - 1).empty());
    EXPECT_TRUE(cache.find(sequence + 1).empty());
    for (std::int64_t kept = oldest; kept <= sequence; ++kept) {
      ASSERT_TRUE(is_kept(kept, size_of(kept))) << kept << " of " << sequence;
    }
  }
}

TEST_F(PacketCacheTest, KeepsWhatComesLateAndNothingTwice) {
  constexpr std::size_t kSize = 300;
  for (std::int64_t sequence = 0; sequence < 10'000; sequence += 2) {
    const std::int64_t late = sequence - 801;
    ASSERT_TRUE(insert(sequence, kSize));
    ASSERT_TRUE(insert(late, kSize));
    EXPECT_FALSE(insert(sequence, kMax));
    EXPECT_FALSE(insert(late, kMax));
    EXPECT_FALSE(insert(sequence - kCapacity, kSize));
    EXPECT_TRUE(is_kept(late, kSize));
    EXPECT_EQ(cache.newest(), sequence);
  }
  for (std::int64_t kept = 9998 - 801; kept > 9998 - kCapacity; --kept) {
    ASSERT_TRUE(is_kept(kept, kSize)) << kept;
  }
}

TEST_F(PacketCacheTest, RefusesWhatIsTooLarge) {
  EXPECT_FALSE(cache.insert(0, Bytes(kMax + 1)));
  EXPECT_TRUE(cache.find(0).empty());
}

TEST_F(PacketCacheTest, MemoryIsThatOfWhatIsKept) {
  for (const std::size_t size : {std::size_t{28}, std::size_t{300}, kMax}) {
    const std::size_t before = allocated_bytes();
    cache = PacketCache(kCapacity);
    insert(0, size);
    EXPECT_LE(allocated_bytes() - before, 20'000u) << size;
    for (std::int64_t sequence = 1; sequence < 4 * kCapacity; ++sequence) insert(sequence, size);
    EXPECT_LE(allocated_bytes() - before, kCapacity * size * 11 / 10 + 100'000) << size;
  }
}

TEST_F(PacketCacheTest, AllocatesNothingOnceItIsFull) {
  std::size_t before = 0;
  for (std::int64_t sequence = 0; sequence < 10 * kCapacity; ++sequence) {
    if (sequence == kCapacity + 100) before = allocation_count();
    insert(sequence, 1000 + static_cast<std::size_t>(sequence) % 2 * 200);
  }
  EXPECT_EQ(allocation_count() - before, 0u);
}

// Old and new mixed, so that hardly any block is ever free as a whole.
TEST_F(PacketCacheTest, InAnyOrderItsMemoryIsBoundedAndNothingFoundIsAnothers) {
  std::mt19937 random(2);
  const std::size_t before = allocated_bytes();
  std::int64_t newest = 0;
  std::size_t lost = 0;
  for (int i = 0; i < 100'000; ++i) {
    if (random() % 4 == 0) newest += static_cast<std::int64_t>(random() % 8);
    const auto back = static_cast<std::int64_t>(random() % kCapacity);
    insert(newest - back, kMax);
    const ByteView kept = cache.find(newest - back / 2);
    ASSERT_TRUE(kept.empty() || is_kept(newest - back / 2, kMax));
    lost += kept.empty() ? 1 : 0;
  }
  EXPECT_LT(lost, 100'000u);
  EXPECT_LE(allocated_bytes() - before, kCapacity * kMax * 11 / 10 + 100'000);
}

}  // namespace
}  // namespace sealroom::sfu
