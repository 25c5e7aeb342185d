#include "sealroom/crypto/aes_ctr.h"

#include <gtest/gtest.h>

#include "support/backends.h"
#include "support/hex.h"

namespace sealroom::crypto {
namespace {

using test::from_hex;

class AesCtrTest : public testing::TestWithParam<Backend> {
 protected:
  static Bytes crypt(Backend backend, ByteView key, ByteView counter, ByteView in) {
    auto cipher = AesCtr::create(backend, key);
    Bytes out(in.size());
    if (!cipher || !cipher.value()->crypt(counter, in, out)) return {};
    return out;
  }
  [[nodiscard]] Bytes crypt(ByteView key, ByteView counter, ByteView in) const {
    return crypt(GetParam(), key, counter, in);
  }
};

const Bytes kNistPlaintext = from_hex(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710");
const Bytes kNistCounter = from_hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");

TEST_P(AesCtrTest, MatchesSp80038aF51WithA128BitKey) {
  EXPECT_EQ(crypt(from_hex("2b7e151628aed2a6abf7158809cf4f3c"), kNistCounter, kNistPlaintext),
            from_hex("874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff"
                     "5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee"));
}

TEST_P(AesCtrTest, MatchesSp80038aF55WithA256BitKey) {
  EXPECT_EQ(crypt(from_hex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"),
                  kNistCounter, kNistPlaintext),
            from_hex("601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5"
                     "2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6"));
}

TEST_P(AesCtrTest, ShortMessagesAreAPrefixOfTheLongOne) {
  const Bytes key(16, 0x11);
  const Bytes whole = crypt(key, kNistCounter, Bytes(700));
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const Bytes prefix(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    ASSERT_EQ(crypt(key, kNistCounter, Bytes(size)), prefix) << size;
  }
}

TEST_P(AesCtrTest, CarriesTheCounterThroughAll128Bits) {
  const Bytes key(32, 0x11);
  for (const char* counter :
       {"000000000000000000000000fffffffe", "0000000000000000fffffffffffffffd",
        "00000001fffffffffffffffffffffffe", "ffffffffffffffffffffffffffffffff",
        "0123456789abcdef01234567ffffffe0"}) {
    for (const std::size_t size : {1U, 16U, 17U, 32U, 33U, 48U, 49U, 1000U}) {
      SCOPED_TRACE(testing::Message() << counter << " " << size);
      // OpenSSL carries as the standard says; one block at a time it needs no carry at all.
      EXPECT_EQ(crypt(key, from_hex(counter), Bytes(size)),
                crypt(Backend::openssl, key, from_hex(counter), Bytes(size)));
    }
  }
  const Bytes wrapped = crypt(key, Bytes(16, 0xff), Bytes(32));
  EXPECT_EQ(Bytes(wrapped.begin() + 16, wrapped.end()), crypt(key, Bytes(16, 0), Bytes(16)));
}

TEST_P(AesCtrTest, WorksInPlace) {
  auto cipher = AesCtr::create(GetParam(), Bytes(16, 1));
  ASSERT_TRUE(cipher);
  Bytes buffer = kNistPlaintext;
  ASSERT_TRUE(cipher.value()->crypt(kNistCounter, buffer, buffer));
  EXPECT_EQ(buffer, crypt(Bytes(16, 1), kNistCounter, kNistPlaintext));
  ASSERT_TRUE(cipher.value()->crypt(kNistCounter, buffer, buffer));
  EXPECT_EQ(buffer, kNistPlaintext);
}

TEST_P(AesCtrTest, RefusesWrongSizes) {
  for (const std::size_t size : {0U, 15U, 24U, 33U}) {
    EXPECT_EQ(AesCtr::create(GetParam(), Bytes(size)).error(), Error::invalid_argument);
  }
  auto cipher = AesCtr::create(GetParam(), Bytes(16));
  ASSERT_TRUE(cipher);
  Bytes out(8);
  EXPECT_EQ(cipher.value()->crypt(kNistCounter, Bytes(7), out).error(), Error::invalid_argument);
  EXPECT_EQ(cipher.value()->crypt(Bytes(12), Bytes(8), out).error(), Error::invalid_argument);
}

INSTANTIATE_TEST_SUITE_P(Backends, AesCtrTest, testing::ValuesIn(test::available_backends()),
                         test::BackendTestName());

}  // namespace
}  // namespace sealroom::crypto
