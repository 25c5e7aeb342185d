#include "sealroom/base/datagram_batch.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace sealroom {
namespace {

constexpr std::size_t kDatagram = 1200;

void fill(DatagramBatch& batch, std::size_t bytes) {
  for (std::size_t done = 0; done < bytes; done += kDatagram) {
    const MutableByteView room = batch.prepare(kDatagram);
    std::fill(room.begin(), room.end(), static_cast<std::uint8_t>(done / kDatagram));
    batch.commit(kDatagram);
  }
}

std::size_t empty(DatagramBatch& batch) {
  std::size_t bytes = 0;
  DatagramBatch::Run run;
  while (batch.next(run)) bytes += run.data.size();
  return bytes;
}

constexpr std::size_t kBurst = std::size_t{4} << 20;

TEST(DatagramBatch, TheMemoryOfABurstIsGivenBackOnceItIsLongPast) {
  DatagramBatch batch;
  fill(batch, kBurst);
  EXPECT_GE(empty(batch), kBurst);
  for (int i = 0; i < 2 * DatagramBatch::kRounds; ++i) {
    fill(batch, 5 * kDatagram);
    EXPECT_EQ(empty(batch), 5 * kDatagram);
  }
  fill(batch, kDatagram);
  EXPECT_LE(batch.capacity(), DatagramBatch::kKept);
}

TEST(DatagramBatch, TheMemoryOfBurstsThatComeAgainStays) {
  DatagramBatch batch;
  for (int i = 0; i < 10 * DatagramBatch::kRounds; ++i) {
    const std::size_t before = batch.capacity();
    fill(batch, i % (DatagramBatch::kRounds / 2) == 0 ? kBurst : kDatagram);
    if (i > 0) {
      EXPECT_EQ(batch.capacity(), before);
    }
    empty(batch);
  }
}

TEST(DatagramBatch, ASteadyLoadOfAnySizeGivesNothingBack) {
  for (std::size_t bytes = kDatagram; bytes < kBurst; bytes = bytes * 3 / 2) {
    DatagramBatch batch;
    fill(batch, bytes);
    empty(batch);
    const std::size_t before = batch.capacity();
    for (int i = 0; i < 2 * DatagramBatch::kRounds; ++i) {
      fill(batch, bytes);
      empty(batch);
      ASSERT_EQ(batch.capacity(), before) << bytes;
    }
  }
}

// Whoever gathers the runs first and sends them then reads them after the end.
TEST(DatagramBatch, ViewsLiveUntilTheNextIsPrepared) {
  DatagramBatch batch;
  for (int i = 0; i < 2 * DatagramBatch::kRounds; ++i) {
    empty(batch);
    fill(batch, i == 0 ? kBurst : kDatagram);
  }
  DatagramBatch::Run run;
  ASSERT_TRUE(batch.next(run));
  DatagramBatch::Run none;
  ASSERT_FALSE(batch.next(none));
  EXPECT_EQ(run.data.size(), kDatagram);
  EXPECT_TRUE(std::ranges::all_of(run.data, [](std::uint8_t byte) { return byte == 0; }));
}

}  // namespace
}  // namespace sealroom
