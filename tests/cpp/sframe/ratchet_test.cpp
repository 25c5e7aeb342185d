#include "sealroom/sframe/ratchet.h"

#include "sealroom/sframe/key_commitment.h"
#include "suite_fixture.h"

namespace sealroom::sframe {
namespace {

constexpr unsigned kBits = 4;
constexpr KeyId kFirst = ratchet_key_id(3, 14, kBits);  // wraps on the second step

/// The end of a ratchet in the receiver, and senders at any step of it.
class RatchetTest : public SuiteTest {
 protected:
  static constexpr RatchetOptions kOptions{.bits = kBits, .max_steps_ahead = 4, .kept_steps = 2};

  static Sender sender_at(std::size_t step) {
    Sender sender = make_sender({.ratchet_bits = kBits}, kFirst);
    for (; step > 0; --step) EXPECT_TRUE(sender.ratchet());
    return sender;
  }
  static Bytes frame_of_step(std::size_t step) {
    Sender sender = sender_at(step);
    return protect(sender, as_bytes("frame"));
  }
  static Receiver ratchet_receiver(RatchetOptions options = kOptions) {
    Receiver receiver(backend(), suite());
    EXPECT_TRUE(receiver.add_ratchet(kFirst, Bytes(32, 0x42), options));
    return receiver;
  }
};

TEST_P(RatchetTest, EachStepIsTheKeyThatTheRfcDerivesUnderTheNextKeyId) {
  Sender sender = sender_at(0);
  Bytes base_key(32, 0x42);
  KeyId key_id = kFirst;
  for (int step = 0; step < 20; ++step) {
    EXPECT_EQ(sender.key_id(), key_id);
    EXPECT_EQ(sender.next_counter(), 0U);
    Receiver plain(backend(), suite());
    ASSERT_TRUE(plain.add_key(key_id, base_key));
    EXPECT_TRUE(accepts(plain, protect(sender, as_bytes("frame"))));

    Bytes next(64);
    const auto size = ratchet_base_key(suite(), base_key, next);
    ASSERT_TRUE(size);
    EXPECT_EQ(size.value(), suite_parameters(suite()).value().hash_size);
    next.resize(size.value());
    base_key = next;
    key_id = KeyId{(3U << kBits) + (key_id.value + 1) % (1U << kBits)};
    ASSERT_TRUE(sender.ratchet());
  }
}

TEST_P(RatchetTest, OnlyASenderMadeForItRatchets) {
  Sender sender = make_sender();
  EXPECT_EQ(sender.ratchet().error(), Error::invalid_argument);
  EXPECT_EQ(sender.key_id(), kKeyId);
  EXPECT_EQ(
      Sender::create(backend(), suite(), kKeyId, Bytes(16), {.ratchet_bits = kMaxRatchetBits + 1})
          .error(),
      Error::invalid_argument);
}

TEST_P(RatchetTest, TheCounterLimitHoldsForEveryStep) {
  Sender sender = make_sender({.counter_limit = 1, .ratchet_bits = kBits}, kFirst);
  Bytes out(100);
  for (int step = 0; step < 3; ++step) {
    EXPECT_TRUE(sender.protect({}, Bytes(1), out));
    EXPECT_EQ(sender.protect({}, Bytes(1), out).error(), Error::key_exhausted);
    ASSERT_TRUE(sender.ratchet());
  }
}

TEST_P(RatchetTest, TheReceiverFollowsOverTheWrapOfTheStep) {
  Receiver receiver = ratchet_receiver();
  Sender sender = sender_at(0);
  for (int step = 0; step < 40; ++step) {
    EXPECT_TRUE(accepts(receiver, protect(sender, as_bytes("frame"))));
    EXPECT_EQ(receiver.ratchet_position(kFirst).value(), sender.key_id());
    ASSERT_TRUE(sender.ratchet());
  }
}

TEST_P(RatchetTest, StepsMayBeSkippedUpToTheBoundAndThenFramesInBetweenStillOpen) {
  Receiver receiver = ratchet_receiver();
  EXPECT_EQ(unprotect(receiver, frame_of_step(5)).error(), Error::unknown_key_id);
  EXPECT_TRUE(accepts(receiver, frame_of_step(4)));
  EXPECT_TRUE(accepts(receiver, frame_of_step(3))) << "a kept step whose key came by the way";
  EXPECT_EQ(receiver.ratchet_position(kFirst).value(), sender_at(4).key_id()) << "never back";
  EXPECT_TRUE(accepts(receiver, frame_of_step(8)));
}

TEST_P(RatchetTest, PassedStepsAreKeptForABoundedNumberOfSteps) {
  Receiver receiver = ratchet_receiver();
  Sender first = sender_at(0);
  EXPECT_TRUE(accepts(receiver, frame_of_step(1)));
  EXPECT_TRUE(accepts(receiver, protect(first, as_bytes("late"))));
  EXPECT_TRUE(accepts(receiver, frame_of_step(2)));
  const Bytes last = protect(first, as_bytes("later"));
  EXPECT_TRUE(accepts(receiver, last));
  EXPECT_TRUE(accepts(receiver, frame_of_step(3)));
  EXPECT_EQ(unprotect(receiver, protect(first, as_bytes("too late"))).error(),
            Error::unknown_key_id);
}

TEST_P(RatchetTest, AFrameOfAnyStepIsAcceptedOnce) {
  Receiver receiver = ratchet_receiver();
  for (const std::size_t step : {0U, 2U, 1U, 3U}) {
    const Bytes frame = frame_of_step(step);
    EXPECT_TRUE(accepts(receiver, frame));
    EXPECT_EQ(unprotect(receiver, frame).error(), Error::replayed);
  }
}

TEST_P(RatchetTest, AForgedStepMovesNothingHoweverOftenItComes) {
  Receiver receiver = ratchet_receiver();
  Sender sender = sender_at(0);
  EXPECT_TRUE(accepts(receiver, protect(sender, as_bytes("frame"))));
  for (int round = 0; round < 50; ++round) {
    for (std::uint64_t kid = 0; kid < 256; ++kid) {  // every step of this and of other generations
      Bytes forged = frame_of_step(0);
      forged[0] = 0x80;
      forged.insert(forged.begin() + 1, static_cast<std::uint8_t>(kid));
      if (kid < 8) forged.erase(forged.begin() + 1);
      if (kid < 8) forged[0] = static_cast<std::uint8_t>(kid << 4);
      forged.back() ^= 1;
      ASSERT_FALSE(accepts(receiver, forged));
    }
    EXPECT_EQ(receiver.ratchet_position(kFirst).value(), kFirst);
    EXPECT_TRUE(accepts(receiver, protect(sender, as_bytes("frame"))));
  }
  EXPECT_TRUE(accepts(receiver, frame_of_step(4))) << "the bound still counts from step 0";
  EXPECT_EQ(unprotect(receiver, frame_of_step(9)).error(), Error::unknown_key_id);
}

TEST_P(RatchetTest, WhatIsTooShortForATagIsTruncated) {
  Receiver receiver = ratchet_receiver();
  const Bytes frame = frame_of_step(2);
  for (std::size_t size = 0; size < frame.size(); ++size) {
    EXPECT_FALSE(unprotect(receiver, ByteView(frame).first(size)));
  }
  EXPECT_EQ(receiver.ratchet_position(kFirst).value(), kFirst);
  EXPECT_TRUE(accepts(receiver, frame));
}

TEST_P(RatchetTest, GenerationsAreFoundApartAndEndWithRemoval) {
  Receiver receiver = ratchet_receiver();
  const KeyId next_generation = ratchet_key_id(4, 0, kBits);
  ASSERT_TRUE(receiver.add_ratchet(next_generation, Bytes(32, 0x99), kOptions));
  ASSERT_TRUE(receiver.add_key(KeyId{1000}, Bytes(32, 0x11)));
  Sender next = make_sender({.ratchet_bits = kBits}, next_generation, 0x99);
  EXPECT_TRUE(accepts(receiver, protect(next, as_bytes("frame"))));
  EXPECT_TRUE(accepts(receiver, frame_of_step(1)));
  EXPECT_TRUE(receiver.has_key(kFirst));
  EXPECT_TRUE(receiver.remove_key(kFirst));
  EXPECT_FALSE(receiver.has_key(kFirst));
  EXPECT_FALSE(receiver.remove_key(kFirst));
  EXPECT_EQ(unprotect(receiver, frame_of_step(2)).error(), Error::unknown_key_id);
  EXPECT_TRUE(accepts(receiver, protect(next, as_bytes("frame"))));
}

TEST_P(RatchetTest, NoKeyIdBelongsToTwoKeys) {
  Receiver receiver = ratchet_receiver();
  const Bytes key(16, 1);
  for (std::uint64_t step = 0; step < 16; ++step) {
    const KeyId taken = ratchet_key_id(3, step, kBits);
    EXPECT_EQ(receiver.add_key(taken, key).error(), Error::invalid_argument);
    EXPECT_EQ(receiver.add_ratchet(taken, key, kOptions).error(), Error::invalid_argument);
  }
  // A wider ratchet would cover this generation, a narrower one lies inside it.
  EXPECT_EQ(receiver.add_ratchet(KeyId{0}, key, {.bits = 6, .max_steps_ahead = 4}).error(),
            Error::invalid_argument);
  EXPECT_EQ(receiver.add_ratchet(kFirst, key, {.bits = 2, .max_steps_ahead = 1}).error(),
            Error::invalid_argument);
  ASSERT_TRUE(receiver.add_key(KeyId{1000}, key));
  EXPECT_EQ(receiver.add_ratchet(KeyId{1001}, key, kOptions).error(), Error::invalid_argument);
}

TEST_P(RatchetTest, OptionsThatMakeAKeyIdAmbiguousAreRefused) {
  Receiver receiver(backend(), suite());
  const RatchetOptions refused[] = {
      {.bits = 0},
      {.bits = kMaxRatchetBits + 1},
      {.bits = 8, .max_steps_ahead = 0},
      {.bits = 8, .max_steps_ahead = kMaxRatchetSteps + 1},
      {.bits = 8, .max_steps_ahead = 1, .kept_steps = kMaxRatchetSteps + 1},
      {.bits = 3, .max_steps_ahead = 6, .kept_steps = 2},
  };
  for (const RatchetOptions& options : refused) {
    EXPECT_EQ(receiver.add_ratchet(kFirst, Bytes(16, 1), options).error(), Error::invalid_argument);
  }
  EXPECT_TRUE(receiver.add_ratchet(kFirst, Bytes(16, 1),
                                   {.bits = 3, .max_steps_ahead = 6, .kept_steps = 1}));
}

TEST_P(RatchetTest, TheNumberOfGenerationsIsBounded) {
  Receiver receiver(backend(), suite());
  for (std::uint64_t generation = 0; generation < kMaxReceiverRatchets; ++generation) {
    ASSERT_TRUE(receiver.add_ratchet(ratchet_key_id(generation, 0, kBits), Bytes(16, 1), kOptions));
  }
  EXPECT_EQ(receiver.add_ratchet(ratchet_key_id(99, 0, kBits), Bytes(16, 1), kOptions).error(),
            Error::limit_exceeded);
}

TEST_P(RatchetTest, ACommitmentToTheFirstStepIsChecked) {
  Receiver receiver(backend(), suite());
  const auto commitment = key_commitment(suite(), kFirst, Bytes(32, 0x42)).value();
  EXPECT_EQ(receiver.add_ratchet(kFirst, Bytes(32, 0x43), kOptions, commitment).error(),
            Error::commitment_mismatch);
  EXPECT_FALSE(receiver.has_key(kFirst));
  EXPECT_TRUE(receiver.add_ratchet(kFirst, Bytes(32, 0x42), kOptions, commitment));
  EXPECT_TRUE(accepts(receiver, frame_of_step(3)));
}

INSTANTIATE_TEST_SUITE_P(Suites, RatchetTest, every_suite_and_backend(), suite_test_name);

}  // namespace
}  // namespace sealroom::sframe
