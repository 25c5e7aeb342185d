#include "sealroom/crypto/aead.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "sealroom/crypto/aead_nonce.h"
#include "support/backends.h"
#include "support/json.h"

namespace sealroom::crypto {
namespace {

class AeadTest : public testing::TestWithParam<Backend> {
 protected:
  [[nodiscard]] std::unique_ptr<Aead> aead(AeadAlgorithm algorithm, ByteView key) const {
    auto result = Aead::create(GetParam(), algorithm, key);
    return result ? std::move(result).value() : nullptr;
  }
  [[nodiscard]] std::unique_ptr<Aead> aead() const {
    return aead(AeadAlgorithm::aes_128_gcm, Bytes(16, 0x42));
  }
  static Bytes message(std::size_t size) {
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 7 + 1);
    return bytes;
  }
  const Bytes nonce_ = Bytes(kAeadNonceSize, 0x24);
  const Bytes aad_ = {1, 2, 3};
};

TEST_P(AeadTest, AgreesWithEveryWycheproofVectorOfItsNonceAndTagSize) {
  const auto file = test::Json::load("wycheproof-aes-gcm.json");
  std::size_t checked = 0;
  for (const auto& group : file["testGroups"].items()) {
    const std::uint64_t key_bits = group["keySize"].number();
    if (group["ivSize"].number() != 96 || group["tagSize"].number() != 128 || key_bits == 192) {
      continue;
    }
    for (const auto& vector : group["tests"].items()) {
      SCOPED_TRACE(vector["tcId"].number());
      const auto algorithm =
          key_bits == 128 ? AeadAlgorithm::aes_128_gcm : AeadAlgorithm::aes_256_gcm;
      const auto cipher = aead(algorithm, vector["key"].hex());
      ASSERT_NE(cipher, nullptr);
      const Bytes nonce = vector["iv"].hex();
      const Bytes aad = vector["aad"].hex();
      const Bytes plaintext = vector["msg"].hex();
      Bytes expected = vector["ct"].hex();
      const Bytes tag = vector["tag"].hex();
      expected.insert(expected.end(), tag.begin(), tag.end());
      const bool valid = vector["result"].text() == "valid";

      Bytes sealed(plaintext.size() + kAeadTagSize);
      ASSERT_TRUE(cipher->seal(nonce, aad, plaintext, sealed));
      EXPECT_EQ(sealed == expected, valid);
      Bytes opened(expected.size() - kAeadTagSize, 0xee);
      const auto result = cipher->open(nonce, aad, expected, opened);
      ASSERT_EQ(result.ok(), valid);
      if (valid) {
        EXPECT_EQ(opened, plaintext);
      } else {
        EXPECT_EQ(result.error(), Error::authentication_failed);
      }
      ++checked;
    }
  }
  // 316 in the file; the others have 192-bit keys or nonces that are not 12 bytes.
  EXPECT_EQ(checked, 133U);
}

TEST_P(AeadTest, SealsAndOpensInPlaceAtEverySizeUpToSeveralKernelWidths) {
  const auto cipher = aead();
  for (std::size_t size = 0; size <= 600; ++size) {
    SCOPED_TRACE(size);
    const Bytes plaintext = message(size);
    Bytes apart(size + kAeadTagSize);
    ASSERT_TRUE(cipher->seal(nonce_, aad_, plaintext, apart));

    Bytes buffer = plaintext;
    buffer.resize(size + kAeadTagSize);
    ASSERT_TRUE(cipher->seal(nonce_, aad_, ByteView(buffer).first(size), buffer));
    EXPECT_EQ(buffer, apart);
    ASSERT_TRUE(cipher->open(nonce_, aad_, buffer, MutableByteView(buffer).first(size)));
    buffer.resize(size);
    EXPECT_EQ(buffer, plaintext);
  }
}

TEST_P(AeadTest, RefusesATamperedBitAnywhereAndWipesTheOutput) {
  const auto cipher = aead();
  Bytes sealed(40 + kAeadTagSize);
  ASSERT_TRUE(cipher->seal(nonce_, aad_, message(40), sealed));
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    Bytes tampered = sealed;
    tampered[bit / 8] = static_cast<std::uint8_t>(tampered[bit / 8] ^ (1U << (bit % 8)));
    Bytes out(40, 0xee);
    const auto result = cipher->open(nonce_, aad_, tampered, out);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error(), Error::authentication_failed);
    EXPECT_EQ(out, Bytes(40, 0));
  }
}

TEST_P(AeadTest, RefusesAnotherNonceOtherAadOrAnotherKey) {
  const auto cipher = aead();
  Bytes sealed(5 + kAeadTagSize);
  ASSERT_TRUE(cipher->seal(nonce_, aad_, message(5), sealed));
  Bytes out(5);
  EXPECT_EQ(cipher->open(Bytes(12, 0), aad_, sealed, out).error(), Error::authentication_failed);
  EXPECT_EQ(cipher->open(nonce_, Bytes{1, 2, 4}, sealed, out).error(),
            Error::authentication_failed);
  EXPECT_EQ(cipher->open(nonce_, {}, sealed, out).error(), Error::authentication_failed);
  const auto other = aead(AeadAlgorithm::aes_128_gcm, Bytes(16, 0x43));
  EXPECT_EQ(other->open(nonce_, aad_, sealed, out).error(), Error::authentication_failed);
  EXPECT_TRUE(cipher->open(nonce_, aad_, sealed, out));
}

TEST_P(AeadTest, StaysUsableAfterAFailureAndKeepsBothDirectionsApart) {
  const auto cipher = aead();
  Bytes first(20 + kAeadTagSize);
  ASSERT_TRUE(cipher->seal(nonce_, aad_, message(20), first));
  Bytes out(20);
  EXPECT_FALSE(cipher->open(Bytes(12, 0), aad_, first, out));
  Bytes second(20 + kAeadTagSize);
  ASSERT_TRUE(cipher->seal(nonce_, aad_, message(20), second));
  EXPECT_EQ(first, second);
  EXPECT_TRUE(cipher->open(nonce_, aad_, second, out));
  EXPECT_EQ(out, message(20));
}

TEST_P(AeadTest, RefusesViewsOfTheWrongSizeWithoutTouchingTheOutput) {
  const auto cipher = aead();
  Bytes out(10 + kAeadTagSize, 0xee);
  const auto refused = [&](const Result<void>& result) {
    return !result && result.error() == Error::invalid_argument &&
           std::all_of(out.begin(), out.end(), [](std::uint8_t byte) { return byte == 0xee; });
  };
  const MutableByteView view(out);
  EXPECT_TRUE(refused(cipher->seal(nonce_, aad_, message(10), view.first(25))));
  EXPECT_TRUE(refused(cipher->seal(nonce_, aad_, message(9), view)));
  EXPECT_TRUE(refused(cipher->seal(Bytes(11, 0), aad_, message(10), view)));
  EXPECT_TRUE(refused(cipher->seal(Bytes(13, 0), aad_, message(10), view)));
  EXPECT_TRUE(refused(cipher->open(nonce_, aad_, Bytes(15), view.first(0))));
  EXPECT_TRUE(refused(cipher->open(nonce_, aad_, Bytes(26), view.first(11))));
  EXPECT_TRUE(refused(cipher->open({}, aad_, Bytes(26), view.first(10))));
}

TEST_P(AeadTest, RefusesKeysOfTheWrongSize) {
  for (const std::size_t size : {0U, 15U, 17U, 24U, 32U}) {
    const auto result = Aead::create(GetParam(), AeadAlgorithm::aes_128_gcm, Bytes(size));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error(), Error::invalid_argument);
  }
  EXPECT_FALSE(Aead::create(GetParam(), AeadAlgorithm::aes_256_gcm, Bytes(16)));
}

TEST(AeadNonceTest, IsTheSaltXorTheNumberInNetworkOrder) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 1000; ++round) {
    Bytes salt(14);  // as long as that of SRTP's counter mode: what is behind the nonce has no part
    std::ranges::generate(salt, [&] { return static_cast<std::uint8_t>(random()); });
    const auto high = static_cast<std::uint32_t>(random());
    const std::uint64_t low = random();
    Bytes expected(salt.begin(), salt.begin() + kAeadNonceSize);
    for (unsigned i = 0; i < 4; ++i) expected[i] ^= static_cast<std::uint8_t>(high >> (24 - 8 * i));
    for (unsigned i = 0; i < 8; ++i) {
      expected[4 + i] ^= static_cast<std::uint8_t>(low >> (56 - 8 * i));
    }
    const AeadNonce nonce(salt, high, low);
    ASSERT_EQ(Bytes(nonce.view().begin(), nonce.view().end()), expected);
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, AeadTest, testing::ValuesIn(test::available_backends()),
                         test::BackendTestName());

}  // namespace
}  // namespace sealroom::crypto
