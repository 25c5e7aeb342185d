#include <gtest/gtest.h>

#include "sealroom/sframe/receiver.h"
#include "sealroom/sframe/sender.h"
#include "sframe/ctr_hmac.h"
#include "support/backends.h"
#include "support/json.h"

namespace sealroom::sframe {
namespace {

class Rfc9605Test : public testing::TestWithParam<crypto::Backend> {
 protected:
  const test::Json file_ = test::Json::load("sframe-rfc9605.json");
};

TEST_P(Rfc9605Test, CtrHmacMatchesItsThreeVectors) {
  const auto& vectors = file_["aes_ctr_hmac"].items();
  ASSERT_EQ(vectors.size(), 3U);
  for (const auto& vector : vectors) {
    const auto parameters =
        suite_parameters(CipherSuite{static_cast<std::uint16_t>(vector["cipher_suite"].number())});
    ASSERT_TRUE(parameters);
    auto cipher = CtrHmac::create(GetParam(), vector["key"].hex(), parameters.value().tag_size);
    ASSERT_TRUE(cipher);
    const Bytes nonce = vector["nonce"].hex();
    const Bytes aad = vector["aad"].hex();
    const Bytes plaintext = vector["pt"].hex();
    const Bytes ciphertext = vector["ct"].hex();

    Bytes sealed(ciphertext.size());
    ASSERT_TRUE(cipher.value().seal(nonce, aad, plaintext, sealed));
    EXPECT_EQ(sealed, ciphertext);
    Bytes opened(plaintext.size());
    ASSERT_TRUE(cipher.value().open(nonce, aad, ciphertext, opened));
    EXPECT_EQ(opened, plaintext);
  }
}

TEST_P(Rfc9605Test, FramesMatchTheFiveVectorsBothWays) {
  const auto& vectors = file_["sframe"].items();
  ASSERT_EQ(vectors.size(), 5U);
  for (const auto& vector : vectors) {
    const auto suite = static_cast<CipherSuite>(vector["cipher_suite"].number());
    SCOPED_TRACE(vector["cipher_suite"].number());
    const KeyId key_id{vector["kid"].number()};
    const Bytes base_key = vector["base_key"].hex();
    const Bytes metadata = vector["metadata"].hex();
    const Bytes plaintext = vector["pt"].hex();
    const Bytes ciphertext = vector["ct"].hex();

    auto sender = Sender::create(GetParam(), suite, key_id, base_key,
                                 {.first_counter = vector["ctr"].number()});
    ASSERT_TRUE(sender);
    EXPECT_EQ(sender.value().protected_size(plaintext.size()), ciphertext.size());
    Bytes out(plaintext.size() + kMaxOverhead);
    const auto size = sender.value().protect(metadata, plaintext, out);
    ASSERT_TRUE(size);
    out.resize(size.value());
    EXPECT_EQ(out, ciphertext);

    Receiver receiver(GetParam(), suite);
    ASSERT_TRUE(receiver.add_key(key_id, base_key));
    Bytes opened(ciphertext.size());
    const auto opened_size = receiver.unprotect(metadata, ciphertext, opened);
    ASSERT_TRUE(opened_size);
    opened.resize(opened_size.value());
    EXPECT_EQ(opened, plaintext);
  }
}

TEST(SuiteParameters, UnknownSuitesAreUnsupportedEverywhere) {
  for (const int number : {0, 6, 8, 0xffff}) {
    const auto suite = static_cast<CipherSuite>(number);
    EXPECT_EQ(suite_parameters(suite).error(), Error::unsupported);
    EXPECT_EQ(Sender::create(crypto::Backend::openssl, suite, KeyId{0}, Bytes(16)).error(),
              Error::unsupported);
    Receiver receiver(crypto::Backend::openssl, suite);
    EXPECT_EQ(receiver.add_key(KeyId{0}, Bytes(16)).error(), Error::unsupported);
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, Rfc9605Test, testing::ValuesIn(test::available_backends()),
                         test::BackendTestName());

}  // namespace
}  // namespace sealroom::sframe
