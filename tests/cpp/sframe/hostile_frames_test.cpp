// What a peer or the network may send: changed, cut, invented, repeated, reordered. Nothing of it
// may be accepted, change what is accepted later, or make the receiver allocate.

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <random>

#include "suite_fixture.h"
#include "support/allocation_counter.h"

namespace sealroom::sframe {
namespace {

/// Of splitmix64: fast, and the same on every machine.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }
  void fill(MutableByteView bytes) {
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(next() >> 32);
  }

 private:
  std::uint64_t state_;
};

class HostileFramesTest : public SuiteTest {
 protected:
  /// Opens into one buffer, so that a loop over it shows the receiver's own allocations.
  Result<std::size_t> open(Receiver& receiver, ByteView frame, ByteView metadata = {}) {
    return receiver.unprotect(metadata, frame, MutableByteView(out_).first(frame.size()));
  }

 private:
  Bytes out_ = Bytes(4096);
};

TEST_P(HostileFramesTest, NoFlippedBitOfAThousandFramesIsAcceptedNorMovesTheWindow) {
  Random random(1);
  Receiver receiver(backend(), suite());
  ASSERT_TRUE(receiver.add_key(KeyId{0x0102}, Bytes(32, 0x42)));
  ASSERT_TRUE(receiver.add_key(KeyId{0x0103}, Bytes(32, 0x43)));  // what a flipped KID may meet
  Sender sender = make_sender({.first_counter = 0x1fe00}, KeyId{0x0102});
  std::size_t accepted = 0;
  for (int i = 0; i < 1000; ++i) {
    Bytes plaintext(random.below(24));
    random.fill(plaintext);
    Bytes metadata(1 + random.below(3));
    random.fill(metadata);
    Bytes frame = protect(sender, plaintext, metadata);
    for (Bytes* const part : {&frame, &metadata}) {
      for (std::size_t bit = 0; bit < part->size() * 8; ++bit) {
        const auto mask = static_cast<std::uint8_t>(1U << (bit % 8));
        (*part)[bit / 8] ^= mask;
        accepted += open(receiver, frame, metadata).ok() ? 1 : 0;
        (*part)[bit / 8] ^= mask;
      }
    }
    // A window that a forged counter moved would call this too old or replayed.
    ASSERT_TRUE(open(receiver, frame, metadata)) << i;
    ASSERT_EQ(open(receiver, frame, metadata).error(), Error::replayed);
  }
  EXPECT_EQ(accepted, 0U);
}

TEST_P(HostileFramesTest, NoTruncationOfAnyHeaderShapeIsAccepted) {
  for (unsigned kid_bytes = 0; kid_bytes <= 8; ++kid_bytes) {
    const KeyId key_id{kid_bytes == 0 ? 5 : std::uint64_t{0x91} << (8 * (kid_bytes - 1))};
    Receiver receiver(backend(), suite());
    ASSERT_TRUE(receiver.add_key(key_id, Bytes(32, 0x42)));
    for (unsigned ctr_bytes = 0; ctr_bytes <= 8; ++ctr_bytes) {
      const std::uint64_t counter =
          ctr_bytes == 0 ? 5 : std::uint64_t{0x91} << (8 * (ctr_bytes - 1));
      Sender sender = make_sender({.first_counter = counter}, key_id);
      const Bytes frame = protect(sender, Bytes(20, 1));
      ASSERT_EQ(frame.size(), 1 + kid_bytes + ctr_bytes + 20 + tag_size());
      for (std::size_t size = 0; size < frame.size(); ++size) {
        const auto result = open(receiver, ByteView(frame).first(size));
        ASSERT_FALSE(result);
        ASSERT_EQ(result.error(),
                  size < frame.size() - 20 ? Error::truncated : Error::authentication_failed);
      }
      ASSERT_TRUE(open(receiver, frame));
    }
  }
}

TEST_P(HostileFramesTest, NoneOfAMillionInventedFramesIsAcceptedOrAllocates) {
  constexpr int kFrames = 1'000'000;  // 10^7 over suites and back ends
  Random random(2);
  Receiver receiver = make_receiver();
  ASSERT_TRUE(receiver.add_ratchet(ratchet_key_id(1, 0, 8), Bytes(32, 0x43)));
  const Bytes genuine = frame_at(77);
  std::array<std::uint8_t, 64> frame{};
  std::size_t accepted = 0;
  const auto invent = [&](int i) {
    const std::size_t size = random.below(frame.size());
    random.fill(frame);
    // Every second one gets as far as the tag; of these some ask for a step of the ratchet.
    if (i % 2 == 0) frame[0] = static_cast<std::uint8_t>(7 << 4 | random.below(8));
    if (i % 32 == 0) {
      frame[0] = static_cast<std::uint8_t>(9 << 4 | random.below(8));
      frame[1] = 1;
      frame[2] &= 0x0f;
    }
    accepted += open(receiver, ByteView(frame).first(size)).ok() ? 1 : 0;
  };
  for (int i = 0; i < 10'000; ++i) invent(i);  // all steps in reach have been asked for
  const std::size_t before = test::allocation_count();
  for (int i = 10'000; i < kFrames; ++i) invent(i);
  EXPECT_EQ(test::allocation_count() - before, 0U);
  EXPECT_EQ(accepted, 0U);
  EXPECT_EQ(receiver.ratchet_position(ratchet_key_id(1, 0, 8)).value(), ratchet_key_id(1, 0, 8));
  EXPECT_TRUE(open(receiver, genuine));
}

TEST_P(HostileFramesTest, ForgedKeyIdsChangeNothing) {
  Random random(3);
  Receiver receiver = make_receiver();
  Sender sender = make_sender();
  Bytes forged = frame_at(1ULL << 40);
  forged.insert(forged.begin() + 1, 8, 0);
  forged[0] = static_cast<std::uint8_t>(0xf0 | (forged[0] & 0x0f));
  const std::size_t before = test::allocation_count();
  std::size_t unknown = 0;
  for (int i = 0; i < 100'000; ++i) {
    random.fill(MutableByteView(forged).subspan(1, 8));
    forged[1] |= 1;
    unknown += open(receiver, forged).error() == Error::unknown_key_id ? 1 : 0;
  }
  EXPECT_EQ(unknown, 100'000U);
  EXPECT_EQ(test::allocation_count() - before, 0U);
  EXPECT_FALSE(receiver.has_key(receiver.unknown_key_id()));
  EXPECT_TRUE(open(receiver, protect(sender, Bytes(1))));
}

TEST_P(HostileFramesTest, EachFrameIsAcceptedOnceAcrossTheEdgesOfTheCounter) {
  for (const std::uint64_t edge : {std::uint64_t{1} << 16, std::uint64_t{1} << 32,
                                   std::numeric_limits<std::uint64_t>::max()}) {
    Receiver receiver = make_receiver();
    constexpr std::uint64_t kBefore = 1500;
    const std::uint64_t after = edge == std::numeric_limits<std::uint64_t>::max() ? 0 : 1500;
    Sender sender = make_sender({.first_counter = edge - kBefore});
    std::vector<Bytes> frames;
    for (std::uint64_t i = 0; i < kBefore + after; ++i) {
      frames.push_back(protect(sender, as_bytes("frame")));
      ASSERT_TRUE(open(receiver, frames.back())) << i;
      for (const std::size_t back : {0U, 1U, 63U, 64U, 1023U, 1024U, 1400U}) {
        if (back > i) continue;
        ASSERT_EQ(open(receiver, frames[i - back]).error(),
                  back < kReplayWindow ? Error::replayed : Error::too_old)
            << i << " " << back;
      }
    }
  }
}

TEST_P(HostileFramesTest, EveryOrderWithinTheWindowIsAcceptedOnce) {
  std::mt19937 random(4);
  Receiver receiver = make_receiver();
  for (std::uint64_t first = 60'000; first < 60'000 + 3 * kReplayWindow; first += kReplayWindow) {
    // A whole window in some order: the newest may come first and the oldest last.
    std::vector<std::uint64_t> counters(kReplayWindow);
    std::iota(counters.begin(), counters.end(), first);
    if (first == 60'000)
      std::reverse(counters.begin(), counters.end());
    else
      std::shuffle(counters.begin(), counters.end(), random);
    for (const std::uint64_t counter : counters) ASSERT_TRUE(open(receiver, frame_at(counter)));
    for (const std::uint64_t counter : counters) {
      ASSERT_EQ(open(receiver, frame_at(counter)).error(), Error::replayed);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Suites, HostileFramesTest, every_suite_and_backend(), suite_test_name);

}  // namespace
}  // namespace sealroom::sframe
