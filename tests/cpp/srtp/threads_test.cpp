// Contexts of their own on several threads: the crypto back ends keep their batch state per thread.
// Meant for ThreadSanitizer.

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>

#include "srtp/support.h"

namespace sealroom::srtp::test {
namespace {

class SrtpThreads : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Profiles, SrtpThreads, testing::ValuesIn(all_cases()), case_name);

bool exchange(Sender& sender, Receiver& receiver, std::uint16_t first) {
  constexpr std::size_t kCount = 40;
  std::vector<Bytes> packets;
  std::vector<Bytes> buffers;
  std::vector<ProtectTask> sealing(kCount);
  std::vector<UnprotectTask> opening(kCount);
  for (std::size_t i = 0; i < kCount; ++i) {
    packets.push_back(rtp_packet(
        {.sequence_number = static_cast<std::uint16_t>(first + i), .payload_size = 300}));
    buffers.push_back(packets.back());
    buffers.back().resize(packets.back().size() + sender.rtp_overhead());
    sealing[i] = {buffers[i], 12, ByteView(buffers[i]).subspan(12, 300)};
  }
  if (sender.protect_rtp_batch(sealing) != kCount) return false;
  for (std::size_t i = 0; i < kCount; ++i) opening[i] = {buffers[i], buffers[i]};
  if (receiver.unprotect_rtp_batch(opening) != kCount) return false;
  for (std::size_t i = 0; i < kCount; ++i) {
    buffers[i].resize(packets[i].size());
    if (buffers[i] != packets[i]) return false;
  }
  const Bytes control = rtcp_packet();
  return unprotect_rtcp(receiver, protect_rtcp(sender, control).value()).ok();
}

TEST_P(SrtpThreads, PairsOfTheirOwnDoNotDisturbEachOther) {
  std::atomic<int> failures = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      auto sender = make_sender(GetParam());
      auto receiver = make_receiver(GetParam());
      for (std::uint16_t round = 0; round < 20; ++round) {
        if (!exchange(sender, receiver, static_cast<std::uint16_t>(40 * round))) ++failures;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
}

TEST_P(SrtpThreads, APairMayMoveToAnotherThread) {
  auto sender = make_sender(GetParam());
  auto receiver = make_receiver(GetParam());
  int failures = 0;
  for (std::uint16_t round = 0; round < 10; ++round) {
    std::thread([&] {
      if (!exchange(sender, receiver, static_cast<std::uint16_t>(40 * round))) ++failures;
    }).join();
  }
  EXPECT_EQ(failures, 0);
}

}  // namespace
}  // namespace sealroom::srtp::test
