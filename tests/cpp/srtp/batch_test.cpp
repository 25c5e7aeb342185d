// Batches have the verdicts, the bytes and the state of single calls in the same order.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "srtp/support.h"

namespace sealroom::srtp::test {
namespace {

constexpr Ssrc kSsrc{0xCAFEBABE};

class SrtpBatch : public SrtpTest {
 protected:
  struct Outcome {
    Result<std::size_t> size = Error::not_ready;
    Bytes bytes;
  };

  static std::vector<Outcome> protect(Sender& sender, const std::vector<Bytes>& packets) {
    std::vector<Outcome> outcomes(packets.size());
    std::vector<ProtectTask> tasks(packets.size());
    for (std::size_t i = 0; i < packets.size(); ++i) {
      outcomes[i].bytes = packets[i];
      outcomes[i].bytes.resize(packets[i].size() + sender.rtp_overhead());
      const auto header = parse_rtp_header(packets[i]);
      const std::size_t size = header ? header.value().size : 0;
      tasks[i] = {outcomes[i].bytes, size,
                  ByteView(outcomes[i].bytes).subspan(size, packets[i].size() - size)};
    }
    const std::size_t succeeded = sender.protect_rtp_batch(tasks);
    finish(outcomes, tasks, succeeded);
    return outcomes;
  }

  static std::vector<Outcome> unprotect(Receiver& receiver, const std::vector<Bytes>& packets,
                                        bool in_place) {
    std::vector<Outcome> outcomes(packets.size());
    std::vector<UnprotectTask> tasks(packets.size());
    for (std::size_t i = 0; i < packets.size(); ++i) {
      outcomes[i].bytes = in_place ? packets[i] : Bytes(packets[i].size());
      tasks[i] = {in_place ? ByteView(outcomes[i].bytes) : ByteView(packets[i]), outcomes[i].bytes};
    }
    const std::size_t succeeded = receiver.unprotect_rtp_batch(tasks);
    finish(outcomes, tasks, succeeded);
    return outcomes;
  }

  static testing::AssertionResult same(const Outcome& outcome, const Result<Bytes>& expected) {
    if (expected.ok() && outcome.size.ok() && outcome.bytes == expected.value()) {
      return testing::AssertionSuccess();
    }
    if (!expected.ok() && !outcome.size.ok() && outcome.size.error() == expected.error()) {
      return testing::AssertionSuccess();
    }
    return testing::AssertionFailure()
           << (outcome.size.ok() ? "accepted" : error_name(outcome.size.error())) << ", expected "
           << (expected.ok() ? "these bytes" : error_name(expected.error()));
  }

 private:
  template <class Task>
  static void finish(std::vector<Outcome>& outcomes, const std::vector<Task>& tasks,
                     std::size_t succeeded) {
    std::size_t counted = 0;
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      outcomes[i].size = tasks[i].size;
      if (tasks[i].size.ok()) {
        outcomes[i].bytes.resize(tasks[i].size.value());
        ++counted;
      }
    }
    EXPECT_EQ(counted, succeeded);
  }
};

INSTANTIATE_TEST_SUITE_P(Profiles, SrtpBatch, testing::ValuesIn(all_cases()), case_name);

TEST_P(SrtpBatch, EveryNumberOfPacketsComesBackAndIsSealedAsSinglePacketsAre) {
  auto single = make_sender(GetParam());
  std::uint16_t number = 65'000;
  for (std::size_t count = 0; count <= 200; count += count < 20 ? 1 : 23) {
    std::vector<Bytes> packets;
    for (std::size_t i = 0; i < count; ++i) {
      packets.push_back(rtp_packet({.sequence_number = ++number, .payload_size = 37 * i % 1300}));
    }
    const auto sealed = protect(sender_, packets);
    std::vector<Bytes> protected_packets;
    for (std::size_t i = 0; i < count; ++i) {
      ASSERT_TRUE(same(sealed[i], protect_rtp(single, packets[i]))) << i << " of " << count;
      protected_packets.push_back(sealed[i].bytes);
    }
    const auto opened = unprotect(receiver_, protected_packets, count % 2 == 0);
    for (std::size_t i = 0; i < count; ++i) ASSERT_TRUE(same(opened[i], packets[i])) << i;
  }
}

TEST_P(SrtpBatch, PayloadOutsideTheBufferIsSealedAlike) {
  auto single = make_sender(GetParam());
  const Bytes packet = rtp_packet({.payload_size = 700});
  Bytes buffer(packet.size() + sender_.rtp_overhead());
  std::copy_n(packet.begin(), 12, buffer.begin());
  ProtectTask task{buffer, 12, ByteView(packet).subspan(12)};
  EXPECT_EQ(sender_.protect_rtp_batch({&task, 1}), 1U);
  EXPECT_EQ(task.size.value(), buffer.size());
  EXPECT_EQ(buffer, protect_rtp(single, packet).value());
}

TEST_P(SrtpBatch, RefusedPacketsDoNotStopTheOthersOfASender) {
  std::vector<Bytes> packets;
  for (std::uint16_t i = 0; i < 30; ++i) packets.push_back(rtp_packet({.sequence_number = i}));
  packets[3].clear();
  packets[7] = Bytes(50, 0);
  packets[29] = rtp_packet({.payload_size = kMaxPacketSize});
  auto single = make_sender(GetParam());
  const auto sealed = protect(sender_, packets);
  for (std::size_t i = 0; i < packets.size(); ++i) {
    const bool is_bad = i == 3 || i == 7 || i == 29;
    ASSERT_EQ(sealed[i].size.ok(), !is_bad) << i;
    if (is_bad) continue;
    EXPECT_EQ(sealed[i].bytes, protect_rtp(single, packets[i]).value());
  }
}

TEST_P(SrtpBatch, OfDuplicatesExactlyOneIsAccepted) {
  std::vector<Bytes> packets;
  for (std::uint16_t i = 0; i < 20; ++i) {
    const Bytes sealed = protect_rtp(sender_, rtp_packet({.sequence_number = i})).value();
    packets.insert(packets.end(), 3, sealed);
  }
  std::shuffle(packets.begin(), packets.end(), std::mt19937(3));
  auto single = make_receiver(GetParam());
  const auto opened = unprotect(receiver_, packets, false);
  std::size_t accepted = 0;
  for (std::size_t i = 0; i < packets.size(); ++i) {
    ASSERT_TRUE(same(opened[i], unprotect_rtp(single, packets[i]))) << i;
    accepted += opened[i].size.ok() ? 1 : 0;
  }
  EXPECT_EQ(accepted, 20U);
}

TEST_P(SrtpBatch, AForgeryDoesNotShutTheTruePacketOut) {
  const Bytes packet = rtp_packet({.sequence_number = 5});
  const Bytes sealed = protect_rtp(sender_, packet).value();
  Bytes forged = sealed;
  forged.back() ^= 1;
  const auto opened = unprotect(receiver_, {forged, sealed, forged}, false);
  EXPECT_TRUE(same(opened[0], Error::authentication_failed));
  EXPECT_TRUE(same(opened[1], packet));
  EXPECT_TRUE(same(opened[2], Error::replayed));
}

TEST_P(SrtpBatch, RefusedPacketLeavesNoPlaintext) {
  const Bytes packet = rtp_packet({});
  Bytes forged = protect_rtp(sender_, packet).value();
  forged.back() ^= 1;
  const auto opened = unprotect(receiver_, {forged}, false);
  EXPECT_EQ(opened[0].bytes, Bytes(forged.size(), 0));
  EXPECT_EQ(receiver_.stream_count(), 0U);
}

// The sequence number wraps inside the first batch that a receiver sees of a stream.
TEST_P(SrtpBatch, WrapInsideTheFirstBatchIsFollowed) {
  std::vector<Bytes> packets;
  std::vector<Bytes> sealed;
  for (std::uint32_t i = 65'536 - 20; i < 65'536 + 20; ++i) {
    packets.push_back(rtp_packet({.sequence_number = static_cast<std::uint16_t>(i)}));
    sealed.push_back(protect_rtp(sender_, packets.back()).value());
  }
  const auto opened = unprotect(receiver_, sealed, true);
  for (std::size_t i = 0; i < sealed.size(); ++i) EXPECT_TRUE(same(opened[i], packets[i])) << i;
  EXPECT_EQ(receiver_.roll_over_counter(kSsrc).value(), 1U);
}

TEST_P(SrtpBatch, ForgedFirstPacketDoesNotMoveTheIndexOfTheOthers) {
  std::vector<Bytes> sealed;
  for (std::uint16_t i = 0; i < 20; ++i) {
    sealed.push_back(protect_rtp(sender_, rtp_packet({.sequence_number = i})).value());
  }
  Bytes forged = sealed[0];
  forged[2] = 0xFF;
  sealed.insert(sealed.begin(), forged);
  const auto opened = unprotect(receiver_, sealed, false);
  for (std::size_t i = 1; i < sealed.size(); ++i) EXPECT_TRUE(opened[i].size.ok()) << i;
  EXPECT_EQ(receiver_.roll_over_counter(kSsrc).value(), 0U);
}

TEST_P(SrtpBatch, KeysMayChangeInsideABatch) {
  const Bytes first{1};
  const Bytes second{2};
  const auto master = [&](std::uint8_t key) { return master_of(GetParam().profile, key); };
  auto from = make_sender(GetParam(), {.mki = first});
  auto to = make_receiver(GetParam(), {.mki = first});
  ASSERT_TRUE(to.set_key(master(2), second).ok());
  std::vector<Bytes> packets;
  std::vector<Bytes> sealed;
  for (std::uint16_t i = 0; i < 40; ++i) {
    if (i == 15) {
      ASSERT_TRUE(from.set_key(master(2), second).ok());
    } else if (i == 30) {
      ASSERT_TRUE(from.set_key(master(3), Bytes{3}).ok());
    }
    packets.push_back(rtp_packet({.sequence_number = i}));
    sealed.push_back(protect(from, {packets.back()})[0].bytes);
  }
  const auto opened = unprotect(to, sealed, false);
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    EXPECT_TRUE(same(opened[i], i < 30 ? Result<Bytes>(packets[i]) : Error::unknown_key_id)) << i;
  }
}

TEST_P(SrtpBatch, EndOfAKeyIsReachedInsideABatch) {
  auto from = make_sender(GetParam(), {.max_rtp_packets = 10});
  auto to = make_receiver(GetParam(), {.max_rtp_packets = 7});
  std::vector<Bytes> packets;
  for (std::uint16_t i = 0; i < 20; ++i) packets.push_back(rtp_packet({.sequence_number = i}));
  const auto sealed = protect(from, packets);
  std::vector<Bytes> protected_packets;
  for (std::size_t i = 0; i < 20; ++i) {
    if (i < 10) {
      protected_packets.push_back(sealed[i].bytes);
    } else {
      EXPECT_TRUE(same(sealed[i], Error::key_exhausted));
    }
  }
  const auto opened = unprotect(to, protected_packets, false);
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_TRUE(same(opened[i], i < 7 ? Result<Bytes>(packets[i]) : Error::key_exhausted)) << i;
  }
}

// Everything at once: several streams, loss, reordering, duplicates, damage, rubbish, wraps and
// late packets, in batches of every size.
TEST_P(SrtpBatch, RandomTrafficGetsTheVerdictsOfSingleCalls) {
  std::mt19937 random(23);
  auto batch = make_receiver(GetParam(), {.replay_window = 128});
  auto single = make_receiver(GetParam(), {.replay_window = 128});
  std::vector<std::pair<std::uint32_t, Bytes>> line;
  for (std::uint32_t i = 0; i < 12'000; ++i) {
    const auto ssrc = static_cast<std::uint32_t>(random() % 4);
    // Strides take the streams through several wraps.
    const Bytes packet = rtp_packet({.sequence_number = static_cast<std::uint16_t>(60'000 + i * 13),
                                     .ssrc = ssrc,
                                     .payload_size = random() % 60,
                                     .csrc_count = random() % 3});
    Bytes sealed = protect_rtp(sender_, packet).value();
    if (random() % 10 == 0) continue;
    const auto late = static_cast<std::uint32_t>(random() % 8 == 0 ? random() % 60 : 0);
    line.emplace_back(i + late, sealed);
    if (random() % 10 == 0)
      line.emplace_back(i + static_cast<std::uint32_t>(random() % 60), sealed);
    if (random() % 10 == 0) {
      sealed[random() % sealed.size()] ^= static_cast<std::uint8_t>(1U << random() % 8);
      line.emplace_back(i + static_cast<std::uint32_t>(random() % 60), sealed);
    }
    if (random() % 50 == 0) line.emplace_back(i, Bytes(random() % 40, 0x80));
  }
  std::ranges::stable_sort(line, {}, &std::pair<std::uint32_t, Bytes>::first);
  std::map<Error, std::size_t> refusals;
  for (std::size_t begin = 0; begin < line.size();) {
    std::vector<Bytes> packets;
    const std::size_t count = std::min<std::size_t>(1 + random() % 150, line.size() - begin);
    for (std::size_t i = 0; i < count; ++i) packets.push_back(line[begin + i].second);
    const auto opened = unprotect(batch, packets, begin % 2 == 0);
    for (std::size_t i = 0; i < count; ++i) {
      const auto expected = unprotect_rtp(single, packets[i]);
      if (!expected) ++refusals[expected.error()];
      ASSERT_TRUE(same(opened[i], expected)) << begin + i;
    }
    begin += count;
  }
  for (const auto error : {Error::replayed, Error::too_old, Error::authentication_failed}) {
    EXPECT_GT(refusals[error], 20U) << error_name(error);
  }
  for (std::uint32_t ssrc = 0; ssrc < 4; ++ssrc) {
    EXPECT_EQ(batch.roll_over_counter(Ssrc{ssrc}).value(),
              single.roll_over_counter(Ssrc{ssrc}).value());
  }
}

}  // namespace
}  // namespace sealroom::srtp::test
