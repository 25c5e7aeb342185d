// The crypto library fails in the middle: the receiver has not seen that frame, and the sender
// gives nothing away.

#include <gtest/gtest.h>

#include <algorithm>

#include "sframe/suite_fixture.h"
#include "support/failing_crypto.h"

namespace sealroom::sframe {
namespace {

using test::crypto_failures;
using test::CryptoCall;
using test::fail_crypto;
using test::mend_crypto;

class SframeFailure : public SuiteTest {
 protected:
  SframeFailure() { mend_crypto(); }
  ~SframeFailure() override { mend_crypto(); }

  static bool is_aead() {
    return suite() == CipherSuite::aes_128_gcm_sha256_128 ||
           suite() == CipherSuite::aes_256_gcm_sha512_128;
  }
  /// Every call that opening, or sealing, a frame makes.
  static std::vector<CryptoCall> calls(CryptoCall aead) {
    return is_aead() ? std::vector{aead} : std::vector{CryptoCall::hmac, CryptoCall::crypt};
  }
};

INSTANTIATE_TEST_SUITE_P(Suites, SframeFailure, every_suite_and_backend(), suite_test_name);

TEST_P(SframeFailure, AFrameThatCouldNotBeOpenedMayComeAgainAndTheOthersAreNotHeldUp) {
  Sender sender = make_sender();
  std::vector<Bytes> frames;
  for (std::uint8_t i = 0; i < 12; ++i) frames.push_back(protect(sender, Bytes(300, i)));
  for (const CryptoCall call : calls(CryptoCall::aead_open)) {
    Receiver receiver = make_receiver();
    mend_crypto();
    fail_crypto(call, 4);
    for (std::size_t i = 0; i < frames.size(); ++i) {
      const auto opened = unprotect(receiver, frames[i]);
      ASSERT_EQ(opened.ok(), i != 4) << i;
      if (!opened.ok()) {
        EXPECT_EQ(opened.error(), Error::crypto_failure);
      }
    }
    EXPECT_EQ(crypto_failures(), 1U);
    for (std::size_t i = 0; i < frames.size(); ++i) {
      const auto again = unprotect(receiver, frames[i]);
      ASSERT_EQ(again.ok(), i == 4) << i;
      if (!again.ok()) {
        EXPECT_EQ(again.error(), Error::replayed);
      }
    }
  }
}

TEST_P(SframeFailure, NoPlaintextIsLeftOfAFrameThatCouldNotBeOpened) {
  Sender sender = make_sender();
  const Bytes frame = protect(sender, Bytes(300, 0x5a));
  for (const CryptoCall call : calls(CryptoCall::aead_open)) {
    Receiver receiver = make_receiver();
    Bytes out(frame.size());
    fail_crypto(call);
    EXPECT_FALSE(receiver.unprotect({}, frame, out));
    EXPECT_EQ(std::count(out.begin(), out.end(), 0x5a), 0);
  }
}

TEST_P(SframeFailure, ARatchetDoesNotMoveOnWhatCouldNotBeOpened) {
  constexpr unsigned kBits = 4;
  constexpr KeyId kFirst = ratchet_key_id(3, 0, kBits);
  Sender sender = make_sender({.ratchet_bits = kBits}, kFirst);
  const Bytes old = protect(sender, as_bytes("old"));
  ASSERT_TRUE(sender.ratchet());
  const Bytes frame = protect(sender, as_bytes("new"));
  Receiver receiver(backend(), suite());
  ASSERT_TRUE(receiver.add_ratchet(kFirst, Bytes(32, 0x42),
                                   {.bits = kBits, .max_steps_ahead = 4, .kept_steps = 0}));
  fail_crypto(is_aead() ? CryptoCall::aead_open : CryptoCall::crypt);
  EXPECT_EQ(unprotect(receiver, frame).error(), Error::crypto_failure);
  EXPECT_EQ(receiver.ratchet_position(kFirst).value(), kFirst);
  // Nor does one whose next key could not be derived forget how to derive it.
  Receiver other(backend(), suite());
  ASSERT_TRUE(other.add_ratchet(kFirst, Bytes(32, 0x42),
                                {.bits = kBits, .max_steps_ahead = 4, .kept_steps = 0}));
  for (std::size_t at = 0; at < 4; ++at) {
    fail_crypto(CryptoCall::hmac, at);
    const auto opened = unprotect(other, frame);
    mend_crypto();
    if (opened) break;  // more calls than it makes
    EXPECT_EQ(opened.error(), Error::crypto_failure) << at;
    EXPECT_EQ(other.ratchet_position(kFirst).value(), kFirst);
  }
  EXPECT_TRUE(accepts(receiver, old));  // it would be gone if the ratchet had moved
  EXPECT_TRUE(accepts(receiver, frame));
}

TEST_P(SframeFailure, ASenderThatFailedLeavesNothingUnderACounterThatIsUsedAgain) {
  for (const CryptoCall call : calls(CryptoCall::aead_seal)) {
    Sender sender = make_sender();
    Receiver receiver = make_receiver();
    Bytes out(200 + kMaxOverhead, 0xee);
    fail_crypto(call);
    EXPECT_EQ(sender.protect({}, Bytes(200, 1), out).error(), Error::crypto_failure);
    EXPECT_EQ(sender.next_counter(), 0U);
    const std::size_t size = sender.protected_size(200);
    EXPECT_TRUE(std::all_of(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size),
                            [](std::uint8_t byte) { return byte == 0; }));
    EXPECT_TRUE(accepts(receiver, protect(sender, as_bytes("next"))));
  }
}

}  // namespace
}  // namespace sealroom::sframe
