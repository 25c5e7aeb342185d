#pragma once

#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <vector>

#include "sealroom/sframe/receiver.h"
#include "sealroom/sframe/sender.h"
#include "support/backends.h"

namespace sealroom::sframe {

using SuiteParam = std::tuple<crypto::Backend, CipherSuite>;

inline const std::vector<CipherSuite> kAllSuites = {
    CipherSuite::aes_128_ctr_hmac_sha256_80, CipherSuite::aes_128_ctr_hmac_sha256_64,
    CipherSuite::aes_128_ctr_hmac_sha256_32, CipherSuite::aes_128_gcm_sha256_128,
    CipherSuite::aes_256_gcm_sha512_128,
};

/// A sender and its receiver, for every suite on every back end.
class SuiteTest : public testing::TestWithParam<SuiteParam> {
 protected:
  static constexpr KeyId kKeyId{7};

  [[nodiscard]] static crypto::Backend backend() { return std::get<0>(GetParam()); }
  [[nodiscard]] static CipherSuite suite() { return std::get<1>(GetParam()); }
  [[nodiscard]] static std::size_t tag_size() { return suite_parameters(suite()).value().tag_size; }

  [[nodiscard]] static Sender make_sender(SenderOptions options = {}, KeyId key_id = kKeyId,
                                          std::uint8_t key = 0x42) {
    return Sender::create(backend(), suite(), key_id, Bytes(32, key), options).value();
  }
  [[nodiscard]] static Receiver make_receiver(std::uint8_t key = 0x42) {
    Receiver receiver(backend(), suite());
    EXPECT_TRUE(receiver.add_key(kKeyId, Bytes(32, key)));
    return receiver;
  }

  /// Empty if refused.
  static Bytes protect(Sender& sender, ByteView plaintext, ByteView metadata = {}) {
    Bytes out(plaintext.size() + kMaxOverhead);
    const auto size = sender.protect(metadata, plaintext, out);
    out.resize(size ? size.value() : 0);
    return out;
  }
  /// `key` at `counter`, whatever other frames were made.
  static Bytes frame_at(std::uint64_t counter, ByteView plaintext = as_bytes("frame")) {
    Sender sender = make_sender({.first_counter = counter});
    return protect(sender, plaintext);
  }
  static Result<Bytes> unprotect(Receiver& receiver, ByteView frame, ByteView metadata = {}) {
    Bytes out(frame.size());
    const auto size = receiver.unprotect(metadata, frame, out);
    if (!size) return size.error();
    out.resize(size.value());
    return out;
  }
  static bool accepts(Receiver& receiver, ByteView frame) {
    return unprotect(receiver, frame).ok();
  }
};

inline std::string suite_test_name(const testing::TestParamInfo<SuiteParam>& info) {
  return std::string(crypto::backend_name(std::get<0>(info.param))) + "_suite_" +
         std::to_string(static_cast<int>(std::get<1>(info.param)));
}

inline auto every_suite_and_backend() {
  return testing::Combine(testing::ValuesIn(test::available_backends()),
                          testing::ValuesIn(kAllSuites));
}

}  // namespace sealroom::sframe
