#include "sealroom/sframe/mls_key_id.h"

#include "suite_fixture.h"

namespace sealroom::sframe {
namespace {

TEST(MlsKeyIdLayout, PutsContextSenderAndEpochWhereTheRfcDoes) {
  const MlsKeyIdLayout layout{.epoch_bits = 4, .sender_bits = 10};
  const KeyId key_id = layout.encode({.context = 5, .sender = 1023, .epoch = 0x123}).value();
  EXPECT_EQ(key_id.value, (5U << 14) + (1023U << 4) + 3U);
  EXPECT_EQ(layout.decode(key_id).value(), (MlsKeyId{5, 1023, 3}));
}

TEST(MlsKeyIdLayout, UsesAll64Bits) {
  constexpr std::uint64_t kAll = ~std::uint64_t{0};
  for (const auto& [epoch_bits, sender_bits] :
       {std::pair{1U, 0U}, {1U, 63U}, {63U, 1U}, {63U, 0U}, {32U, 32U}, {8U, 16U}}) {
    const MlsKeyIdLayout layout{epoch_bits, sender_bits};
    const auto largest = layout.decode(KeyId{kAll});
    ASSERT_TRUE(largest) << epoch_bits;
    EXPECT_EQ(layout.encode(largest.value()).value(), KeyId{kAll}) << epoch_bits;
    EXPECT_EQ(layout.decode(KeyId{0}).value(), MlsKeyId{});
  }
}

TEST(MlsKeyIdLayout, WhatDoesNotFitIsRefused) {
  const MlsKeyIdLayout layout{.epoch_bits = 8, .sender_bits = 16};
  EXPECT_EQ(layout.encode({.sender = 1 << 16}).error(), Error::invalid_argument);
  EXPECT_EQ(layout.encode({.context = std::uint64_t{1} << 40}).error(), Error::invalid_argument);
  EXPECT_TRUE(layout.encode({.context = (std::uint64_t{1} << 40) - 1, .sender = 0xffff}));
  const MlsKeyIdLayout full{.epoch_bits = 32, .sender_bits = 32};
  EXPECT_EQ(full.encode({.context = 1}).error(), Error::invalid_argument);
  for (const MlsKeyIdLayout impossible : {MlsKeyIdLayout{0, 8}, {64, 0}, {8, 57}, {8, ~0U}}) {
    EXPECT_EQ(impossible.encode({}).error(), Error::invalid_argument);
    EXPECT_EQ(impossible.decode({}).error(), Error::invalid_argument);
  }
}

class MlsEpochTest : public SuiteTest {
 protected:
  static constexpr MlsKeyIdLayout kLayout{.epoch_bits = 2, .sender_bits = 4};

  static MlsKeyId id_of(std::uint64_t epoch) { return {.sender = 9, .epoch = epoch}; }
  static Bytes frame_of(std::uint64_t epoch) {
    Sender sender =
        make_sender({}, kLayout.encode(id_of(epoch)).value(), static_cast<std::uint8_t>(epoch));
    return protect(sender, as_bytes("frame"));
  }
  static Result<void> add(Receiver& receiver, std::uint64_t epoch) {
    return receiver.add_mls_epoch(kLayout, id_of(epoch),
                                  Bytes(32, static_cast<std::uint8_t>(epoch)));
  }
};

TEST_P(MlsEpochTest, ANewEpochDropsTheOneWithTheSameLowBitsAndNoOther) {
  Receiver receiver(backend(), suite());
  for (std::uint64_t epoch = 10; epoch < 14; ++epoch) ASSERT_TRUE(add(receiver, epoch));
  const Bytes old = frame_of(10);
  ASSERT_TRUE(add(receiver, 14));
  EXPECT_EQ(unprotect(receiver, old).error(), Error::authentication_failed);
  for (std::uint64_t epoch = 11; epoch < 15; ++epoch) {
    EXPECT_TRUE(accepts(receiver, frame_of(epoch))) << epoch;
  }
}

TEST_P(MlsEpochTest, AnEpochThatIsNotNewerIsRefusedSoThatWindowsStay) {
  Receiver receiver(backend(), suite());
  ASSERT_TRUE(add(receiver, 14));
  const Bytes frame = frame_of(14);
  EXPECT_TRUE(accepts(receiver, frame));
  EXPECT_EQ(add(receiver, 14).error(), Error::invalid_argument);
  EXPECT_EQ(add(receiver, 10).error(), Error::invalid_argument);
  EXPECT_EQ(unprotect(receiver, frame).error(), Error::replayed);
}

TEST_P(MlsEpochTest, AKeyThatIsOfNoEpochIsNotReplaced) {
  Receiver receiver(backend(), suite());
  ASSERT_TRUE(receiver.add_key(kLayout.encode(id_of(14)).value(), Bytes(32, 14)));
  EXPECT_EQ(add(receiver, 18).error(), Error::invalid_argument);
  EXPECT_TRUE(accepts(receiver, frame_of(14)));
}

INSTANTIATE_TEST_SUITE_P(Suites, MlsEpochTest, every_suite_and_backend(), suite_test_name);

}  // namespace
}  // namespace sealroom::sframe
