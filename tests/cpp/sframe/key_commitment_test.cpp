#include "sealroom/sframe/key_commitment.h"

#include <set>

#include "suite_fixture.h"

namespace sealroom::sframe {
namespace {

class KeyCommitmentTest : public SuiteTest {
 protected:
  static Bytes commitment_to(std::uint8_t key, KeyId key_id = kKeyId) {
    const auto commitment = key_commitment(suite(), key_id, Bytes(32, key)).value();
    return {commitment.begin(), commitment.end()};
  }
};

TEST_P(KeyCommitmentTest, TheKeyCommittedToIsTakenAndAnotherIsNotAndChangesNothing) {
  Receiver receiver(backend(), suite());
  const Bytes commitment = commitment_to(0x42);
  EXPECT_EQ(receiver.add_key(kKeyId, Bytes(32, 0x43), commitment).error(),
            Error::commitment_mismatch);
  EXPECT_FALSE(receiver.has_key(kKeyId));
  EXPECT_EQ(unprotect(receiver, frame_at(0)).error(), Error::unknown_key_id);
  ASSERT_TRUE(receiver.add_key(kKeyId, Bytes(32, 0x42), commitment));
  EXPECT_TRUE(accepts(receiver, frame_at(0)));
}

TEST_P(KeyCommitmentTest, ACommitmentIsToOneKeyIdAndOneSuite) {
  Receiver receiver(backend(), suite());
  EXPECT_EQ(receiver.add_key(KeyId{8}, Bytes(32, 0x42), commitment_to(0x42)).error(),
            Error::commitment_mismatch);
  std::set<Bytes> all;
  for (const CipherSuite one : kAllSuites) {
    const auto commitment = key_commitment(one, kKeyId, Bytes(32, 0x42)).value();
    all.insert(Bytes(commitment.begin(), commitment.end()));
  }
  EXPECT_EQ(all.size(), kAllSuites.size());
}

TEST_P(KeyCommitmentTest, EveryBitCounts) {
  Receiver receiver(backend(), suite());
  Bytes commitment = commitment_to(0x42);
  for (std::size_t bit = 0; bit < commitment.size() * 8; ++bit) {
    const auto mask = static_cast<std::uint8_t>(1U << (bit % 8));
    commitment[bit / 8] ^= mask;
    ASSERT_EQ(receiver.add_key(kKeyId, Bytes(32, 0x42), commitment).error(),
              Error::commitment_mismatch);
    commitment[bit / 8] ^= mask;
  }
  EXPECT_TRUE(receiver.add_key(kKeyId, Bytes(32, 0x42), commitment));
}

TEST_P(KeyCommitmentTest, OneOfAnotherSizeIsAMistakeOfTheCaller) {
  Receiver receiver(backend(), suite());
  const Bytes commitment = commitment_to(0x42);
  for (const std::size_t size : {1U, 16U, 31U}) {
    EXPECT_EQ(receiver.add_key(kKeyId, Bytes(32, 0x42), ByteView(commitment).first(size)).error(),
              Error::invalid_argument);
  }
  EXPECT_EQ(key_commitment(suite(), kKeyId, {}).error(), Error::invalid_argument);
}

INSTANTIATE_TEST_SUITE_P(Suites, KeyCommitmentTest, every_suite_and_backend(), suite_test_name);

}  // namespace
}  // namespace sealroom::sframe
