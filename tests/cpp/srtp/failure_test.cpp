// The crypto library fails in the middle: what it failed on has not been seen, and may come again.

#include <gtest/gtest.h>

#include "srtp/support.h"
#include "support/failing_crypto.h"

namespace sealroom::srtp::test {
namespace {

using sealroom::test::crypto_failures;
using sealroom::test::CryptoCall;
using sealroom::test::fail_crypto;
using sealroom::test::mend_crypto;

constexpr Ssrc kSsrc{0xCAFEBABE};
constexpr std::uint16_t kCount = 40;

class SrtpFailure : public SrtpTest {
 protected:
  SrtpFailure() {
    for (std::uint16_t i = 0; i < kCount; ++i) {
      clear_.push_back(rtp_packet({.sequence_number = i, .payload_size = 900}));
      sealed_.push_back(protect_rtp(sender_, clear_.back()).value());
    }
    mend_crypto();
  }
  ~SrtpFailure() override { mend_crypto(); }

  [[nodiscard]] bool is_aead() const {
    return profile_parameters(GetParam().profile).value().is_aead;
  }

  struct Opened {
    std::vector<Bytes> bytes;
    std::vector<Result<std::size_t>> sizes;
  };

  static Opened open(Receiver& receiver, const std::vector<Bytes>& packets, bool in_place) {
    Opened opened;
    std::vector<UnprotectTask> tasks(packets.size());
    opened.bytes = packets;
    for (std::size_t i = 0; i < packets.size(); ++i) {
      if (!in_place) opened.bytes[i].assign(packets[i].size(), 0);
      tasks[i] = {in_place ? ByteView(opened.bytes[i]) : ByteView(packets[i]), opened.bytes[i]};
    }
    receiver.unprotect_rtp_batch(tasks);
    for (const UnprotectTask& task : tasks) opened.sizes.push_back(task.size);
    return opened;
  }

  // After the library has recovered every packet opens, once.
  void expect_all_open(Receiver& receiver, const std::vector<bool>& was_opened) {
    mend_crypto();
    const auto again = open(receiver, sealed_, true);
    for (std::size_t i = 0; i < sealed_.size(); ++i) {
      if (was_opened[i]) {
        EXPECT_TRUE(fails_with(again.sizes[i], Error::replayed)) << i;
      } else {
        ASSERT_TRUE(again.sizes[i].ok()) << i << ": " << error_name(again.sizes[i].error());
        EXPECT_EQ(Bytes(again.bytes[i].begin(),
                        again.bytes[i].begin() + static_cast<std::ptrdiff_t>(clear_[i].size())),
                  clear_[i]);
      }
    }
    EXPECT_EQ(receiver.key_usage().value().rtp_packets, sealed_.size());
  }

  std::vector<Bytes> clear_;
  std::vector<Bytes> sealed_;
};

INSTANTIATE_TEST_SUITE_P(Profiles, SrtpFailure, testing::ValuesIn(all_cases()), case_name);

TEST_P(SrtpFailure, ASinglePacketThatCouldNotBeOpenedMayComeAgain) {
  for (const auto call : is_aead() ? std::vector{CryptoCall::aead_open}
                                   : std::vector{CryptoCall::hmac, CryptoCall::crypt}) {
    auto receiver = make_receiver(GetParam());
    mend_crypto();
    fail_crypto(call);
    EXPECT_TRUE(fails_with(unprotect_rtp(receiver, sealed_[0]), Error::crypto_failure));
    EXPECT_EQ(crypto_failures(), 1U);
    EXPECT_EQ(receiver.stream_count(), 0U);
    EXPECT_EQ(receiver.key_usage().value().rtp_packets, 0U);
    EXPECT_TRUE(gives(unprotect_rtp(receiver, sealed_[0]), clear_[0]));
  }
}

TEST_P(SrtpFailure, AControlPacketThatCouldNotBeOpenedMayComeAgain) {
  const Bytes report = rtcp_packet();
  const Bytes sealed = protect_rtcp(sender_, report).value();
  for (const auto call : is_aead() ? std::vector{CryptoCall::aead_open}
                                   : std::vector{CryptoCall::hmac, CryptoCall::crypt}) {
    auto receiver = make_receiver(GetParam());
    mend_crypto();
    fail_crypto(call);
    EXPECT_TRUE(fails_with(unprotect_rtcp(receiver, sealed), Error::crypto_failure));
    EXPECT_EQ(crypto_failures(), 1U);
    EXPECT_EQ(receiver.stream_count(), 0U);
    EXPECT_TRUE(gives(unprotect_rtcp(receiver, sealed), report));
  }
}

TEST_P(SrtpFailure, NoPacketOfABatchThatCouldNotBeDecryptedIsEntered) {
  const auto call = is_aead() ? CryptoCall::aead_open : CryptoCall::crypt_many;
  for (const bool in_place : {true, false}) {
    auto receiver = make_receiver(GetParam());
    mend_crypto();
    fail_crypto(call, 0, kCount);
    const auto opened = open(receiver, sealed_, in_place);
    EXPECT_GE(crypto_failures(), 1U);
    for (std::size_t i = 0; i < kCount; ++i) {
      EXPECT_TRUE(fails_with(opened.sizes[i], Error::crypto_failure)) << i;
    }
    EXPECT_EQ(receiver.stream_count(), 0U);
    EXPECT_TRUE(fails_with(receiver.roll_over_counter(kSsrc), Error::unknown_ssrc));
    expect_all_open(receiver, std::vector<bool>(kCount, false));
  }
}

TEST_P(SrtpFailure, NoPlaintextIsLeftOfABatchThatCouldNotBeDecrypted) {
  fail_crypto(is_aead() ? CryptoCall::aead_open : CryptoCall::crypt_many, 0, kCount);
  const auto opened = open(receiver_, sealed_, false);
  for (std::size_t i = 0; i < kCount; ++i) {
    EXPECT_EQ(opened.bytes[i], Bytes(sealed_[i].size(), 0)) << i;
  }
}

TEST_P(SrtpFailure, NoPlaintextIsLeftOfASinglePacketThatCouldNotBeDecrypted) {
  const auto call = is_aead() ? CryptoCall::aead_open : CryptoCall::crypt;
  Bytes out(sealed_[0].size());
  fail_crypto(call);
  EXPECT_TRUE(fails_with(receiver_.unprotect_rtp(sealed_[0], out), Error::crypto_failure));
  EXPECT_EQ(out, Bytes(out.size(), 0));
  const Bytes sealed = protect_rtcp(sender_, rtcp_packet()).value();
  out.assign(sealed.size(), 0);
  mend_crypto();
  fail_crypto(call);
  EXPECT_TRUE(fails_with(receiver_.unprotect_rtcp(sealed, out), Error::crypto_failure));
  EXPECT_EQ(out, Bytes(out.size(), 0));
}

// The tags are checked one by one then, so that one failure costs no more than its packet.
TEST_P(SrtpFailure, ABatchWhoseTagsCouldNotBeCheckedAtOnceIsOpenedPacketByPacket) {
  const auto batch_call = is_aead() ? CryptoCall::aead_open : CryptoCall::hmac_many;
  const auto single_call = is_aead() ? CryptoCall::aead_open : CryptoCall::hmac;
  fail_crypto(batch_call);
  fail_crypto(single_call, 7);
  std::vector<bool> was_opened(kCount, true);
  was_opened[7] = false;
  const auto opened = open(receiver_, sealed_, true);
  for (std::size_t i = 0; i < kCount; ++i) {
    EXPECT_EQ(opened.sizes[i].ok(), was_opened[i]) << i;
  }
  expect_all_open(receiver_, was_opened);
}

TEST_P(SrtpFailure, WhatWasOpenedBeforeTheFailingBatchStaysEntered) {
  const std::vector<Bytes> first(sealed_.begin(), sealed_.begin() + 10);
  open(receiver_, first, true);
  fail_crypto(is_aead() ? CryptoCall::aead_open : CryptoCall::crypt_many, 0, kCount);
  const auto opened = open(receiver_, sealed_, true);
  std::vector<bool> was_opened(kCount, false);
  std::fill_n(was_opened.begin(), 10, true);
  for (std::size_t i = 0; i < kCount; ++i) {
    EXPECT_TRUE(
        fails_with(opened.sizes[i], was_opened[i] ? Error::replayed : Error::crypto_failure))
        << i;
  }
  expect_all_open(receiver_, was_opened);
}

TEST_P(SrtpFailure, ASenderThatCouldNotSealGoesOnUnderFreshIndices) {
  fail_crypto(is_aead() ? CryptoCall::aead_seal : CryptoCall::crypt_many, 0, kCount);
  std::vector<Bytes> buffers;
  std::vector<ProtectTask> tasks(kCount);
  for (std::size_t i = 0; i < kCount; ++i) {
    buffers.push_back(rtp_packet({.sequence_number = static_cast<std::uint16_t>(kCount + i)}));
    buffers.back().resize(buffers.back().size() + sender_.rtp_overhead());
  }
  for (std::size_t i = 0; i < kCount; ++i) {
    tasks[i] = {buffers[i], 12,
                ByteView(buffers[i]).subspan(12, buffers[i].size() - sender_.rtp_overhead() - 12)};
  }
  EXPECT_EQ(sender_.protect_rtp_batch(tasks), 0U);
  for (const ProtectTask& task : tasks) {
    EXPECT_TRUE(fails_with(task.size, Error::crypto_failure));
  }
  mend_crypto();
  open(receiver_, sealed_, true);
  const Bytes packet = rtp_packet({.sequence_number = 2 * kCount});
  EXPECT_TRUE(gives(unprotect_rtp(receiver_, protect_rtp(sender_, packet).value()), packet));
}

}  // namespace
}  // namespace sealroom::srtp::test
