#include "sealroom/sframe/receiver.h"

#include <algorithm>

#include "suite_fixture.h"

namespace sealroom::sframe {
namespace {

class ReceiverTest : public SuiteTest {};

TEST_P(ReceiverTest, OpensWhatTheSenderProtectedAtManySizes) {
  Sender sender = make_sender();
  Receiver receiver = make_receiver();
  for (const std::size_t size : {0U, 1U, 15U, 16U, 17U, 160U, 1200U, 2100U, 50'000U, 70'000U}) {
    Bytes plaintext(size);
    for (std::size_t i = 0; i < size; ++i) plaintext[i] = static_cast<std::uint8_t>(i * 13);
    const Bytes frame = protect(sender, plaintext, as_bytes("metadata"));
    const auto opened = unprotect(receiver, frame, as_bytes("metadata"));
    ASSERT_TRUE(opened) << size;
    EXPECT_EQ(opened.value(), plaintext) << size;
  }
}

TEST_P(ReceiverTest, RefusesAWrongKey) {
  Receiver receiver = make_receiver(0x43);
  EXPECT_EQ(unprotect(receiver, frame_at(0)).error(), Error::authentication_failed);
}

TEST_P(ReceiverTest, RefusesTheSameBaseKeyUnderAnotherKeyId) {
  Receiver receiver(backend(), suite());
  ASSERT_TRUE(receiver.add_key(KeyId{6}, Bytes(32, 0x42)));
  Bytes frame = frame_at(0);
  frame[0] = static_cast<std::uint8_t>(6 << 4);
  EXPECT_EQ(unprotect(receiver, frame).error(), Error::authentication_failed);
}

TEST_P(ReceiverTest, RefusesOtherMetadata) {
  Sender sender = make_sender();
  Receiver receiver = make_receiver();
  const Bytes frame = protect(sender, Bytes(20, 1), as_bytes("clear"));
  EXPECT_EQ(unprotect(receiver, frame, as_bytes("cleaR")).error(), Error::authentication_failed);
  EXPECT_EQ(unprotect(receiver, frame).error(), Error::authentication_failed);
  EXPECT_EQ(unprotect(receiver, frame, Bytes(kMaxMetadataSize + 1)).error(),
            Error::invalid_argument);
  EXPECT_TRUE(unprotect(receiver, frame, as_bytes("clear")));
}

TEST_P(ReceiverTest, RefusesATamperedBitAtEveryPositionAndWipesTheOutput) {
  // A multi-byte KID and CTR, so that every kind of header byte is among the positions.
  Sender sender = make_sender({.first_counter = 0x1234}, KeyId{0x0102});
  Receiver receiver(backend(), suite());
  ASSERT_TRUE(receiver.add_key(KeyId{0x0102}, Bytes(32, 0x42)));
  const Bytes frame = protect(sender, Bytes(24, 0x77), as_bytes("m"));
  for (std::size_t bit = 0; bit < frame.size() * 8; ++bit) {
    SCOPED_TRACE(bit);
    Bytes tampered = frame;
    tampered[bit / 8] = static_cast<std::uint8_t>(tampered[bit / 8] ^ (1U << (bit % 8)));
    Bytes out(tampered.size(), 0xee);
    const auto result = receiver.unprotect(as_bytes("m"), tampered, out);
    ASSERT_FALSE(result);
    if (bit >= 5 * 8) {
      EXPECT_EQ(result.error(), Error::authentication_failed);
    }
    // No byte of the plaintext may be left, wherever the refusal came from.
    EXPECT_EQ(std::count(out.begin(), out.end(), 0x77), 0);
  }
  EXPECT_TRUE(unprotect(receiver, frame, as_bytes("m")));
}

TEST_P(ReceiverTest, RefusesTruncationAtEveryLength) {
  Receiver receiver = make_receiver();
  const Bytes frame = frame_at(1000, Bytes(30, 1));
  const std::size_t shortest = 3 + tag_size();
  for (std::size_t size = 0; size < frame.size(); ++size) {
    const auto result = unprotect(receiver, ByteView(frame).first(size));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error(), size < shortest ? Error::truncated : Error::authentication_failed)
        << size;
  }
  EXPECT_TRUE(accepts(receiver, frame));
}

TEST_P(ReceiverTest, RefusesAReplay) {
  Receiver receiver = make_receiver();
  const Bytes frame = frame_at(3);
  EXPECT_TRUE(accepts(receiver, frame));
  EXPECT_EQ(unprotect(receiver, frame).error(), Error::replayed);
  EXPECT_TRUE(accepts(receiver, frame_at(4)));
  EXPECT_EQ(unprotect(receiver, frame).error(), Error::replayed);
}

TEST_P(ReceiverTest, AcceptsReorderingWithinTheWindowOnceEach) {
  Receiver receiver = make_receiver();
  EXPECT_TRUE(accepts(receiver, frame_at(5000)));
  const std::uint64_t oldest = 5000 - (kReplayWindow - 1);
  for (const std::uint64_t counter : {oldest, std::uint64_t{4999}, std::uint64_t{4500}}) {
    EXPECT_TRUE(accepts(receiver, frame_at(counter)));
    EXPECT_EQ(unprotect(receiver, frame_at(counter)).error(), Error::replayed);
  }
}

TEST_P(ReceiverTest, RefusesFramesOlderThanTheWindow) {
  Receiver receiver = make_receiver();
  EXPECT_TRUE(accepts(receiver, frame_at(5000)));
  EXPECT_EQ(unprotect(receiver, frame_at(5000 - kReplayWindow)).error(), Error::too_old);
  EXPECT_EQ(unprotect(receiver, frame_at(0)).error(), Error::too_old);
}

TEST_P(ReceiverTest, AForgedCounterDoesNotMoveTheWindow) {
  Receiver receiver = make_receiver();
  EXPECT_TRUE(accepts(receiver, frame_at(1)));
  Bytes forged = frame_at(1ULL << 60);
  forged.back() ^= 1;
  EXPECT_EQ(unprotect(receiver, forged).error(), Error::authentication_failed);
  EXPECT_TRUE(accepts(receiver, frame_at(0)));
  EXPECT_TRUE(accepts(receiver, frame_at(1ULL << 60)));
}

TEST_P(ReceiverTest, AFailedFrameMayArriveAgainIntact) {
  Receiver receiver = make_receiver();
  Bytes frame = frame_at(9);
  frame.back() ^= 1;
  EXPECT_FALSE(accepts(receiver, frame));
  frame.back() ^= 1;
  Bytes small(2);
  EXPECT_EQ(receiver.unprotect({}, frame, small).error(), Error::buffer_too_small);
  EXPECT_TRUE(accepts(receiver, frame));
}

TEST_P(ReceiverTest, AnUnknownKeyIdCreatesNoState) {
  Receiver receiver(backend(), suite());
  const Bytes frame = frame_at(0);
  EXPECT_EQ(unprotect(receiver, frame).error(), Error::unknown_key_id);
  EXPECT_FALSE(receiver.has_key(kKeyId));
  ASSERT_TRUE(receiver.add_key(kKeyId, Bytes(32, 0x42)));
  EXPECT_TRUE(accepts(receiver, frame)) << "the refused frame was not remembered as received";
}

TEST_P(ReceiverTest, AKeyIdCannotBeAddedTwiceSoItsWindowStays) {
  Receiver receiver = make_receiver();
  EXPECT_TRUE(accepts(receiver, frame_at(0)));
  EXPECT_EQ(receiver.add_key(kKeyId, Bytes(32, 0x42)).error(), Error::invalid_argument);
  EXPECT_EQ(receiver.add_key(kKeyId, Bytes(32, 0x99)).error(), Error::invalid_argument);
  EXPECT_EQ(unprotect(receiver, frame_at(0)).error(), Error::replayed);
}

TEST_P(ReceiverTest, KeysHaveWindowsOfTheirOwnAndEndWithRemoval) {
  Receiver receiver = make_receiver();
  ASSERT_TRUE(receiver.add_key(KeyId{8}, Bytes(32, 0x55)));
  Sender other = make_sender({}, KeyId{8}, 0x55);
  EXPECT_TRUE(accepts(receiver, frame_at(5000)));
  EXPECT_TRUE(accepts(receiver, protect(other, Bytes(3))));
  EXPECT_TRUE(receiver.remove_key(kKeyId));
  EXPECT_FALSE(receiver.remove_key(kKeyId));
  EXPECT_EQ(unprotect(receiver, frame_at(5001)).error(), Error::unknown_key_id);
  EXPECT_TRUE(accepts(receiver, protect(other, Bytes(3))));
}

TEST_P(ReceiverTest, TheNumberOfKeysIsBounded) {
  Receiver receiver(backend(), suite());
  for (std::uint64_t i = 0; i < kMaxReceiverKeys; ++i) {
    ASSERT_TRUE(receiver.add_key(KeyId{i}, Bytes(16, 1)));
  }
  EXPECT_EQ(receiver.add_key(KeyId{1000}, Bytes(16, 1)).error(), Error::limit_exceeded);
  EXPECT_TRUE(receiver.remove_key(KeyId{3}));
  EXPECT_TRUE(receiver.add_key(KeyId{1000}, Bytes(16, 1)));
}

INSTANTIATE_TEST_SUITE_P(Suites, ReceiverTest, every_suite_and_backend(), suite_test_name);

}  // namespace
}  // namespace sealroom::sframe
